"""Parsing of Slack's payloads."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.slack.inbound.arrival import (
    ARRIVAL,
    ButtonClick,
    ChannelMessage,
    ModalSubmission,
    SlackMention,
    SlashCommand,
    TokensRevoked,
    Uninstalled,
)
from handlers.slack.inbound.payload import ParsedPayload, Unreadable, parse, read_text


def event(**fields: Any) -> dict[str, Any]:
    return {"type": "event_callback", "event_id": "Ev1", "team_id": "T1", "event": fields}


def parsed(body: dict[str, Any]) -> ParsedPayload:
    found = parse(body)
    assert isinstance(found, ParsedPayload)
    return found


def test_a_mention_keeps_what_is_needed_and_no_more() -> None:
    body = event(type="app_mention", user="U1", channel="C1", ts="1.2", text="<@B> hi", team="T1", client_msg_id="x")
    found = parsed(body)
    assert (found.external_id, found.origin.team_id) == ("Ev1", "T1")
    assert isinstance(found.arrival, SlackMention)
    assert found.arrival.thread == "1.2"
    assert "client_msg_id" not in found.arrival.model_dump_json()


def test_the_installation_counts_and_not_the_senders_team() -> None:
    body = event(type="app_mention", user="U1", channel="C1", ts="1.2", text="hi", user_team="T2")
    body |= {"authorizations": [{"team_id": "T9", "enterprise_id": "E9", "is_enterprise_install": False}]}
    body |= {"is_ext_shared_channel": True}
    found = parsed(body)
    assert (found.origin.team_id, found.origin.enterprise_id) == ("T9", "E9")
    assert isinstance(found.arrival, SlackMention)
    assert (found.arrival.actor.team_id, found.arrival.actor.shared_outside) == ("T2", True)


@pytest.mark.parametrize("subtype", ["message_changed", "message_deleted", "channel_join", "channel_topic"])
def test_what_says_nothing_new_is_nothing(subtype: str) -> None:
    assert parse(event(type="message", subtype=subtype, channel="C1", channel_type="channel", ts="1.2")) is None


def test_an_alert_is_read_from_attachments_and_blocks() -> None:
    attachments = [{"title": "HighErrorRate", "fields": [{"title": "service", "value": "checkout"}], "fallback": "old"}]
    blocks = [
        {"type": "section", "text": {"type": "mrkdwn", "text": "errors 9%"}},
        {
            "type": "rich_text",
            "elements": [{"type": "rich_text_section", "elements": [{"type": "text", "text": "since 02:41"}]}],
        },
        {"type": "actions", "elements": [{"type": "button", "text": {"type": "plain_text", "text": "Ack"}}]},
    ]
    assert read_text(text="", blocks=blocks, attachments=attachments).split("\n") == [
        "errors 9%",
        "since 02:41",
        "HighErrorRate",
        "service: checkout",
    ]
    assert read_text(text="", blocks=[], attachments=[{"fallback": "only this"}]) == "only this"
    assert read_text(text="errors 9% since 02:41", blocks=blocks, attachments=[]) == "errors 9% since 02:41"


def test_a_group_message_an_attachment_and_an_edit_may_mention_somebody() -> None:
    attachment = {"text": "look <@U0AUTOHEAL>"}
    group = heard(type="message", channel="G1", channel_type="mpim", ts="1.2", user="U1", text="<@U0AUTOHEAL> why?")
    forwarded = heard(
        type="message", channel="C1", channel_type="channel", ts="1.2", user="U1", text="", attachments=[attachment]
    )
    typed = heard(type="message", channel="C1", channel_type="channel", ts="1.2", user="U1", text="<@U0AUTOHEAL> why?")
    assert (group.addressed, forwarded.addressed, typed.addressed) == (("U0AUTOHEAL",), ("U0AUTOHEAL",), ())


def test_an_edit_says_something_anew_in_the_thread_and_an_unfolded_link_does_not() -> None:
    before = {"type": "message", "user": "U1", "ts": "1.2", "text": "why?"}
    after = before | {"text": "<@U0AUTOHEAL> why?", "edited": {"ts": "1.9", "user": "U1"}}
    changed = {"type": "message", "subtype": "message_changed", "channel": "C1", "channel_type": "channel", "ts": "1.9"}
    said = heard(**changed, message=after, previous_message=before)
    assert (said.actor.user_id, said.ts, said.thread_ts, said.text) == ("U1", "1.9", "1.2", "<@U0AUTOHEAL> why?")
    assert said.addressed == ("U0AUTOHEAL",)
    for same in (before, before | {"edited": {"ts": "1.9", "user": "U1"}}, after | {"bot_id": "B1"}):
        assert parse(event(**changed, message=same, previous_message=before)) is None


def heard(**fields: object) -> ChannelMessage:
    parsed = parse(event(**fields))
    assert isinstance(parsed, ParsedPayload)
    assert isinstance(parsed.arrival, ChannelMessage)
    return parsed.arrival


def test_a_bots_message_in_a_private_channel_is_a_channel_message() -> None:
    body = event(
        type="message", subtype="bot_message", bot_id="B9", channel="G1", channel_type="group", ts="1.2", text="x"
    )
    found = parsed(body)
    assert isinstance(found.arrival, ChannelMessage)
    assert (found.arrival.actor.user_id, found.arrival.actor.bot_id) == ("", "B9")


def test_a_click_carries_opaque_ids_only() -> None:
    body = {
        "type": "block_actions",
        "trigger_id": "13.37.abc",
        "team": {"id": "T1"},
        "user": {"id": "U1", "team_id": "T1"},
        "container": {"type": "message", "channel_id": "C1", "message_ts": "1.2", "thread_ts": "1.1"},
        "actions": [{"action_id": "approve", "value": "0198-abc:0123456789ab"}],
    }
    found = parsed(body)
    assert isinstance(found.arrival, ButtonClick)
    assert (found.external_id, found.arrival.value, found.arrival.thread_ts) == (
        "13.37.abc",
        "0198-abc:0123456789ab",
        "1.1",
    )
    body["actions"] = [{"action_id": "approve", "value": "<script>; drop table"}]
    forged = parsed(body).arrival
    assert isinstance(forged, ButtonClick)
    assert forged.value == ""


def test_a_form_is_read_by_action_id() -> None:
    values = {
        "b1": {"service": {"type": "static_select", "selected_option": {"value": "checkout"}}},
        "b2": {"why": {"value": None}},
    }
    body = {
        "type": "view_submission",
        "trigger_id": "1.2.c",
        "team": {"id": "T1"},
        "user": {"id": "U1"},
        "view": {"callback_id": "wrong_service", "private_metadata": '{"subject":"i1"}', "state": {"values": values}},
    }
    found = parsed(body).arrival
    assert isinstance(found, ModalSubmission)
    assert (found.values, found.metadata) == ({"service": "checkout", "why": ""}, '{"subject":"i1"}')


def test_a_command_without_a_trigger_is_told_apart_by_its_content() -> None:
    body = {"command": "/autoheal", "text": "status", "team_id": "T1", "user_id": "U1", "channel_id": "C1"}
    again, other = parsed(dict(body)), parsed({**body, "text": "stop"})
    assert isinstance(again.arrival, SlashCommand)
    assert parsed(body).external_id == again.external_id != other.external_id


def test_revoked_tokens_name_the_bots() -> None:
    found = parsed(event(type="tokens_revoked", tokens={"oauth": ["U1"], "bot": ["U0BOT"]})).arrival
    assert found == TokensRevoked(bot_user_ids=("U0BOT",))


def test_an_uninstall_says_when_it_happened() -> None:
    for fields, kind in (({"type": "app_uninstalled"}, Uninstalled), ({"type": "tokens_revoked"}, TokensRevoked)):
        assert parsed(event(**fields) | {"event_time": 1_790_000_000}).arrival == kind(event_time=1_790_000_000)
        assert parsed(event(**fields)).arrival == kind()


def test_a_known_kind_in_an_unknown_shape_is_unreadable() -> None:
    found = parse(event(type="app_mention", user={"id": "U1"}, channel="C1", ts="1.2"))
    assert isinstance(found, Unreadable)
    assert "event.user" in found.reason


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=12,
)


@given(
    st.fixed_dictionaries(
        {"type": st.sampled_from(["event_callback", "block_actions", "view_submission", "?"])},
        optional=dict.fromkeys(("event", "event_id", "team", "user", "actions", "view", "container", "command"), JSON),
    )
)
def test_nothing_makes_the_parser_raise(body: dict[str, Any]) -> None:
    found = parse(body)
    if isinstance(found, ParsedPayload):
        stored = found.arrival.model_dump(mode="json", exclude_none=True)
        assert ARRIVAL.validate_python(stored) == found.arrival
