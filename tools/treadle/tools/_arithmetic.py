"""Evaluating arithmetic: exact for whole numbers and decimals, bounded in size and time.

Numbers are ``int`` and ``Fraction`` as long as they can be; functions such as ``sin`` give
``float``. Nothing but arithmetic is evaluated: no text, lists, attributes or conditions.
"""

import ast
import math
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from typing import Any

from simpleeval import InvalidExpression, SimpleEval

from treadle.core.errors import ToolError, nearest

Number = int | float | Fraction

MAX_DIGITS = 4_000
"""How many digits a number may have on the way; Python itself prints no more than 4,300."""

PERCENT = "percent"
"""The name of the function that a percentage is written with."""

_MAX_BITS = int(MAX_DIGITS * math.log2(10))


class ArithmeticProblem(InvalidExpression):  # type: ignore[misc]
    """An expression cannot be computed; the message says why, without a full stop."""


def evaluate(expression: str) -> Number | bool:
    """Compute an expression in Python's notation.

    Raises:
        ArithmeticProblem: it is not arithmetic, or has no real value.
        ToolError: a name is unknown, or a number grows too large.
        SyntaxError: it cannot be parsed.
        ZeroDivisionError, OverflowError, RecursionError, MemoryError: as Python raises them.
    """
    parsed = ast.parse(expression, mode="eval").body
    value: Number | bool = _bounded(_Evaluator(expression).eval(expression, parsed))
    return value


class _Evaluator(SimpleEval):  # type: ignore[misc]
    def __init__(self, source: str) -> None:
        super().__init__(operators=_OPERATORS, functions=_FUNCTIONS, names=_CONSTANTS)
        self._source = source
        self.nodes = {
            ast.BinOp: self._eval_operation,
            ast.UnaryOp: self._eval_unaryop,
            ast.Compare: self._eval_compare,
            ast.Call: self._eval_function,
            ast.Name: self._eval_constant_name,
            ast.Constant: self._eval_number,
        }

    def _eval(self, node: ast.AST) -> Any:
        if isinstance(node, ast.Tuple):
            raise ArithmeticProblem("a comma separates thousands, or the arguments of a function")
        if isinstance(node, ast.Attribute) or type(node) not in self.nodes:
            raise ArithmeticProblem(f"{_kind(node)} is not arithmetic")
        return super()._eval(node)

    def _eval_number(self, node: ast.Constant) -> Number:
        if isinstance(node.value, bool) or not isinstance(node.value, int | float):
            raise ArithmeticProblem(f"{node.value!r} is not a real number")
        if isinstance(node.value, int):
            return node.value
        return _exact(ast.get_source_segment(self._source, node) or repr(node.value))

    def _eval_constant_name(self, node: ast.Name) -> Number:
        if node.id in _CONSTANTS:
            return _CONSTANTS[node.id]
        if node.id in _FUNCTIONS:
            raise ArithmeticProblem(f"{node.id} is a function; write {node.id}(...)")
        raise _unknown(node.id)

    def _eval_function(self, node: ast.Call) -> Any:
        if not isinstance(node.func, ast.Name) or node.func.id in _CONSTANTS:
            raise ArithmeticProblem("a multiplication needs its sign: write 2 * (3 + 4)")
        if node.func.id not in _FUNCTIONS:
            raise _unknown(node.func.id)
        if node.keywords:
            raise ArithmeticProblem("arguments are given by position, without names")
        try:
            return _bounded(self._eval_call(node))
        except (TypeError, ValueError) as error:
            raise ArithmeticProblem(f"{node.func.id}: {error}") from None

    def _eval_operation(self, node: ast.BinOp) -> Any:
        if type(node.op) not in _OPERATORS:
            raise ArithmeticProblem(f"{_kind(node.op)} is not arithmetic")
        left, right = self._eval(node.left), self._eval(node.right)
        if _adds_percentage(node) and left != 1:
            raise ArithmeticProblem(
                "adding a percentage can mean two things; "
                'write "200 * (1 + 15%)" for 230, or "200 + 0.15" for 200.15'
            )
        return _OPERATORS[type(node.op)](left, right)


def _kind(node: ast.AST) -> str:
    return type(node).__name__


def _adds_percentage(node: ast.BinOp) -> bool:
    return (
        isinstance(node.op, ast.Add | ast.Sub)
        and _is_percentage(node.right)
        and not _is_percentage(node.left)
    )


