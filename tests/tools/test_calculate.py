import math
import time
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treadle.core.calls import Effect
from treadle.core.errors import ToolError
from treadle.core.settings import Settings
from treadle.tools import ToolContext, build_tool
from treadle.tools.calculate import calculate

SECONDS_FOR_ANYTHING = 2.0


@pytest.mark.parametrize(
    ("expression", "answer"),
    [
        ("2 + 2 * 3", "2 + 2 * 3 = 8"),
        ("0.1 + 0.2", "0.1 + 0.2 = 0.3"),
        ("2^10", "2**10 = 1024"),
        ("2 ** -2", "2 ** -2 = 0.25"),
        ("7 // 2 + 7 % 4", "7 // 2 + 7 % 4 = 6"),
        ("3 × 4 ÷ 2 − 1", "3 * 4 / 2 - 1 = 5"),  # noqa: RUF001
        ("1/3", "1/3 ≈ 0.333333333333333"),
        ("(1/3) * 3", "(1/3) * 3 = 1"),
        ("-1/8", "-1/8 = -0.125"),
        ("2 + 2 = ?", "2 + 2 = 4"),
        ("1.0000000000000000001 * 3", "1.0000000000000000001 * 3 = 3.0000000000000000003"),
        ("0.1 + 0.2 == 0.3", "0.1 + 0.2 == 0.3 is true"),
        ("2^100 < 3^60", "2**100 < 3**60 is false"),
        ("factorial(20)", "factorial(20) = 2432902008176640000"),
        ("comb(52, 5)", "comb(52, 5) = 2598960"),
        ("round(2.5) + round(2.675, 2)", "round(2.5) + round(2.675, 2) = 5.68"),
        ("round(-2.5)", "round(-2.5) = -3"),
        ("sqrt(16/9) * 3", "sqrt(16/9) * 3 = 4"),
        ("mean(1, 2, 3, 4)", "mean(1, 2, 3, 4) = 2.5"),
        ("log(8, 2)", "log(8, 2) ≈ 3"),
        ("log10(10^3000)", "log10(10**3000) ≈ 3000"),
        ("hypot(3, 4)", "hypot(3, 4) ≈ 5"),
    ],
)
def test_it_computes_what_people_write(expression, answer):
    assert calculate(expression) == answer


@pytest.mark.parametrize(
    ("expression", "answer"),
    [
        ("15% of 240", "15% of 240 = 36"),
        ("15 % of 240 + 1", "15% of 240 + 1 = 37"),
        ("240 * 12.5%", "240 * 12.5% = 30"),
        ("100% - 15%", "100% - 15% = 0.85"),
        ("200 * (1 + 15%)", "200 * (1 + 15%) = 230"),
        ("10 % 4", "10 % 4 = 2"),
    ],
)
def test_a_percentage_is_told_from_a_remainder(expression, answer):
    assert calculate(expression) == answer


def test_adding_a_percentage_is_refused_since_it_can_mean_two_things():
    with pytest.raises(ToolError, match="two things"):
        calculate("200 + 15%")


@pytest.mark.parametrize(
    ("expression", "answer"),
    [
        ("1,234,567.89 * 2", "1234567.89 * 2 = 2469135.78"),
        ("max(1,234)", "max(1,234) = 234"),
        ("max((1,234) * 2, 3)", "max((1234) * 2, 3) = 2468"),
        ("1_000 + 1", "1_000 + 1 = 1001"),
    ],
)
def test_thousands_separators_are_told_from_arguments(expression, answer):
    assert calculate(expression) == answer


