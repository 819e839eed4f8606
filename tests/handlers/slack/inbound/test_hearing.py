"""What a plain reply is, by its words and the state of its thread."""

import pytest

from handlers.slack.inbound.arrival import ChannelMessage, SlackActor
from handlers.slack.inbound.hearing import ThreadState, may_be_for_us, read_hearing, without_name

RUNNING, MUTED, ENDED = (ThreadState(running=r, muted=m) for r, m in ((True, False), (True, True), (False, False)))


@pytest.mark.parametrize(
    ("said", "running", "muted", "ended"),
    [
        ("it was the deploy of 14:02", "steer", None, None),
        ("do not roll back catalog", "steer", None, None),
        ("resolved", "steer", None, None),
        ("Autoheal: look at payments", "steer", "unheard", "unheard"),
        ("is that right, autoheal?", "steer", "unheard", "unheard"),
        ("stop", "stop", None, None),
        ("please mute", "mute", None, None),
        ("Don\u2019t listen", "mute", None, None),
        ("unmute", "steer", "unmute", None),
        ("listen again please", "steer", "unmute", None),
        ("thanks all", None, None, None),
        ("hello", None, None, None),
        ("<@U0MIA> could you look?", None, None, None),
        ("the robot is fine", "steer", None, None),
        ("autohealing would be nice", "steer", None, None),
    ],
)
def test_words_and_state_decide(said: str, running: str | None, muted: str | None, ended: str | None) -> None:
    assert [read_hearing(said, state) for state in (RUNNING, MUTED, ENDED)] == [running, muted, ended]


def test_its_name_is_taken_off() -> None:
    assert without_name("Hey Autoheal, look at payments") == "look at payments"
    assert without_name("look at payments, @autoheal!") == "look at payments"
    assert without_name("the bot of payments") == "the bot of payments"


def test_only_a_persons_reply_to_nobody_else_is_asked_about() -> None:
    def message(text: str = "x", *, thread: str | None = "1.0", bot: str = "") -> ChannelMessage:
        actor = SlackActor(user_id="U1", bot_id=bot or None)
        return ChannelMessage(actor=actor, channel_id="C1", ts="2.0", thread_ts=thread, text=text)

    asked = (message(), message(thread=None), message(thread="2.0"), message(bot="B1"), message("<@U2> hi"))
    assert [may_be_for_us(one) for one in asked] == [True, False, False, False, False]
