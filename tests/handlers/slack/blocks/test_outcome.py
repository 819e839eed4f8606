from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from agents.remediation import Healing, Plan
from handlers.slack.blocks.card import Card
from handlers.slack.blocks.message import Message
from handlers.slack.blocks.outcome import came_back, outcome, undo_words
from store.ids import ApprovalId
from store.incidents.approvals import Approval, ApprovalState
from tests.handlers.slack.blocks.examples import a_plan, action_ids, an_approval, assert_sound, at, decided, words

ONSET = at(-480)


def told(approval: Approval, plan: Plan | None = None, **changes: Any) -> Message:
    message = outcome(Card(approval=approval, plan=plan or a_plan(), onset=ONSET, **changes))
    assert message is not None
    assert_sound(message)
    return message


def test_healed_tells_when_it_recovered_what_changed_and_how_long_it_lasted() -> None:
    readings = [{"at": at(n).timestamp(), "value": value} for n, value in ((20, 0.08), (60, 0.003), (90, 0.002))]
    message = told(decided(ApprovalState.HEALED, outcome={"last": 0.002, "detail": "done", "readings": readings}))
    assert message.text == "checkout recovered at 02:50 UTC: errors 9% → 0.2%; 9 min of impact."
    assert action_ids(message) == ["resolve", "undo", "draft_report", "false_alarm"]


def test_what_has_ended_says_so_and_offers_no_ending() -> None:
    message = told(decided(ApprovalState.HEALED, outcome={"last": 0.002}), ended="Resolved by <@U0MIA>")
    assert "Resolved by <@U0MIA>" in words(message)
    assert action_ids(message) == ["undo", "draft_report"]


def _looked(word: str, **look: Any) -> dict[str, Any]:
    readings = [{"at": at(n).timestamp(), "value": value} for n, value in ((20, 0.08), (60, 0.003), (90, 0.002))]
    return {"last": 0.002, "readings": readings, "second_look": {"word": word, "after_s": 1801.0, **look}}


def test_what_held_says_so_in_its_first_line() -> None:
    held = decided(ApprovalState.HEALED, outcome=_looked("held", last=0.002))
    lead = "checkout recovered at 02:50 UTC and held for 30 min: errors 9% → 0.2%"
    assert told(held).text.startswith(lead)
    assert came_back(Card(approval=held, plan=a_plan())) is None


def test_what_could_not_be_measured_again_is_not_said_to_hold() -> None:
    message = told(decided(ApprovalState.HEALED, outcome=_looked("not_measured")))
    assert "Whether it held for 30 min could not be measured." in words(message)
    assert "and held" not in message.text


def test_what_came_back_is_told_with_since_when_and_what_fits() -> None:
    approval = decided(ApprovalState.HEALED, outcome=_looked("came_back", last=0.08, since=at(1200).timestamp()))
    assert "checkout recovered at 02:50 UTC and came back at 03:09 UTC" in told(approval).text
    message = came_back(Card(approval=approval, plan=a_plan()))
    assert message is not None
    assert_sound(message)
    assert message.text.startswith("Came back: checkout errors 0.2% → 8% since 03:09 UTC.")
    assert "The incident is open again" in words(message)
    assert action_ids(message) == ["resolve", "undo", "look_again", "false_alarm"]
    over = came_back(Card(approval=approval, plan=a_plan(), ended="Resolved by <@U0MIA>"))
    assert over is not None
    assert action_ids(over) == ["undo"]


def test_a_return_of_which_nobody_knows_the_beginning_says_when_it_was_seen() -> None:
    look = _looked("came_back", last=2.0, since=None, at=at(1800).timestamp())
    message = came_back(Card(approval=decided(ApprovalState.HEALED, outcome=look), plan=a_plan()))
    assert message is not None
    assert "seen at 03:19 UTC" in message.text
    assert "since" not in message.text


