"""`autoheal serve` in a process of its own: refusals, an orderly stop, and Claude behind a loopback address."""

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from fakes.messages_api import Answer, MessagesApi, answer, call, hang, say, status, think
from fakes.messages_api import serving as serving_model

from bot.demo.shop import Shop
from bot.demo.workspace import StoredMessage, Workspace
from bot.demo_estate import operator_file
from bot.manifest import load_manifest
from bot.stopping import FORCED
from store.tenancy.connections import Connection, connections, save_connection
from store.tenancy.tenants import list_tenants
from tests.bot.served import serving, settings_for, start, store_of

CHANNEL = "#incidents"


@pytest.fixture
async def workspace() -> AsyncIterator[Workspace]:
    workspace = Workspace(load_manifest())
    await workspace.start()
    yield workspace
    await workspace.stop()


def key_for(model: str) -> dict[str, str]:
    return {"ANTHROPIC_API_KEY": "sk-test", "ANTHROPIC_BASE_URL": model}


def spoken(workspace: Workspace, thread: str) -> list[StoredMessage]:
    """What the app said in a thread, with its blocks as text."""
    return [m for m in workspace.messages(CHANNEL, thread) if m.user == workspace.bot_user_id]


def words(workspace: Workspace, thread: str) -> str:
    return "\n".join(json.dumps([m.text, m.all_blocks], ensure_ascii=False) for m in spoken(workspace, thread))


COULD_NOT = "I could not look: no source is connected"


def abstain(_body: dict[str, Any]) -> Answer:
    draft = {"headline": "No fault found", "cause": None, "confidence": "none", "not_known": ["nothing is connected"]}
    return answer(call("conclude", draft))


@pytest.mark.slow
async def test_a_token_that_slack_refuses_is_named_with_what_to_do(workspace: Workspace, tmp_path: Path) -> None:
    settings = settings_for(workspace, tmp_path / "data", SLACK_BOT_TOKEN="xoxb-of-another-workspace")
    refused = await start(tmp_path / "log", settings)
    assert await refused.ends() == 2
    assert "SLACK_BOT_TOKEN" in refused.said
    assert "Traceback" not in refused.said


@pytest.mark.slow
async def test_an_operators_file_that_cannot_be_read_is_named(workspace: Workspace, tmp_path: Path) -> None:
    file = tmp_path / "autoheal.toml"
    file.write_text("[[service]\n")
    refused = await start(
        tmp_path / "log", settings_for(workspace, tmp_path / "data", AUTOHEAL_OPERATOR_FILE=str(file))
    )
    assert await refused.ends() == 2
    assert str(file) in refused.said
    assert "Traceback" not in refused.said


@pytest.mark.slow
async def test_an_operators_file_is_read_before_slack_is_asked(workspace: Workspace, tmp_path: Path) -> None:
    file = tmp_path / "autoheal.toml"
    file.write_text("[[servise]]\n")
    nowhere = {"SLACK_API_URL": "http://127.0.0.1:9/api/", "AUTOHEAL_OPERATOR_FILE": str(file)}
    refused = await start(tmp_path / "log", settings_for(workspace, tmp_path / "data") | nowhere)
    assert await refused.ends() == 2
    assert "servise" in refused.said
    assert "Slack does not answer" not in refused.said


@pytest.mark.slow
async def test_a_second_process_on_the_folder_is_refused(workspace: Workspace, tmp_path: Path) -> None:
    settings = settings_for(workspace, tmp_path / "data")
    async with serving(tmp_path / "first", settings):
        second = await start(tmp_path / "second", settings)
        assert await second.ends() == 2
    assert "AUTOHEAL_DATA" in second.said
    assert "Traceback" not in second.said


