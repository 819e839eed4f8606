"""What a tenant wants done, read, written and applied."""

from datetime import UTC, datetime

import pytest

from agents.alerting.rules import About, BadRule, Policy, decide, parse_rule, read_policy
from agents.webhooks import Severity

NIGHT = datetime(2026, 5, 2, 23, 0, tzinfo=UTC)  # a Saturday


def about(severity: Severity = "critical", **more: object) -> About:
    given = {
        "services": frozenset({"cart"}),
        "environment": "prod",
        "providers": frozenset({"am"}),
        "names": frozenset({"DiskFull"}),
    }
    return About(severity=severity, **{**given, **more})  # type: ignore[arg-type] # as the test says


@pytest.mark.parametrize(
    ("severity", "action"),
    [
        ("critical", "investigate"),
        ("high", "investigate"),
        ("unknown", "investigate"),
        ("warning", "offer"),
        ("info", "ignore"),
    ],
)
def test_without_a_rule_the_severity_decides(severity: Severity, action: str) -> None:
    assert decide(Policy(), about(severity), NIGHT, spent=0) == action


def test_the_budget_turns_an_investigation_into_an_offer() -> None:
    assert decide(Policy(budget=3), about(), NIGHT, spent=2) == "investigate"
    assert decide(Policy(budget=3), about(), NIGHT, spent=3) == "offer"


@pytest.mark.parametrize(
    ("rule", "fits"),
    [
        ("ignore service=cart", True),
        ("ignore service=pay", False),
        ("ignore name=disk", True),
        ("ignore environment=staging", False),
        ("ignore provider=am,github severity=critical", True),
        ("ignore hours=22-06", True),
        ("ignore hours=08-18", False),
        ("ignore hours=00-03 zone=Europe/Berlin", True),
        ("ignore days=sat,sun", True),
        ("ignore days=sun zone=Asia/Tokyo", True),
        ("ignore days=mon", False),
    ],
)
def test_a_rule_fits_by_all_of_its_conditions(rule: str, *, fits: bool) -> None:
    policy = Policy(rules=(parse_rule(rule.split()),))
    assert (decide(policy, about(), NIGHT, spent=0) == "ignore") is fits


def test_the_first_rule_that_fits_decides_and_rules_can_be_stored() -> None:
    rules = (parse_rule(["offer", "service=cart"]), parse_rule(["ignore"]))
    policy = read_policy(Policy(rules=rules, channel="C1", labels=("a",)).as_json())
    assert policy.rules == rules
    assert decide(policy, about(), NIGHT, spent=0) == "offer"
    assert rules[0].words() == "offer service=cart"
    assert read_policy({"rules": [{"action": "ignore", "hours": [99, 1]}, "odd"], "budget": "many"}) == Policy()


@pytest.mark.parametrize(
    "words",
    [
        "",
        "explode",
        "ignore service",
        "ignore colour=red",
        "ignore severity=blue",
        "ignore hours=9",
        "ignore hours=9-99",
        "ignore days=someday",
        "ignore zone=Moon",
    ],
)
def test_a_bad_rule_says_what_is_accepted(words: str) -> None:
    with pytest.raises(BadRule):
        parse_rule(words.split())


def test_what_github_finds_in_code_is_offered() -> None:
    assert decide(Policy(), about(providers=frozenset({"github"})), NIGHT, spent=0) == "offer"
