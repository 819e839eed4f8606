"""What the front door keeps and what it lets pass."""

import pytest

from handlers.slack.inbound.arrival import (
    Arrival,
    ChannelMessage,
    DirectMessage,
    MemberJoined,
    SlackActor,
    SlackMention,
)
from handlers.slack.inbound.caller import KnownWorkspace
from handlers.slack.inbound.intake import concerns_us
from store.ids import TenantId
from store.inbox import pending
from store.people.users import Role
from tests.handlers.inbound import Slack, kept

BOT = "U0BOT"
WORKSPACE = KnownWorkspace(
    tenant_id=TenantId("t"),
    team_id="T1",
    enterprise_id="",
    bot_user_id=BOT,
    triage_channels=("C0ALERTS",),
    open_threads=("C0OPEN",),
    allow_external_channels=False,
    new_member_role=Role.MEMBER,
)
PERSON, ALERTER, SELF = (
    SlackActor(user_id="U1"),
    SlackActor(user_id="U9", bot_id="B9"),
    SlackActor(user_id=BOT, bot_id="B0"),
)


def message(actor: SlackActor, channel: str, *, thread: str | None = None, text: str = "x") -> ChannelMessage:
    return ChannelMessage(actor=actor, channel_id=channel, ts="2.0", thread_ts=thread, text=text)


@pytest.mark.parametrize(
    ("arrival", "concerns"),
    [
        (SlackMention(actor=PERSON, channel_id="C1", ts="2.0", text="x"), True),
        (SlackMention(actor=SELF, channel_id="C1", ts="2.0", text="x"), False),
        (DirectMessage(actor=PERSON, channel_id="D1", ts="2.0", text="x"), True),
        (DirectMessage(actor=SELF, channel_id="D1", ts="2.0", text="x"), False),
        (message(PERSON, "C1"), False),
        (message(PERSON, "C0OPEN"), False),
        (message(PERSON, "C0OPEN", thread="1.0"), True),
        (message(PERSON, "C0OPEN", thread="1.0", text=f"<@{BOT}> x"), False),
        (message(PERSON, "C0ALERTS", thread="1.0"), False),
        (message(ALERTER, "C0ALERTS"), True),
        (message(ALERTER, "C0ALERTS", thread="1.0"), False),
        (message(ALERTER, "C0OPEN", thread="1.0"), False),
        (message(SELF, "C0ALERTS"), False),
        (MemberJoined(actor=SlackActor(user_id=BOT), channel_id="C1", inviter="U1"), True),
        (MemberJoined(actor=PERSON, channel_id="C1"), False),
    ],
)
def test_only_what_is_for_the_app_is_kept(arrival: Arrival, concerns: bool) -> None:  # noqa: FBT001 - a table
    assert concerns_us(arrival, WORKSPACE) is concerns


async def test_what_a_crash_left_in_the_inbox_can_be_handled_later_and_only_once(slack: Slack) -> None:
    slack.engine.failing = True
    await slack.workspace.post("mia", "incidents", "@autoheal checkout is failing")
    await slack.until(lambda: slack.intake.counts["enqueue_failed"] >= 1)
    slack.engine.failing = False
    ((tenant, inbox_id),) = await pending(slack.db, older_than=slack.context.clock() - slack.context.clock())
    for _ in range(2):
        await slack.receiver.receive(tenant, inbox_id)
    assert len(slack.engine.of("investigate")) == 1
    assert await pending(slack.db, older_than=slack.context.clock() - slack.context.clock()) == []
    assert await kept(slack) == ["mention"]
