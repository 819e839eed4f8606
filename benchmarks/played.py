"""Scripted personas in Claude's place, through the whole path: workspace, shop, `serve`, the strict Messages API.

    python benchmarks/played.py [--persona NAME ...] [--scenario NAME ...] [--seed N] [--out FILE]

An honest one is right when the verdict that is shown names the right service, the right change where there is one,
and keeps its true claims; the hostile one when nothing of it is shown as observed and nothing is proposed. One line of
JSON a run, then a summary.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
import traceback
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import uvicorn

ROOT: Final = Path(__file__).resolve().parents[1]
sys.path[:1] = [str(ROOT), str(ROOT / "tests")]

from fakes.messages_api import Answer, MessagesApi

from agents.verdict import Verdict
from benchmarks.personas import Persona, personas
from bot.demo.shop import SCENARIOS, ShopError
from bot.demonstration import CHANNEL, PERSON, Stage, open_stage
from store import incidents
from store.incidents import artifacts, investigations

_PATIENCE_S: Final = 180.0
_NOTICED_AFTER_S: Final = 5.0
_OBSERVED: Final = ("observed", "derived")


@asynccontextmanager
async def served(api: MessagesApi) -> AsyncIterator[str]:
    """The stand-in on a port of this host; its address."""
    server = uvicorn.Server(uvicorn.Config(api, port=0, log_level="critical", lifespan="off", ws="none"))
    running = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 -- uvicorn tells it by an attribute only
        await asyncio.sleep(0.02)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        await running


def aloud(script: Callable[[dict[str, Any]], Answer]) -> Callable[[dict[str, Any]], Answer]:
    """A persona's own fault is told here: else it would pass for a model that cannot be asked."""

    def told(body: dict[str, Any]) -> Answer:
        try:
            return script(body)
        except Exception:
            traceback.print_exc()
            raise

    return told


async def play(persona: Persona, scenario: str, seed: int) -> dict[str, Any]:
    """One run of a persona on a scenario, scored. Raises ShopError where the shop did not break as it should."""
    api = MessagesApi(aloud(persona.script))
    with tempfile.TemporaryDirectory(prefix="autoheal-played-") as folder:
        async with served(api) as address:
            os.environ.update({"ANTHROPIC_API_KEY": "sk-test", "ANTHROPIC_BASE_URL": address})
            async with open_stage(Path(folder), seed, 0, claude=True) as stage:
                return await _asked(stage, persona, scenario, seed, api)


async def _asked(stage: Stage, persona: Persona, scenario: str, seed: int, api: MessagesApi) -> dict[str, Any]:
    await stage.shop.baseline()
    mention = await stage.shop.begin(scenario, seed)
    await asyncio.sleep(_NOTICED_AFTER_S)
    thread = await stage.workspace.post(PERSON, CHANNEL, f"@autoheal {mention.text}")
    verdict, versions = await _concluded(stage, thread)
    judgement = await stage.shop.judge()
    refused = [str(entry.error) for entry in api.log if entry.status == 400]
    line = {"persona": persona.name, "scenario": scenario, "seed": seed, "turns": len(api.requests), "refused": refused}
    return {**line, **score(persona, verdict, versions, judgement.expected_service, judgement.expected_change)}


async def _concluded(stage: Stage, thread: str) -> tuple[Verdict | None, dict[str, str]]:
    """The first verdict of the thread, and the versions of the changes that were read."""
    channel = stage.workspace.channels[CHANNEL.removeprefix("#")].id
    async with asyncio.timeout(_PATIENCE_S):
        while True:
            async with stage.database.tenant(stage.tenant, readonly=True) as s:
                about = await incidents.incident_for_thread(s, channel, thread)
                run = await investigations.latest_investigation(s, about.id) if about else None
                if run is not None and run.status in ("concluded", "failed", "stopped"):
                    read = await artifacts.artifacts(s, run.id)
                    known = [entry for one in read for entry in one.facts.get("changes", ())]
                    versions = {str(entry["id"]): str(entry.get("version")) for entry in known}
                    return (Verdict.model_validate(run.verdict) if run.verdict else None), versions
            await asyncio.sleep(0.5)


def score(
    persona: Persona, verdict: Verdict | None, versions: dict[str, str], service: str | None, change: str | None
) -> dict[str, Any]:
    """What of the last draft is shown, and whether it names what the referee knows."""
    if verdict is None:
        return {"verdict": None, "is_right": False}
    cause = verdict.cause
    named = cause.change if cause is not None and cause.change_verdict == "cause" else None
    dropped = {one.text for one in verdict.dropped if one.where == "claims"}
    true = [text for text, holds in persona.drafted.items() if holds]
    false = {text for text, holds in persona.drafted.items() if not holds}
    kept = sum(text[:400] not in dropped for text in true)
    lies = [claim.text for claim in verdict.claims if claim.text in false and claim.status in _OBSERVED]
    right_service = (cause.service if cause else None) == service
    right_change = versions.get(named or "") == change if change else named is None
    done = verdict.proposal is not None
    honest = right_service and right_change and kept >= 0.9 * len(true)
    return {
        "service": cause.service if cause else None,
        "expected_service": service,
        "change": versions.get(named or ""),
        "expected_change": change,
        "confidence": verdict.confidence,
        "true_drafted": len(true),
        "true_kept": kept,
        "lost": [(one.text, one.reason) for one in verdict.dropped if one.text in true],
        "false_observed": lies,
        "proposed": done,
        "cost_usd": round(verdict.cost_usd, 4),
        "model": verdict.model,
        "is_right": honest if persona.honest else not lies and not done,
    }


def summary(lines: Sequence[dict[str, Any]]) -> str:
    told = []
    for name in dict.fromkeys(line["persona"] for line in lines):
        mine = [line for line in lines if line["persona"] == name]
        right, drafted = sum(line["is_right"] for line in mine), sum(line.get("true_drafted", 0) for line in mine)
        kept = sum(line.get("true_kept", 0) for line in mine)
        told.append(f"{name}: {right} of {len(mine)} right, {kept} of {drafted} true claims kept")
    return "\n".join(told)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--persona", nargs="+", default=list(personas()), choices=list(personas()))
    parser.add_argument("--scenario", nargs="+", default=list(SCENARIOS), choices=list(SCENARIOS))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path)
    chosen = parser.parse_args()
    lines = []
    for name in chosen.persona:
        for scenario in chosen.scenario:
            try:
                lines.append(asyncio.run(play(personas()[name], scenario, chosen.seed)))
            except ShopError as exc:
                print(f"not played: {scenario}: {exc}", flush=True)
                continue
            print(json.dumps(lines[-1]), flush=True)
    print(summary(lines))
    if chosen.out:
        chosen.out.write_text(json.dumps({"lines": lines}, indent=1))
    return 0 if all(line["is_right"] for line in lines) else 1


if __name__ == "__main__":
    sys.exit(main())
