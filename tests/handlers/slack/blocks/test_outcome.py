from hypothesis import given, settings
from hypothesis import strategies as st

from handlers.slack.blocks.message import Message
from handlers.slack.blocks.outcome import outcome
from store.ids import ApprovalId
from store.incidents.approvals import Approval, ApprovalState
from tests.handlers.slack.blocks.examples import a_plan, action_ids, an_approval, assert_sound, decided, words


def told(approval: Approval) -> Message:
    message = outcome(approval, a_plan())
    assert message is not None
    assert_sound(message)
    return message


def test_healed_gives_the_measured_value_and_the_limit() -> None:
    message = told(decided(ApprovalState.HEALED, outcome={"word": "healed", "last": 0.002, "detail": "done"}))
    assert message.text == "Healed 02:53: 0.2% errors for 3 min (limit 1%)."
    assert action_ids(message) == ["undo", "draft_report"]


def test_not_healed_says_so_and_offers_undo_and_keep() -> None:
    message = told(decided(ApprovalState.NOT_HEALED, outcome={"last": 0.087}))
    assert message.text == "Not healed: 9% -&gt; 8.7%. The rollback was not the fix."
    assert action_ids(message) == ["undo", "keep"]


def test_an_interrupted_effect_is_unknown() -> None:
    detail = "the process died while applying; the target reads 9c01be, active; I will not retry"
    message = told(decided(ApprovalState.UNKNOWN, applied_at=None, outcome={"detail": detail}))
    assert words(message).startswith(f"*Unknown*: {detail}.")
    assert action_ids(message) == []


def test_applied_but_not_measured_is_unknown_too_and_can_be_undone() -> None:
    message = told(decided(ApprovalState.UNKNOWN, outcome={"detail": "ok"}))
    assert "was applied once 02:49:14, but whether it healed could not be measured" in words(message)
    assert action_ids(message) == ["undo"]


def test_a_failure_tells_what_was_answered() -> None:
    message = told(decided(ApprovalState.FAILED, applied_at=None, outcome={"detail": "exit status 3"}))
    assert words(message).startswith("*Failed*: Roll back checkout to 9c01be did not go through. exit status 3.")


def test_an_undo_cannot_be_undone() -> None:
    message = told(decided(ApprovalState.HEALED, undo_of=ApprovalId("a0"), outcome={"last": 0.002}))
    assert message.text.startswith("Undone 02:53")
    assert action_ids(message) == []


def test_an_irreversible_plan_offers_no_undo() -> None:
    message = outcome(decided(ApprovalState.HEALED), a_plan(reversible=False))
    assert message is not None
    assert action_ids(message) == ["draft_report"]


def test_nothing_is_told_before_the_end() -> None:
    assert outcome(an_approval(), a_plan()) is None
    assert outcome(decided(ApprovalState.VERIFYING), a_plan()) is None


@settings(max_examples=40, deadline=None)
@given(st.text(), st.none() | st.floats(), st.sampled_from(ApprovalState))
def test_no_outcome_makes_an_unsound_message(detail: str, last: float | None, state: ApprovalState) -> None:
    message = outcome(decided(state, outcome={"detail": detail, "last": last}), a_plan())
    if message is not None:
        assert_sound(message)
