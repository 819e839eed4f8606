"""The manifest agrees with the code, in both directions, and with Slack's own schema."""

import ast
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from slack_sdk.web.async_client import AsyncWebClient

from handlers.slack.command import discover_commands
from handlers.slack.inbound.payload import EVENTS

ROOT = Path(__file__).resolve().parents[1]
MANIFEST: dict[str, Any] = yaml.safe_load((ROOT / "manifest.yml").read_text())
FAMILIES = frozenset(
    [
        "apps",
        "assistant",
        "auth",
        "bookmarks",
        "bots",
        "chat",
        "conversations",
        "files",
        "pins",
        "reactions",
        "team",
        "usergroups",
        "users",
        "views",
    ]
)

# Bot scopes by method and kind of conversation in which it is called: https://docs.slack.dev/reference/methods
METHOD_SCOPES: dict[str, set[str]] = {
    "apps_connections_open": set(),  # an app-level token with connections:write, which no manifest grants
    "auth_revoke": set(),
    "auth_test": set(),
    "users_conversations": {"channels:read", "groups:read"},
    "chat_appendStream": {"chat:write"},
    "chat_getPermalink": set(),
    "chat_postEphemeral": {"chat:write"},
    "chat_postMessage": {"chat:write"},
    "chat_startStream": {"chat:write"},
    "chat_stopStream": {"chat:write"},
    "chat_update": {"chat:write"},
    "conversations_history": {"channels:history", "groups:history", "im:history", "mpim:history"},
    "conversations_info": {"channels:read", "groups:read"},  # never asked about a direct message
    "conversations_members": {"channels:read", "groups:read"},  # nor this
    "conversations_open": {"im:write"},
    "conversations_replies": {"channels:history", "groups:history", "im:history", "mpim:history"},
    "users_info": {"users:read"},
    "users_list": {"users:read"},
    "views_open": set(),
    "views_publish": set(),
}
# https://docs.slack.dev/reference/events
EVENT_SCOPES: dict[str, set[str]] = {
    "app_home_opened": set(),
    "app_mention": {"app_mentions:read"},
    "app_uninstalled": set(),
    "member_joined_channel": {"channels:read", "groups:read"},
    "message.channels": {"channels:history"},
    "message.groups": {"groups:history"},
    "message.im": {"im:history"},
    "message.mpim": {"mpim:history"},
    "tokens_revoked": set(),
}
FEATURE_SCOPES = {"agent_view": {"assistant:write"}, "slash_commands": {"commands"}}


def called_methods() -> set[str]:
    """Web API methods that our own code calls, as slack_sdk names them."""
    known = {name for name in dir(AsyncWebClient) if name.partition("_")[0] in FAMILIES and "_" in name}
    return {name for name in _attributes_called() if name in known}


def _attributes_called() -> Iterator[str]:
    for package in ("bot", "handlers", "agents", "store"):
        for path in (ROOT / package).rglob("*.py"):
            if (ROOT / "bot" / "demo") in path.parents:
                continue  # the workspace answers these methods; it calls none
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                    yield node.func.attr


def bot_events() -> set[str]:
    return set(MANIFEST["settings"]["event_subscriptions"]["bot_events"])


def test_slacks_schema_accepts_it(shared_dir: Path) -> None:
    schema = json.loads((shared_dir / "specs" / "slack-manifest.schema.2.0.0.json").read_text())
    jsonschema.validate(MANIFEST, schema)


def test_it_subscribes_to_the_events_that_are_routed_and_no_other() -> None:
    assert bot_events() == set(EVENTS)


def test_every_method_that_is_called_has_its_scopes_listed_here() -> None:
    assert called_methods() <= set(METHOD_SCOPES)


def test_it_asks_for_the_scopes_that_are_used_and_no_other() -> None:
    needed = [METHOD_SCOPES[name] for name in called_methods()]
    needed += [EVENT_SCOPES[name] for name in bot_events()]
    needed += [scopes for feature, scopes in FEATURE_SCOPES.items() if feature in MANIFEST["features"]]
    assert set(MANIFEST["oauth_config"]["scopes"]["bot"]) == set().union(*needed)


def test_it_offers_the_one_command_with_its_sub_commands() -> None:
    (slash,) = MANIFEST["features"]["slash_commands"]
    assert slash["command"] == "/autoheal"
    offered = {part.split()[0] for part in slash["usage_hint"].split("|")}
    assert offered == set(discover_commands())


@pytest.mark.parametrize("prompt", MANIFEST["features"]["agent_view"]["suggested_prompts"])
def test_suggested_prompts_are_short(prompt: dict[str, str]) -> None:
    assert len(prompt["title"]) <= 40
    assert len(prompt["message"]) <= 120


def test_it_stays_within_slacks_lengths() -> None:
    (slash,) = MANIFEST["features"]["slash_commands"]
    assert len(slash["command"]) <= 32
    assert len(slash["description"]) <= 140
    assert len(MANIFEST["display_information"]["description"]) <= 140


def test_clicks_and_forms_are_switched_on_and_socket_mode_is_the_default() -> None:
    settings = MANIFEST["settings"]
    assert settings["interactivity"]["is_enabled"]
    assert settings["socket_mode_enabled"]
    assert not settings["org_deploy_enabled"]
    assert not settings["token_rotation_enabled"]