def test_what_heals_nothing_is_done_and_offers_its_undo_alone() -> None:
    message = told(decided(ApprovalState.DONE, outcome={"last": None}), a_plan(healing=None))
    assert message.text == "Done at 02:53 UTC: the target is in the state that was asked for."
    assert action_ids(message) == ["undo"]


def test_not_healed_says_so_and_offers_undo_and_keep() -> None:
    message = told(decided(ApprovalState.NOT_HEALED, outcome={"last": 0.087}))
    assert message.text == "Not healed: checkout errors 9% → 8.7%. The rollback was not the fix."
    assert action_ids(message) == ["undo", "keep"]


def test_an_interrupted_effect_is_unknown() -> None:
    detail = "the process died while applying; the target reads 9c01be, active; I will not retry"
    message = told(decided(ApprovalState.UNKNOWN, applied_at=None, outcome={"detail": detail}))
    assert words(message).startswith(f"*Unknown*: {detail}.")
    assert "undo" not in action_ids(message)


def test_applied_but_not_measured_is_unknown_too_and_can_be_undone() -> None:
    message = told(decided(ApprovalState.UNKNOWN, outcome={"detail": "ok"}))
    assert "was applied 02:49:14, but whether it healed could not be measured" in words(message)
    assert "undo" in action_ids(message)


def test_a_failure_tells_what_was_answered() -> None:
    message = told(decided(ApprovalState.FAILED, applied_at=None, outcome={"detail": "exit status 3"}))
    assert words(message).startswith("*Failed*: Roll back checkout to 9c01be did not go through. exit status 3.")


WELL = Healing(
    service="checkout",
    indicator="error_ratio",
    unit="ratio",
    before=0.002,
    threshold=0.01,
    worse_than=0.01,
    hold_s=180,
    window_s=286,
    settle_s=15,
)


def test_an_undo_is_measured_and_can_be_re_applied() -> None:
    undone = {"undo_of": ApprovalId("a0")}
    broken = told(decided(ApprovalState.NOT_HEALED, outcome={"last": 0.58}, **undone), a_plan(healing=WELL))
    assert broken.text == ("Broken again after the undo: checkout errors 0.2% → 58%. 9c01be is what breaks it.")
    assert action_ids(broken) == ["undo"]
    assert "Re-apply" in str(broken.blocks)
    well = told(decided(ApprovalState.HEALED, outcome={"last": 0.002}, **undone), a_plan(healing=WELL))
    assert well.text == "Undone at 02:49 UTC, and it stays well: checkout errors 0.2%."
    again = told(decided(ApprovalState.HEALED, outcome={"last": 0.002}, **undone))
    assert again.text.startswith("checkout recovered at")


def test_the_question_before_an_undo_says_what_it_puts_back_and_what_that_did() -> None:
    healed = decided(ApprovalState.HEALED, outcome={"last": 0.002})
    assert undo_words(Card(approval=healed, plan=a_plan())) == (
        "This puts 4f2a91 back on checkout. While it ran: checkout errors 9%; now 0.2%."
    )
    assert undo_words(Card(approval=healed, plan=a_plan(healing=None))).endswith("was not measured.")


def test_an_irreversible_plan_offers_no_undo() -> None:
    assert action_ids(told(decided(ApprovalState.HEALED), a_plan(reversible=False))) == [
        "resolve",
        "draft_report",
        "false_alarm",
    ]


def test_nothing_is_told_before_the_end() -> None:
    assert outcome(Card(approval=an_approval(), plan=a_plan())) is None
    assert outcome(Card(approval=decided(ApprovalState.VERIFYING), plan=a_plan())) is None


@settings(max_examples=40, deadline=None)
@given(st.text(), st.none() | st.floats(), st.sampled_from(ApprovalState))
def test_no_outcome_makes_an_unsound_message(detail: str, last: float | None, state: ApprovalState) -> None:
    message = outcome(Card(approval=decided(state, outcome={"detail": detail, "last": last}), plan=a_plan()))
    if message is not None:
        assert_sound(message)
