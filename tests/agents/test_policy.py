"""A policy: which rule decides on a call, and what is said of a wrong one."""

import math
from datetime import date, timedelta
from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treadle.agents import Agent, Decision, Rule, first_rule
from treadle.core.calls import Effect
from treadle.core.errors import ConfigError

FILE = """\
policy:
  - tool: send_mail
    when: {to: "*@example.com"}
    then: allow
  - tool: "send_*"
    then: ask
    expires: 1h
  - tool: pay
    when: {amount: {max: 100}, account.currency: EUR}
    then: allow
  - tool: "*"
    effect: once
    then: ask
"""


def read(tmp_path, text):
    path = tmp_path / "mailer.yaml"
    path.write_text(text)
    return Agent.from_file(path)


def decided(policy, tool, effect=Effect.ONCE, **arguments):
    rule = first_rule(policy, tool, effect, arguments)
    return None if rule is None else str(rule.then)


def fits(condition, value, then="ask"):
    return first_rule([Rule(when={"a": condition}, then=then)], "t", Effect.READ, {"a": value})


def test_the_first_rule_that_fits_decides(tmp_path):
    policy = read(tmp_path, FILE).policy
    assert decided(policy, "send_mail", to="ada@example.com") == "allow"
    assert decided(policy, "send_mail", to="ada@example.org") == "ask"
    assert decided(policy, "send_mail") == "ask"
    assert decided(policy, "send_fax", to="ada@example.com") == "ask"
    assert decided(policy, "pay", amount=100, account={"currency": "EUR"}) == "allow"
    assert decided(policy, "pay", amount=100.01, account={"currency": "EUR"}) == "ask"
    assert decided(policy, "pay", amount=1, account={"currency": "USD"}) == "ask"
    assert decided(policy, "pay", amount=1, account="EUR") == "ask"
    assert decided(policy, "look_up", Effect.READ) is None
    assert [rule.expires for rule in policy[:2]] == [timedelta(days=1), timedelta(hours=1)]


@pytest.mark.parametrize(
    ("path", "value", "allowed", "asked"),
    [
        ("a.to", [{"to": "x@in"}, {"to": "y@in"}], True, True),
        ("a.to", [{"to": "x@in"}, {"to": "y@out"}], False, True),
        ("a.to", [{"to": "x@in"}, {"cc": "y@in"}], False, True),
        ("a.to", [{"to": "x@out"}, "x@in"], False, False),
        ("a.to", [[{"to": "x@in"}], [{"to": ["y@in", "z@out"]}]], False, True),
        ("a.0.to", [{"to": "x@in"}, {"to": "y@out"}], True, True),
        ("a.1.to", [{"to": "x@in"}, {"to": "y@out"}], False, False),
        ("a.2.to", [{"to": "x@in"}], False, False),
        ("a.to", [], False, False),
    ],
)
def test_a_path_leads_through_a_list_of_objects(path, value, allowed, asked):
    for then, expected in (("allow", allowed), ("ask", asked)):
        rule = Rule(when={path: "*@in"}, then=then)
        found = first_rule([rule], "t", Effect.READ, {"a": value})
        assert (found is not None) is expected, then


def test_a_policy_survives_a_journal(tmp_path):
    agent = read(tmp_path, FILE)
    again = Agent.model_validate(agent.model_dump(mode="json"))
    assert again == agent
    assert again.model_dump_json() == agent.model_dump_json()


@pytest.mark.parametrize(
    ("text", "line", "expected"),
    [
        ("policy:\n  - tool: x\n", 2, "then"),
        ("policy:\n  - tol: x\n    then: ask\n", 2, "Did you mean 'tool'"),
        ("policy:\n  - tool: x\n    then: maybe\n", 3, "'allow', 'ask' or 'deny'"),
        ("policy:\n  - tool: x\n    effect: twice\n    then: ask\n", 3, "'read', 'keyed', 'once'"),
        ("policy:\n  - then: ask\n    expires: soon\n", 3, "such as 30s, 15m, 1h or 2d"),
        ("policy:\n  - then: ask\n    expires: 0s\n", 3, "greater than"),
        ("policy:\n  - then: ask\n    expires: 31d\n", 3, "less than"),
        ("policy:\n  - then: deny\n    expires: 1h\n", 2, "only a rule that asks"),
        ("policy:\n  - then: ask\n    when:\n      a: {most: 3}\n", 4, "bounds are"),
        ("policy:\n  - then: ask\n    when:\n      a: {max: x}\n", 4, "'x' is none"),
        ("policy:\n  - then: ask\n    when:\n      a: {min: 2, max: 1}\n", 4, "above the largest"),
        ("policy:\n  - then: ask\n    when:\n      a: [1, 2]\n", 4, "a condition is a text"),
        ("policy:\n  - then: ask\n    when: 3\n", 3, "valid dictionary|valid mapping"),
        ("policy: {tool: x}\n", 1, "valid list"),
    ],
)
def test_a_wrong_rule_is_named_with_its_line(tmp_path, text, line, expected):
    with pytest.raises(ConfigError, match=expected) as error:
        read(tmp_path, text)
    assert error.value.line == line