@pytest.mark.parametrize(
    ("expression", "told"),
    [
        ("", "is empty"),
        ("  ", "is empty"),
        ("1/0", "divides by zero"),
        ("0 ** -1", "divides by zero"),
        ("sqr(4)", "Did you mean 'sqrt'?"),
        ("sqrt", "write sqrt"),
        ("sqrt(-1)", "no real root"),
        ("(-8) ^ 0.5", "no real value"),
        ("log(0)", "only positive numbers"),
        ("2(3 + 4)", "needs its sign"),
        ("2pi", "not complete arithmetic"),
        ("2 +", "not complete arithmetic"),
        ("max(1,200, 1,500)", "several arguments"),
        ("1.234,56", "a comma separates"),
        ("sum([1, 2])", "means nothing here"),
        ("mean()", "at least one number"),
        ("round(1, ndigits=2)", "without names"),
        ("comb(2.5, 1)", "whole numbers"),
        ("1j", "not a real number"),
        ("$5 * 2", r"'\$' means nothing"),
        ("1 if 2 else 3", "'if' is not arithmetic"),
        ("True + 1", "'True' is not arithmetic"),
        ("__import__('os').system('id')", "means nothing here"),
        ("pi.real", "Attribute is not arithmetic"),
        ("().__class__", "Attribute is not arithmetic"),
        ("open(1)", "not known"),
        ("1; 2", "means nothing here"),
    ],
)
def test_what_it_cannot_compute_is_said_in_words(expression, told):
    with pytest.raises(ToolError, match=told):
        calculate(expression)


@pytest.mark.parametrize(
    "bomb",
    [
        "9**9**9",
        "9^9^9^9",
        "10^100000",
        "0.5^(10^9)",
        "factorial(10^9)",
        "factorial(factorial(20))",
        "perm(10000, 10000)",
        "1e999999999",
        "1e-999999999",
        "1" * 1_001,
        "-" * 900 + "1",
        "(" * 400 + "1" + ")" * 400,
        "9**4000*" * 50 + "9**4000",
        "exp(1000)",
        "1e308**1.5",
        "1e-308**-1.5",
        "round(1, 10^9)",
        "lcm(" + ",".join(f"{10**9 + k}" for k in range(80)) + ",10^3000,3^3000)",
    ],
)
def test_a_bomb_is_refused_at_once(bomb):
    started = time.perf_counter()
    with pytest.raises(ToolError):
        calculate(bomb)
    assert time.perf_counter() - started < SECONDS_FOR_ANYTHING


def test_numbers_up_to_the_limit_are_computed_and_written_in_full():
    assert calculate("10^3999").endswith("= 1" + "0" * 3999)
    assert calculate("2^-13000").endswith("≈ 4.07433156213452E-3914")


@given(st.fractions(max_denominator=10**6), st.fractions(max_denominator=10**6))
def test_sums_of_fractions_are_exact(left, right):
    claim = f"({left.numerator}/{left.denominator}) + ({right.numerator}/{right.denominator})"
    total = left + right
    assert calculate(f"{claim} == ({total.numerator}/{total.denominator})").endswith("is true")


@given(st.integers(-(10**12), 10**12), st.integers(0, 12))
def test_what_is_written_in_full_is_the_value(whole, places):
    answer = calculate(f"({whole}) / 10^{places}").rpartition(" = ")[2]
    assert Fraction(answer) == Fraction(whole, 10**places)


@given(st.integers(0, 10**15))
def test_thousands_separators_change_nothing(number):
    assert calculate(f"{number:,} + 0").rpartition(" = ")[2] == str(number)


@given(st.floats(-700, 700))
def test_functions_agree_with_the_mathematics_library(x):
    answer = float(calculate(f"exp({x!r})").rpartition(" ≈ ")[2])
    assert math.isclose(answer, math.exp(x), rel_tol=1e-13)


ARITHMETIC = st.text(alphabet="0123456789.,+-*/^%()<>=! epimaxsqrtofund", max_size=60)


@given(ARITHMETIC | st.text(max_size=60))
def test_anything_else_is_an_answer_or_a_tool_error(expression):
    started = time.perf_counter()
    try:
        told = calculate(expression)
    except ToolError as error:
        told = error.message
    assert told
    assert time.perf_counter() - started < SECONDS_FOR_ANYTHING


async def test_the_shipped_tool_tells_the_model_what_went_wrong():
    tool = build_tool("calculate", ToolContext(Path(), Settings(), None))
    assert await tool.ainvoke({"expression": "6 * 7"}) == "6 * 7 = 42"
    assert "divides by zero" in await tool.ainvoke({"expression": "1/0"})
    assert tool.effect is Effect.READ
