"""Finding a button, and what the receiver does about those that it cannot find."""

from agents.permission import Permission
from handlers.slack.blocks.message import Message, actions, button
from handlers.slack.button import discover_buttons, find_button, read_value
from tests.handlers.inbound import Slack, show


def test_every_button_declares_its_permission() -> None:
    assert {name: found.permission for name, found in discover_buttons().items()} == {
        "accept_changes": Permission.CONNECT,
        "approve": Permission.APPROVE_MEDIUM,
        "break_glass": Permission.APPROVE_HIGH,
        "change_scope": Permission.APPROVE_MEDIUM,
        "connect": Permission.CONNECT,
        "details": Permission.READ,
        "disconnect": Permission.CONNECT,
        "draft_report": Permission.INVESTIGATE,
        "exact_plan": Permission.READ,
        "false_alarm": Permission.INVESTIGATE,
        "feedback": Permission.READ,
        "investigate_alerts": Permission.INVESTIGATE,
        "keep": Permission.APPROVE_MEDIUM,
        "look_again": Permission.INVESTIGATE,
        "reject": Permission.APPROVE_MEDIUM,
        "resolve": Permission.INVESTIGATE,
        "service": Permission.CONNECT,
        "service_dismiss": Permission.CONNECT,
        "service_own": Permission.CONNECT,
        "service_same": Permission.CONNECT,
        "stop": Permission.INVESTIGATE,
        "undo": Permission.APPROVE_MEDIUM,
        "webhook_secret": Permission.CONNECT,
        "wrong_service": Permission.INVESTIGATE,
    }


def test_an_action_id_may_carry_a_suffix() -> None:
    assert find_button("approve:2") is discover_buttons()["approve"]
    assert find_button("approved") is None


def test_a_value_is_an_id_and_perhaps_a_word() -> None:
    row = "0198a1b2-0000-7000-8000-0123456789ab"
    assert read_value(f"{row}:0123456789ab") == (row, "0123456789ab")
    assert read_value(row) == (row, "")
    for forged in ("", "x", f"{row}:", f"{row}:a:b", f" {row}", f"{row}\n", "' or 1=1"):
        assert read_value(forged) is None


async def test_a_button_of_another_version_is_answered(slack: Slack) -> None:
    ts = await show(slack, Message(text="Old", blocks=tuple(actions(button("escalate", "Escalate", "x")))))
    await slack.workspace.click("mia", ts, "escalate")
    await slack.handled(1)
    assert slack.private("incidents", "mia")[0].startswith("I do not know this button any more")


async def test_a_failure_of_our_own_is_answered_with_a_reference_and_without_its_text(slack: Slack) -> None:
    ts = await show(slack, Message(text="Undo", blocks=tuple(actions(button("details", "Details", "x")))))
    slack.workspace.faults.fail("users.info", "fatal_error", times=1)
    await slack.workspace.click("mia", ts, "details")
    await slack.handled(1)
    (told,) = slack.private("incidents", "mia")
    assert told.startswith("Something went wrong on my side. Reference ")
    assert "fatal_error" not in told
