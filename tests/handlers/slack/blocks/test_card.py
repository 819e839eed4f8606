from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.remediation import Healing, Plan, Precondition
from agents.tool import Risk
from handlers.slack.blocks.card import Card, card
from handlers.slack.blocks.exact_plan import exact_plan
from handlers.slack.blocks.message import Message
from store.incidents.approvals import Approval, ApprovalState
from tests.handlers.slack.blocks.examples import (
    a_plan,
    action_ids,
    an_approval,
    assert_sound,
    at,
    decided,
    links,
    words,
)

PEOPLE = {"u1": "U0MIA"}


def a_card(approval: Approval, plan: Plan | None = None, **changes: Any) -> Card:
    return Card(approval=approval, plan=plan or a_plan(), people=PEOPLE, **changes)


def test_the_open_card_holds_what_a_decision_needs_in_few_lines() -> None:
    message = card(a_card(an_approval()))
    assert message.text == "Approve? Roll back checkout to 9c01be. Medium risk."
    assert message.blocks[0]["type"] == "section"
    assert words(message).splitlines()[:5] == [
        "*Roll back checkout to 9c01be*",
        "*Why* 4f2a91 cut the DB pool from 50 to 5 (high confidence).",
        (
            "*Risk* medium: a restart of about 2 s each. *1 other commit would be lost.*"
            " *Migrations lie in between: 0007_add_index.sql.*"
        ),
        "*Undo* deploy 4f2a91 again, possible until 13 Nov 02:49.",
        "*Healed when* checkout errors below 1% for 3 min, within 4 min 46 s.",
    ]
    assert "Asked by <@U0RAJ>. May approve: Members and admins. Open until 13 Nov 02:49." in words(message)
    assert "shopctl" not in words(message)
    assert_sound(message)


def test_the_whole_plan_is_one_click_away() -> None:
    shown = Message(
        text="x", blocks=tuple(exact_plan(a_card(an_approval(), links={"A3": "https://prometheus.example.com/graph"})))
    )
    said = words(shown)
    for part in (
        "shopctl rollback checkout --to 9c01be",
        "*Action*\nrollback (service=checkout, version=9c01be)",
        "*Target*\ncheckout, production",
        "4f2a91 → 9c01be (<https://git.example.com/shop/compare/9c01be...4f2a91|diff>)",
        "*Evidence* <https://prometheus.example.com/graph|A3>, A5",
        "2 instances, interruption: a restart of about 2 s each",
        "other commits lost: b77e01 Log the cart's size",
        "migrations in between: *0007_add_index.sql*",
        "holds: checkout runs 4f2a91 (read 02:49:05)",
        "checkout errors: 9% when this was planned. Healed below 1% for 3 min, within 4 min 46 s;",
        "above 12% it made things worse.",
        "Read 02:49:05, fresh until 03:04:05. Plan 0123456789ab.",
    ):
        assert part in said, part
    assert_sound(shown)


def test_the_buttons_bind_the_click_to_the_plan_that_was_shown() -> None:
    message = card(a_card(an_approval()))
    assert action_ids(message) == ["approve", "change_scope", "reject", "exact_plan"]
    buttons = next(block for block in message.blocks if block["type"] == "actions")["elements"]
    assert buttons[0]["text"]["text"] == "Roll back checkout to 9c01be"
    assert {button["value"] for button in buttons[:3]} == {"0198c0de-0000-7000-8000-000000000001:0123456789ab"}


def test_a_plan_that_was_read_again_says_so_and_asks_anew() -> None:
    message = card(a_card(an_approval(preview_read_at=at(1_200))))
    assert "The target was read again 03:09:00: this is a new plan, nothing was applied." in words(message)
    assert action_ids(message)[:3] == ["approve", "change_scope", "reject"]


def test_what_does_not_hold_stands_on_the_card() -> None:
    broken = (Precondition(text="checkout is stable", holds=False, read_at=at(5)),)
    assert "*Does not hold* checkout is stable." in words(card(a_card(an_approval(), a_plan(preconditions=broken))))


