"""What Slack sends is read as people see it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.slack.inbound.markup import readable
from handlers.slack.inbound.payload import ParsedPayload, parse, read_text


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        ("queue &gt; 500 &amp; growing &lt;fast&gt;", "queue > 500 & growing <fast>"),
        ("&amp;gt; was typed", "&gt; was typed"),
        ("<https://grafana.example/d/1?a=1&amp;b=2|Orders late>", "Orders late"),
        ("see <https://wiki.example/a?b=1&amp;c=2>", "see https://wiki.example/a?b=1&c=2"),
        ("<mailto:ops@shop.example|ops@shop.example> was told", "ops@shop.example was told"),
        ("<tel:+4912345>", "+4912345"),
        ("in <#C0PAY|payments-alerts> since noon", "in #payments-alerts since noon"),
        ("in <#C0PAY>", "in #C0PAY"),
        ("<!here> <!channel|channel> down", "@here channel down"),
        ("<!subteam^S01|@oncall> and <!subteam^S02>", "@oncall and @group"),
        ("at <!date^1764557000^{time}|02:43 UTC>", "at 02:43 UTC"),
        ("<@U0BOT> and <@U0RAJ|raj>", "<@U0BOT> and <@U0RAJ|raj>"),
        ("typed &lt;@U0BOT&gt; by hand", "typed < @U0BOT> by hand"),
        ("a < b and c > d", "a < b and c > d"),
        ("", ""),
    ],
)
def test_text_is_read_as_it_is_seen(sent: str, read: str) -> None:
    assert readable(sent) == read


@given(st.text())
def test_what_somebody_types_arrives_as_typed(typed: str) -> None:
    sent = typed.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    assert readable(sent).replace("< @", "<@").replace("< #", "<#").replace("< !", "<!") == typed.replace(
        "< @", "<@"
    ).replace("< #", "<#").replace("< !", "<!")


@given(st.text(alphabet="<>&|@#!^ab;lgtmp\n", max_size=40))
def test_anything_is_read(sent: str) -> None:
    assert isinstance(readable(sent), str)


def test_every_part_of_a_message_and_a_command_is_read_so() -> None:
    blocks = [{"type": "section", "text": {"type": "mrkdwn", "text": "p99 &gt; 2 s"}}]
    attachments = [{"title": "<https://a.example|Alarm>", "fields": [{"title": "Rule", "value": "a &amp; b"}]}]
    assert read_text(text="", blocks=blocks, attachments=[]) == "p99 > 2 s"
    assert read_text(text="", blocks=[], attachments=attachments) == "Alarm\nRule: a & b"
    command = {"command": "/autoheal", "text": "investigate p99 &gt; 2 s", "user_id": "U1", "channel_id": "C1"}
    parsed = parse({**command, "team_id": "T1", "trigger_id": "1.1"})
    assert isinstance(parsed, ParsedPayload)
    assert parsed.arrival.model_dump()["text"] == "investigate p99 > 2 s"