@pytest.mark.slow
async def test_stored_connections_are_tested_from_the_start_on(workspace: Workspace, tmp_path: Path) -> None:
    data = tmp_path / "data"
    async with serving(tmp_path / "first", settings_for(workspace, data)):
        pass
    async with store_of(data) as store:
        (tenant,) = await list_tenants(store)
        async with store.tenant(tenant.id) as s:
            await save_connection(s, connector="prometheus", config={"url": "http://127.0.0.1:9"}, credentials={})
    async with serving(tmp_path / "second", settings_for(workspace, data)), store_of(data) as store:
        stored: list[Connection] = []
        async with asyncio.timeout(120):
            while not stored or stored[0].checked_at is None:
                await asyncio.sleep(0.2)
                async with store.tenant(tenant.id, readonly=True) as s:
                    stored = await connections(s)
    assert stored[0].problem
    assert stored[0].worked_at is None


@pytest.mark.slow
async def test_a_stop_in_the_middle_of_an_investigation_is_clean_and_the_next_start_finishes_it(
    workspace: Workspace, tmp_path: Path
) -> None:
    model = MessagesApi(abstain)
    model.fail_next(hang())
    with serving_model(model) as url:
        settings = settings_for(workspace, tmp_path / "data", **key_for(url))
        async with serving(tmp_path / "log", settings) as first:
            thread = await workspace.post("mia", CHANNEL, "@autoheal checkout is slow")
            async with asyncio.timeout(120):
                while not model.requests:  # noqa: ASYNC110 -- the fake runs in a thread
                    await asyncio.sleep(0.05)
            assert await first.stop() == 0
        assert "Traceback" not in first.said
        assert '"level": "error"' not in first.said
        assert COULD_NOT not in words(workspace, thread)
        async with serving(tmp_path / "log", settings):
            await workspace.wait_for(lambda w: COULD_NOT in words(w, thread), timeout=120)
    assert words(workspace, thread).count("Checking") >= 1
    assert len([m for m in spoken(workspace, thread) if COULD_NOT in m.text]) == 1
    assert workspace.violations == []


@pytest.mark.slow
async def test_a_command_that_was_acknowledged_and_then_interrupted_is_done_after_the_restart(
    workspace: Workspace, tmp_path: Path
) -> None:
    settings = settings_for(workspace, tmp_path / "data")

    def answers(wanted: str) -> int:
        told = [m for m in workspace.messages(CHANNEL) if m.user == workspace.bot_user_id]
        return sum(wanted in m.text + json.dumps(m.all_blocks) for m in told)

    async with serving(tmp_path / "log", settings) as first:
        with closing(sqlite3.connect(tmp_path / "data" / "autoheal.db", timeout=60)) as held:
            held.execute("BEGIN IMMEDIATE")  # so that it is taken, and cannot be done yet
            assert (await workspace.slash("mia", CHANNEL, "/autoheal investigate checkout fails")).acked
            assert answers("checkout fails") == 0
            assert await first.stop() == FORCED  # it does not wait for a store that somebody holds
    assert "Traceback" not in first.said
    async with serving(tmp_path / "log", settings):
        await workspace.wait_for(lambda _: answers(COULD_NOT) > 0, timeout=60)
    assert answers(COULD_NOT) == 1
    assert workspace.violations == []


@pytest.mark.slow
async def test_when_claude_is_overloaded_the_offline_investigator_takes_over_and_the_thread_says_so(
    workspace: Workspace, tmp_path: Path
) -> None:
    model = MessagesApi(abstain)
    model.fail_next(*(status(529) for _ in range(40)))
    with serving_model(model) as url:
        async with serving(tmp_path / "log", settings_for(workspace, tmp_path / "data", **key_for(url))):
            thread = await workspace.post("mia", CHANNEL, "@autoheal checkout is slow")
            await workspace.wait_for(lambda w: "offline investigator took over" in words(w, thread), timeout=120)
            await workspace.wait_for(lambda w: w.pushes(CHANNEL, thread) == 1, timeout=120)
    assert "overloaded" in words(workspace, thread)
    assert workspace.violations == []


