"""What a call may use at most, and what is left for the next ones."""

from collections.abc import Iterable
from decimal import ROUND_CEILING, Decimal
from typing import Any

from treadle.core.calls import CAPS, Call, ModelLimits
from treadle.core.headroom import Headroom
from treadle.core.usage import Price
from treadle.runtime.budget._account import Account, AccountUsage
from treadle.runtime.budget._amounts import UNITS, Amounts
from treadle.runtime.budget._bound import Bound, text_tokens
from treadle.runtime.budget._ledger import EXACT, Wanted

ANSWER_TOKENS = 16_384
"""How long an answer may be where neither the model's profile nor the budget says less."""

LEAST_ANSWER_TOKENS = 64
"""An answer that could not be longer than this is not asked for, but where a limit is lower yet."""

_ONE_CALL = Amounts(model_calls=1)


def tool_wanted() -> Wanted:
    """Return what a call of a tool uses."""
    return Wanted(Amounts(tool_calls=1))


def embedding_wanted(call: Call) -> tuple[Wanted, str]:
    """Return what making vectors may use at most, and why that has no bound where it has none."""
    limits = call.limits or ModelLimits()
    price = limits.price
    sent = text_tokens(call.request["input"]) * limits.attempts
    usd = None if price is None else _nano_usd(price, sent, 0)
    why = "" if price else f"The price of {call.name!r} is not known."
    return Wanted(Amounts(0, 0, sent, 0, sent, usd)), why


def least_answer(accounts: Iterable[Account]) -> int:
    """Return the tokens that an answer must be allowed to be asked for."""
    limits = (account.limits.output_tokens for account in accounts if account.limits)
    return min([LEAST_ANSWER_TOKENS, *(limit for limit in limits if limit is not None)])


def wanted_for(call: Call, bound: Bound, least: int) -> tuple[Wanted, str]:
    """Return what a model call may use at most, and why that has no bound where it has none.

    Args:
        call: the call.
        bound: how long its request is at most.
        least: how many tokens its answer must be allowed.
    """
    limits = call.limits or ModelLimits()
    options = call.request.get("options", {})
    output, why = _answer(limits, options)
    price = limits.price
    why = bound.why or why or ("" if price else f"The price of {call.name!r} is not known.")
    sent = bound.tokens
    if limits.caps_output and output is not None:
        pico = _pico_usd(price)
        most = min(output, EXACT // pico if pico else output)
        usd = None if price is None or sent is None else _nano_usd(price, sent, 0)
        fixed = Amounts(1, 0, sent, 0, sent, usd)
        return Wanted(fixed, most, min(least, most), pico), why
    total = None if sent is None or output is None else sent + output
    usd = None
    if price is not None and sent is not None and (output is not None or not _output(price)):
        usd = _nano_usd(price, sent, output or 0)
    times = limits.attempts
    many = (None if n is None else n * times for n in (sent, output, total, usd))
    return Wanted(Amounts(1, 0, *many)), why


def _answer(limits: ModelLimits, options: Any) -> tuple[int | None, str]:
    """Return how long the answer may be as things are, or ``None`` and why nobody can tell."""
    if options.get("n") not in {None, 1}:
        return None, "Several answers are asked for at once."
    asked = [options[name] for name in CAPS if isinstance(options.get(name), int)]
    known = [*asked, *([limits.max_output_tokens] if limits.max_output_tokens else [])]
    if known:
        return min(known), ""
    if limits.caps_output:
        return ANSWER_TOKENS, ""
    return None, "Nothing limits its answer: set 'max_output_tokens' in the model's profile."


def headroom_of(
    accounts: Iterable[tuple[str, AccountUsage]],
    last: tuple[Amounts, Amounts] | None,
    under_way: Amounts,
) -> Headroom | None:
    """Return what is left of the scarcest unit.

    Args:
        accounts: titles, and how they stand.
        last: what the last model call used, and what it needed reserved at least.
        under_way: what is reserved for calls being made, most of which will be given back: it is
            not there for a call made now, and yet it is not used.
    """
    used, needed = last or (_ONE_CALL, _ONE_CALL)
    for_one, for_two = needed, used.plus(needed)
    found = []
    for title, state in accounts:
        taken = state.spent.plus(state.reserved)
        lasting = taken.plus(under_way, -1)
        for place, unit in enumerate(UNITS):
            limit = state.limits[place]
            if limit is None or unit == "tool_calls":
                continue
            left = limit - (taken[place] or 0)
            few = 0 if left < (for_one[place] or 0) else 1 if left < (for_two[place] or 0) else None
            found.append(_left(title, unit, limit, max(lasting[place] or 0, 0), few))
    few_left = [one for one in found if one.model_calls is not None]
    return min(few_left, key=lambda one: (one.model_calls, -one.used), default=None) or max(
        found, key=lambda one: one.used, default=None
    )


def _left(title: str, unit: str, limit: int, used: int, calls: int | None) -> Headroom:
    whole = Amounts(*(limit if name == unit else 0 for name in UNITS)).shown(unit)
    share = used / limit if limit else 1.0
    about = f"{share:.0%} of the {title}'s {whole} are used"
    if calls is not None:  # A share would not tell why: one call may be all there is.
        about = f"the {title} has a budget of {whole}"
    return Headroom(unit, min(share, 1.0), calls, about)


def _output(price: Price) -> Decimal:
    return price.output_per_million_usd


def _pico_usd(price: Price | None) -> int:
    """Return the price of one token of an answer in 10**-12 US dollars, rounded up."""
    return 0 if price is None else _up(_output(price) * 1_000_000)


def _nano_usd(price: Price, sent: int, received: int) -> int:
    """Return what tokens cost at most; nobody knows yet which of them the provider has cached."""
    cached = price.cached_input_per_million_usd
    dearest = max(price.input_per_million_usd, Decimal(0) if cached is None else cached)
    return _up((sent * dearest + received * _output(price)) * 1_000)


def _up(number: Decimal) -> int:
    return int(number.to_integral_value(ROUND_CEILING))
