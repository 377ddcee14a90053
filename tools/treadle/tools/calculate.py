"""The ``calculate`` tool: arithmetic as people write it, computed exactly where it can be."""

import keyword
import re
from datetime import timedelta
from decimal import Context, Decimal
from fractions import Fraction

from treadle.core.calls import Effect
from treadle.core.errors import ToolError
from treadle.tools._arithmetic import PERCENT, ArithmeticProblem, Number, evaluate, too_large
from treadle.tools._contract import Tool, tool
from treadle.tools._registry import ToolContext

MAX_EXPRESSION_CHARS = 1_000

_SIGNIFICANT_DIGITS = 15
_MAX_DECIMALS = 30


def build(context: ToolContext) -> Tool:
    """Make the tool; it needs nothing of the project."""
    return tool(effect=Effect.READ, time_limit=timedelta(seconds=5))(calculate)


def calculate(expression: str) -> str:
    """Compute a number exactly. Use it for every calculation instead of doing sums in your head.

    Understands + - * / // ( ), powers as ^ or **, percentages ("15% of 240"), thousands
    separators outside function arguments ("1,250.50 * 3"), comparisons (< <= > >= == !=), the
    constants pi, e and tau, and the functions abs, round(x, digits), floor, ceil, trunc, min, max,
    sum, mean, sqrt, cbrt, exp, ln, log(x, base), log2, log10, factorial, comb, perm, gcd, lcm,
    mod, hypot, sin, cos, tan, asin, acos, atan, atan2, sinh, cosh, tanh, degrees and radians.
    Angles are in radians. It knows no units, currencies, variables or dates.

    Args:
        expression: what to compute, such as "(1,250.50 - 15% of 240) / 7".
    """
    shown = _tidy(expression)
    return _format(shown, _compute(shown))


def _compute(shown: str) -> Number | bool:
    """Compute a tidied expression, with every failure told as a `ToolError`."""
    try:
        return evaluate(_to_python(shown))
    except ArithmeticProblem as problem:
        raise _cannot(shown, str(problem)) from None
    except ZeroDivisionError:
        raise ToolError(f"{shown} divides by zero.", hint="It has no value.") from None
    except OverflowError:
        raise too_large() from None
    except (RecursionError, MemoryError):
        raise ToolError("The expression is nested too deeply.", hint="Split it up.") from None
    except (SyntaxError, ValueError):
        raise _cannot(shown, "it is not complete arithmetic") from None


_SIGNS: dict[str, str | int | None] = {
    "\N{MULTIPLICATION SIGN}": "*",
    "\N{MIDDLE DOT}": "*",
    "\N{DIVISION SIGN}": "/",
    "\N{MINUS SIGN}": "-",
    "\N{EN DASH}": "-",
}
_READABLE = re.compile(r"[\w .,()+\-*/%<>=!]*", re.ASCII)
_THOUSANDS = re.compile(r"(?<![\w.,])\d{1,3}(?:,\d{3})+(?![\w,])")
_PERCENT = re.compile(r"(?<![\w.])([\d_]+\.?\d*|\.\d+) ?%(?= ?(?:of\b|[-+*/),<>=!]|$))")
_OF_A_PERCENTAGE = re.compile(r"(?<=\)) ?of\b")


def _tidy(expression: str) -> str:
    """Return the expression as it is understood, still in the writer's notation."""
    if len(expression) > MAX_EXPRESSION_CHARS:
        raise ToolError(
            f"The expression has {len(expression):,} characters; "
            f"{MAX_EXPRESSION_CHARS:,} are allowed.",
            hint="Calculate it in parts.",
        )
    text = " ".join(expression.translate(str.maketrans(_SIGNS)).split()).rstrip("=? ")
    if not text:
        raise ToolError("The expression is empty.", hint='Write one, such as "2 * (3 + 4)".')
    return _PERCENT.sub(r"\1%", _join_thousands(text.replace("^", "**")))


def _to_python(shown: str) -> str:
    """Return a tidied expression in Python's notation."""
    text = _OF_A_PERCENTAGE.sub(" *", _PERCENT.sub(rf"{PERCENT}(\1)", shown))
    readable = _READABLE.match(text)
    if readable is not None and readable.end() < len(text):
        raise ArithmeticProblem(f"{text[readable.end()]!r} means nothing here")
    for word in re.findall(r"[A-Za-z_]+", text):
        if keyword.iskeyword(word):
            raise ArithmeticProblem(f"{word!r} is not arithmetic")
    return text


def _join_thousands(text: str) -> str:
    """Take the separators out of ``1,234``, but leave the arguments of ``max(1,234)`` alone."""
    in_call = _positions_in_calls(text)

    def join(found: re.Match[str]) -> str:
        if not in_call[found.start()]:
            return found[0].replace(",", "")
        if ", " in text:
            raise _cannot(text, f"{found[0]!r} may be one number or several arguments")
        return found[0]

    return _THOUSANDS.sub(join, text)


def _positions_in_calls(text: str) -> list[bool]:
    """Say for each position whether the innermost open parenthesis belongs to a function."""
    inside: list[bool] = []
    opened: list[bool] = []
    before = ""
    for char in text:
        inside.append(bool(opened) and opened[-1])
        if char == "(":
            opened.append(before.isalnum())
        elif char == ")" and opened:
            opened.pop()
        if char != " ":
            before = char
    return inside


def _format(shown: str, value: Number | bool) -> str:
    if isinstance(value, bool):
        return f"{shown} is {'true' if value else 'false'}"
    if isinstance(value, float):
        return f"{shown} ≈ {value:.{_SIGNIFICANT_DIGITS}g}"
    exact = _decimal_digits(Fraction(value))
    return f"{shown} = {exact}" if exact else f"{shown} ≈ {_rounded(Fraction(value))}"


def _decimal_digits(value: Fraction) -> str:
    """Write a number in full; return nothing if its decimals never end, or are too many."""
    for places in range(_MAX_DECIMALS + 1):
        if 10**places % value.denominator == 0:
            digits = str(abs(value.numerator) * 10**places // value.denominator)
            digits = digits.zfill(places + 1)
            point = len(digits) - places
            sign = "-" if value < 0 else ""
            return f"{sign}{digits[:point]}.{digits[point:]}".rstrip(".")
    return ""


def _rounded(value: Fraction) -> str:
    quotient = Context(prec=_SIGNIFICANT_DIGITS).divide(
        Decimal(value.numerator), Decimal(value.denominator)
    )
    return str(quotient)


def _cannot(expression: str, problem: str) -> ToolError:
    shown = expression if len(expression) <= 100 else f"{expression[:100]}…"
    return ToolError(
        f"Cannot compute {shown!r}: {problem}.",
        hint="Correct the expression and call calculate again.",
    )