@pytest.mark.parametrize(
    ("approval", "line"),
    [
        (
            decided(ApprovalState.VERIFYING),
            "Approved by <@U0MIA> 02:49:10, applied 02:49:14, checking until 02:54.",
        ),
        (decided(ApprovalState.APPLIED), "Approved by <@U0MIA> 02:49:10, applied 02:49:14, checking until 02:54."),
        (
            decided(ApprovalState.APPROVED, applied_at=None),
            "Approved by <@U0MIA> 02:49:10. Checking the target again before it is applied.",
        ),
        (decided(ApprovalState.APPLYING, applied_at=None), "Approved by <@U0MIA> 02:49:10, applying now."),
        (decided(ApprovalState.HEALED), "Approved by <@U0MIA> 02:49:10, applied 02:49:14, *healed* 02:53."),
        (decided(ApprovalState.DONE), "applied 02:49:14, *done* 02:53."),
        (decided(ApprovalState.NOT_HEALED), "applied 02:49:14, *not healed* 02:53."),
        (
            decided(ApprovalState.UNKNOWN, applied_at=None),
            "*unknown* whether it was applied. It will not be tried again.",
        ),
        (decided(ApprovalState.UNKNOWN), "applied 02:49:14, *unknown* whether it healed."),
        (decided(ApprovalState.FAILED, applied_at=None), "*failed* 02:53. It will not be tried again."),
        (
            decided(ApprovalState.REJECTED, decision="rejected", applied_at=None),
            "Rejected by <@U0MIA> 02:49:10. Nothing was applied.",
        ),
        (an_approval(ApprovalState.EXPIRED), "Nobody answered within 24 h. Nothing was applied."),
        (an_approval(ApprovalState.SUPERSEDED), "Replaced by a newer proposal. Nothing was applied."),
        (an_approval(ApprovalState.CANCELLED), "Withdrawn. Nothing was applied."),
    ],
)
def test_after_the_decision_the_card_says_what_became_of_it(approval: Approval, line: str) -> None:
    message = card(a_card(approval))
    assert line in words(message)
    assert action_ids(message) == ["exact_plan"]
    assert "denied" not in words(message)
    assert "<@" not in message.text
    assert_sound(message)


def test_every_state_can_be_shown() -> None:
    for state in ApprovalState:
        assert_sound(card(a_card(an_approval(state))))


def test_high_risk_names_who_may_approve() -> None:
    assert "Admins, not the requester" in words(card(a_card(an_approval(), a_plan(risk=Risk.HIGH))))


def test_broken_preconditions_past_the_tenth_are_counted() -> None:
    many = tuple(Precondition(text=f"p{n}", holds=n != 11, read_at=at(5)) for n in range(12))
    shown = exact_plan(a_card(an_approval(), a_plan(preconditions=many)))
    assert "2 more, *1 of them do not hold*" in words(Message(text="x", blocks=tuple(shown)))


TEXT = st.text(max_size=300)
TEXTS = st.lists(TEXT, max_size=15).map(tuple)
NUMBER = st.floats()
PLAN = st.builds(
    a_plan,
    remediation=TEXT,
    title=TEXT,
    button=TEXT,
    action=TEXT,
    parameters=st.dictionaries(TEXT, TEXT, max_size=8),
    argv=st.lists(st.text(max_size=2_000), max_size=6).map(tuple),
    target=TEXT,
    environment=TEXT,
    from_version=TEXT,
    to_version=st.none() | TEXT,
    diff_link=st.none() | TEXT | st.just("https://git.example.com/x"),
    diff_paths=TEXTS,
    commits_lost=TEXTS,
    migrations=TEXTS,
    instances=st.integers(),
    interruption=TEXT,
    undo=TEXT,
    preconditions=st.lists(st.builds(Precondition, text=TEXT, holds=st.booleans(), read_at=st.just(at(5)))).map(tuple),
    healing=st.none()
    | st.builds(
        Healing,
        service=TEXT,
        indicator=TEXT,
        unit=st.sampled_from(["ratio", "seconds", "count", "bytes", "per_second"]),
        before=NUMBER,
        threshold=NUMBER,
        worse_than=NUMBER,
        hold_s=NUMBER,
        window_s=NUMBER,
    ),
    cause=TEXT,
    evidence=TEXTS,
    requested_by=TEXT,
)


@settings(max_examples=60, deadline=None)
@given(PLAN, st.sampled_from(ApprovalState))
def test_no_plan_makes_an_unsound_card(plan: Plan, state: ApprovalState) -> None:
    whole = Message(text="x", blocks=tuple(exact_plan(a_card(decided(state), plan))))
    for message in (card(a_card(decided(state), plan)), whole):
        assert_sound(message)
        assert links(message) <= {"https://git.example.com/x"}


def test_what_the_policy_decided_says_so_and_whose_policy_it_is() -> None:
    view = Card(approval=decided(ApprovalState.HEALED, decision="automatic", risk="low"), plan=a_plan(), people=PEOPLE)
    message = card(view)
    assert "Approved automatically 02:49:10 (low risk, as allowed by <@U0MIA>)" in words(message)
    assert "<@" not in message.text