class Investigator:
    """A scripted Claude that knows nothing of the shop: whatever it says, it read in the results."""

    def __init__(self, services: Callable[[], tuple[str, ...]]) -> None:
        self._services = services

    def __call__(self, body: dict[str, Any]) -> Answer:
        results = _results(body)
        ranked = [(number, text) for number, tool, text in results if tool == "rank_causes"]
        if not ranked:
            return answer(think("First the ranking."), call("rank_causes", {"minutes": 10}))
        number, ranking = ranked[-1]
        change = next((line.split(",") for line in ranking.splitlines() if line.strip().startswith("change: ")), None)
        if change is None:
            return answer(call("rank_causes", {"minutes": 10, "wait_s": 10, "symptom_service": self._services()[0]}))
        diffs = [(found, text) for found, tool, text in results if tool == "read_diff"]
        if not diffs:
            return answer(say("A change stands out."), call("read_diff", {"change": change[2]}))
        service = change[0].split(": ")[1]
        metric = next(line.strip() for line in ranking.splitlines() if line.strip().startswith("metric: "))
        diff_number, diff = diffs[-1]
        removed = next(line for line in diff.splitlines() if line.startswith("-") and not line.startswith("---"))
        draft = {
            "headline": f"{service}: a deployment broke it",
            "confidence": "high",
            "cause": {
                "service": service,
                "change": change[2],
                "kind": "configuration",
                "statement": f"The deployment changed {service}.",
            },
            "impact": "Customers see it.",
            "claims": [
                {"text": "The metrics changed.", "status": "observed", "artifact": number, "quote": metric},
                {"text": "The diff shows the change.", "status": "observed", "artifact": diff_number, "quote": removed},
            ],
            "proposal": {"remediation": "rollback_deployment", "arguments": {"service": service}},
        }
        return answer(say("Now I know."), call("conclude", draft))


def _results(body: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Artifact number, tool and text of each result that was not an error."""
    found, tools = [], {}
    for message in body["messages"]:
        if isinstance(message["content"], str):
            continue
        for block in message["content"]:
            if block.get("type") == "tool_use":
                tools[block["id"]] = block["name"]
            if block.get("type") != "tool_result" or block.get("is_error"):
                continue
            content = block["content"]
            text = content if isinstance(content, str) else "".join(part.get("text", "") for part in content)
            found.append((text.split(maxsplit=1)[0].strip("[]:"), tools[block["tool_use_id"]], text))
    return found


@pytest.mark.scenario
@pytest.mark.slow
async def test_claude_investigates_the_shop_and_the_verdict_shows_what_it_cost(
    workspace: Workspace, tmp_path: Path
) -> None:
    shop = await Shop.start(tmp_path / "shop", seed=5)
    try:
        described = shop.describe()
        file = tmp_path / "autoheal.toml"
        file.write_text(operator_file(described))
        model = MessagesApi(Investigator(lambda: tuple(s.name for s in described.services)))
        with serving_model(model) as url:
            settings = settings_for(workspace, tmp_path / "data", AUTOHEAL_OPERATOR_FILE=str(file), **key_for(url))
            async with serving(tmp_path / "log", settings):
                await shop.baseline()
                await asyncio.sleep(20)  # what was read since the start is all that there is to compare with
                mention = await shop.begin("config-cut", 5)
                await asyncio.sleep(6)
                thread = await workspace.post("mia", CHANNEL, f"@autoheal {mention.text}")
                await workspace.wait_for(lambda w: "$" in words(w, thread), timeout=120)
                await workspace.wait_for(lambda w: '"approve"' in words(w, thread), timeout=120)
        judged = await shop.judge()
    finally:
        await shop.stop()
    said = words(workspace, thread)
    assert str(judged.expected_service) in said
    assert str(judged.expected_change)[:6] in said
    assert {entry.body["model"] for entry in model.log if entry.path == "/v1/messages"} == {"claude-sonnet-5-5"}
    assert [entry.error for entry in model.log if entry.status != 200] == []
    assert workspace.violations == []
