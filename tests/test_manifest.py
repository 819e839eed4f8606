"""The manifest agrees with the code, in both directions, and with Slack's own schema."""

import ast
import json
import re
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
        "agents",
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

TABLE_ROW = re.compile(r"\| \[(?P<name>[a-zA-Z_.]+)\]\((?P<page>\S+)\) \|[^|]+\|(?: (?P<scopes>[^|]+) \|)?")
# What is within another block, or no block at all.
PARTS = frozenset(
    [
        "blocks",
        "button",
        "home",
        "line",
        "modal",
        "mrkdwn",
        "plain_text",
        "plain_text_input",
        "plan_update",
        "rich_text_preformatted",
        "rich_text_section",
        "static_select",
        "task_update",
        "text",
    ]
)


def used(chapter: str) -> dict[str, set[str]]:
    """Rows of a table of docs/slack.md: the name, and the bot scopes that it takes."""
    text = (ROOT / "docs" / "slack.md").read_text().partition(f"\n## {chapter}\n")[2].partition("\n## ")[0]
    rows = [found for line in text.splitlines() if (found := TABLE_ROW.fullmatch(line))]
    return {row["name"]: set(re.findall(r"`([^`]+)`", row["scopes"] or "")) for row in rows}


def called_methods() -> set[str]:
    """Web API methods that our own code calls, as Slack names them."""
    known = {name for name in dir(AsyncWebClient) if name.partition("_")[0] in FAMILIES and "_" in name}
    return {name.replace("_", ".") for name in _attributes_called() if name in known}


def shown_blocks() -> set[str]:
    """Values of `type` in what our own code sends."""
    found: set[str] = set()
    for path in (ROOT / "handlers" / "slack").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Dict):
                pairs = zip(node.keys, node.values, strict=True)
                found |= {
                    str(value.value)
                    for key, value in pairs
                    if isinstance(key, ast.Constant) and key.value == "type" and isinstance(value, ast.Constant)
                }
            elif isinstance(node, ast.Name) and node.id == "ContextActionsBlock":
                found.add("context_actions")
    return found


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


def test_what_is_used_of_slack_is_told_on_one_page_and_no_more() -> None:
    assert set(used("Methods")) == called_methods()
    assert set(used("Events")) == bot_events()
    assert set(used("Features")) <= set(MANIFEST["features"])
    assert set(used("Blocks")) == shown_blocks() - PARTS


def test_it_asks_for_the_scopes_that_are_used_and_no_other() -> None:
    needed = [*used("Methods").values(), *used("Events").values(), *used("Features").values()]
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