@pytest.mark.parametrize(
    ("condition", "value", "expected"),
    [
        ("a*", "abc", True),
        ("a*", "xabc", False),
        ("a", 1, False),
        ("5", 5, False),
        (5, 5.0, True),
        (5, "5", True),
        (5, "five", False),
        (True, True, True),
        (True, "true", True),
        (True, "no", False),
        (False, None, False),
        (None, None, True),
        (None, "", False),
        ({"min": 1}, 1, True),
        ({"min": 1}, "0.5", False),
        ({"max": 3}, "1e400", False),
        ({"max": 3}, 10**400, False),
        ({"min": 3}, 10**400, True),
        ({"max": 3}, [1, 2], True),
        ("2026-*", date(2026, 1, 1), True),
        ("*", [], False),
    ],
)
def test_conditions_compare_as_a_tool_would_read_the_argument(condition, value, expected):
    assert (fits(condition, value) is not None) is expected


def test_doubt_never_allows_and_never_lets_pass():
    assert fits("*@example.com", ["ada@example.com", "eve@evil.org"], "allow") is None
    assert fits("*@example.com", "eve@evil.org\n@example.com", "allow") is None
    assert fits({"max": 3}, math.nan, "allow") is None
    assert fits("*@evil.org", ["ada@example.com", "eve@evil.org"], "deny") is not None
    assert fits("*evil*", "x\nevil", "deny") is not None
    assert fits({"min": 100}, math.nan, "ask") is not None


def test_an_argument_whose_name_has_a_dot_is_not_taken_for_a_nested_one():
    rule = Rule(when={"to.address": "ok"}, then="allow")
    hidden = {"to.address": "ok", "to": {"address": "evil"}}
    assert first_rule([rule], "t", Effect.READ, hidden) is None


def test_a_place_in_a_list_is_named_by_its_number():
    rule = Rule(when={"to.1.name": "x"}, then="deny")
    assert first_rule([rule], "t", Effect.READ, {"to": [{}, {"name": "x"}]}) is rule
    assert first_rule([rule], "t", Effect.READ, {"to": [{"name": "x"}]}) is None


# Plain choices: under load, hypothesis takes slow strategies for a fault.
SCALARS = st.sampled_from(
    [None, True, False, 0, -7, 10**30, 0.5, math.nan, math.inf, "", "a", "b\n"]
)
VALUES = (
    SCALARS
    | st.lists(SCALARS, max_size=2)
    | st.dictionaries(st.sampled_from("ab0"), SCALARS, max_size=2)
    | st.lists(st.dictionaries(st.just("b"), SCALARS, max_size=1), max_size=2)
)
ARGUMENTS = st.dictionaries(st.sampled_from(["a", "b"]), VALUES)
NAMES = st.sampled_from(["", "a", "b", "ab", "a_b", "*", "?"])
CONDITIONS = (
    st.none()
    | st.booleans()
    | st.sampled_from([0, -7, 10**30, "*", "a", "?", "[ab]", "[!b]", "a*", ""])
    | st.sampled_from([{"max": 0}, {"max": -8}, {"max": 10**30}, {"min": 0}])
)
RULES = st.builds(
    Rule,
    tool=st.sampled_from(["a", "b", "ab", "a*", "*b", "?", "*", "a_?"]),
    effect=st.none() | st.sampled_from(Effect),
    when=st.dictionaries(st.sampled_from(["a", "b", "a.b", "a.0"]), CONDITIONS, max_size=2),
    then=st.sampled_from(Decision),
)


@given(st.lists(RULES, max_size=5), NAMES, st.sampled_from(Effect), ARGUMENTS)
def test_any_call_is_decided_by_the_first_rule_that_would_decide_alone(
    policy, tool, effect, arguments
):
    alone = [rule for rule in policy if first_rule([rule], tool, effect, arguments)]
    assert first_rule(policy, tool, effect, arguments) == (alone[0] if alone else None)
    for rule in alone:
        assert fnmatchcase(tool, rule.tool)
        assert rule.effect in (None, effect)
        assert all(path.split(".")[0] in arguments for path in rule.when)


@given(st.integers() | st.floats(allow_nan=False), st.integers(), st.integers())
def test_bounds_include_both_ends(value, one, other):
    low, high = min(one, other), max(one, other)
    within = fits({"min": low, "max": high}, value) is not None
    assert within == (low <= value <= high)