def _is_percentage(node: ast.expr) -> bool:
    """Tell whether a part of an expression is a bare percentage, or a sum of such."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub):
        return _is_percentage(node.left) and _is_percentage(node.right)
    return (
        isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == PERCENT
    )


def _exact(literal: str) -> Fraction:
    """Return the number a decimal literal stands for, without binary rounding."""
    try:
        number = Decimal(literal)
    except InvalidOperation:
        raise too_large() from None
    if abs(number.adjusted()) > MAX_DIGITS:
        raise too_large()
    return Fraction(number)


def _bounded(value: Any) -> Any:
    """Let a result through if it is a real number of a bearable size."""
    if isinstance(value, complex):
        raise ArithmeticProblem("it has no real value")
    if isinstance(value, float):
        if math.isnan(value):
            raise ArithmeticProblem("it has no value")
        if math.isinf(value):
            raise too_large()
    elif _bits(value) > _MAX_BITS:
        raise too_large()
    return value


def _bits(value: int | Fraction) -> int:
    return max(value.numerator.bit_length(), value.denominator.bit_length())


def _bounding(operate: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    return lambda left, right: _bounded(operate(left, right))


def _divide(left: Number, right: Number) -> Number:
    if isinstance(left, float) or isinstance(right, float):
        return left / right
    return Fraction(left) / right


def _power(base: Number, exponent: Number) -> Any:
    """Raise to a power: exactly if both are exact and the exponent is whole."""
    if isinstance(base, float) or isinstance(exponent, float) or exponent.denominator != 1:
        return float(base) ** float(exponent)
    times = int(exponent)
    if abs(base) == 1:
        times %= 2
    if abs(times) * (_bits(base) - 1) > _MAX_BITS:
        raise too_large()
    return Fraction(base) ** times


_OPERATORS: dict[type[ast.AST], Callable[..., Any]] = {
    ast.Add: _bounding(lambda a, b: a + b),
    ast.Sub: _bounding(lambda a, b: a - b),
    ast.Mult: _bounding(lambda a, b: a * b),
    ast.Div: _bounding(_divide),
    ast.FloorDiv: _bounding(lambda a, b: a // b),
    ast.Mod: _bounding(lambda a, b: a % b),
    ast.Pow: _bounding(_power),
    ast.USub: lambda a: -a,
    ast.UAdd: lambda a: +a,
    ast.Eq: lambda a, b: a == b,
    ast.NotEq: lambda a, b: a != b,
    ast.Lt: lambda a, b: a < b,
    ast.LtE: lambda a, b: a <= b,
    ast.Gt: lambda a, b: a > b,
    ast.GtE: lambda a, b: a >= b,
}

_CONSTANTS: dict[str, float] = {"pi": math.pi, "e": math.e, "tau": math.tau}


def _whole(value: Number, most: int | None = None) -> int:
    if value != int(value):
        raise ValueError("needs whole numbers")
    if most is not None and value > most:
        raise ValueError(f"takes at most {most:,}")
    return int(value)


def _on_whole(function: Callable[..., int], most: int | None = None) -> Callable[..., int]:
    return lambda *values: function(*(_whole(value, most) for value in values))


def _round(value: Number, digits: Number = 0) -> Number:
    """Round half away from zero, as people do, where Python rounds half to even."""
    places = _whole(digits)
    if abs(places) > MAX_DIGITS:
        raise ValueError(f"takes at most {MAX_DIGITS:,} digits")
    scale = Fraction(10) ** places
    exact = Fraction(repr(value)) if isinstance(value, float) else Fraction(value)
    rounded = math.floor(abs(exact) * scale + Fraction(1, 2)) / scale
    return -rounded if value < 0 else rounded


def _sqrt(value: Number) -> Number:
    """Return the square root, exact where it is rational."""
    if value < 0:
        raise ValueError("a negative number has no real root")
    if isinstance(value, float):
        return math.sqrt(value)
    root = Fraction(math.isqrt(value.numerator), math.isqrt(value.denominator))
    return root if root * root == value else math.sqrt(value)


def _log(value: Number, base: Number = math.e) -> float:
    if value <= 0 or base <= 0:
        raise ValueError("only positive numbers have a logarithm")
    if base == math.e:
        return _log_of_exact(value, math.log)
    if base in (2, 10):
        return _log_of_exact(value, math.log2 if base == 2 else math.log10)
    return _log_of_exact(value, math.log) / _log_of_exact(base, math.log)


def _log_of_exact(value: Number, log: Callable[[int | float], float]) -> float:
    """Take the logarithm of a number that may be far outside the range of floats."""
    if isinstance(value, Fraction):
        return log(value.numerator) - log(value.denominator)
    return log(value)


def _sum(*values: Number) -> Number:
    return sum(values)


def _mean(*values: Number) -> Number:
    if not values:
        raise ValueError("needs at least one number")
    return _divide(sum(values), len(values))


_FUNCTIONS: dict[str, Callable[..., Any]] = {
    PERCENT: lambda value: _divide(value, 100),
    "abs": abs,
    "round": _round,
    "floor": math.floor,
    "ceil": math.ceil,
    "trunc": math.trunc,
    "min": lambda *values: min(values),
    "max": lambda *values: max(values),
    "sum": _sum,
    "mean": _mean,
    "sqrt": _sqrt,
    "cbrt": math.cbrt,
    "exp": math.exp,
    "ln": _log,
    "log": _log,
    "log2": lambda value: _log(value, 2),
    "log10": lambda value: _log(value, 10),
    "factorial": _on_whole(math.factorial, most=1_500),
    "comb": _on_whole(math.comb, most=10_000),
    "perm": _on_whole(math.perm, most=10_000),
    "gcd": _on_whole(math.gcd),
    "lcm": _on_whole(math.lcm),
    "mod": lambda a, b: a % b,
    "hypot": math.hypot,
    "sin": math.sin,
    "cos": math.cos,
    "tan": math.tan,
    "asin": math.asin,
    "acos": math.acos,
    "atan": math.atan,
    "atan2": math.atan2,
    "sinh": math.sinh,
    "cosh": math.cosh,
    "tanh": math.tanh,
    "degrees": math.degrees,
    "radians": math.radians,
}


def _unknown(name: str) -> ToolError:
    known = sorted({*_FUNCTIONS, *_CONSTANTS} - {PERCENT})
    close = nearest(name, known)
    offer = f" Did you mean {close!r}?" if close else ""
    return ToolError(f"{name!r} is not known.{offer}", hint=f"Known are: {', '.join(known)}.")


def too_large() -> ToolError:
    """Return the error for numbers out of bounds."""
    return ToolError(
        f"A number on the way has more than {MAX_DIGITS:,} digits, or is too large for a function.",
        hint="Calculate with smaller numbers, or with logarithms.",
    )
