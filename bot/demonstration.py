"""`autoheal demo`: the local workspace, the sample shop and the real `autoheal serve` in a process of its own.

The bot is started exactly as an operator starts it, by environment variables and an operator's file; it does not know
that the workspace is local. In headless mode this driver plays the person on call: it mentions, and it clicks
Approve.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from bot.demo.shop import SCENARIOS, Shop, ShopError, ShopMention
from bot.demo.workspace import StoredMessage, Workspace
from bot.demo_estate import TOKEN, operator_file
from bot.demo_vendors import VENDORS, LocalVendor, SeenAs
from bot.manifest import load_manifest
from bot.opening import now
from store import incidents
from store.database.session import Database
from store.ids import TenantId
from store.incidents import approvals, artifacts, investigations
from store.incidents.approvals import Approval, ApprovalState
from store.incidents.investigations import Investigation
from store.keys.local_keys import LocalFileKeys
from store.keys.shredding import ShredLedger
from store.tenancy.tenants import list_tenants

PERSON: Final = "mia"
CHANNEL: Final = "#incidents"
_READY_S: Final = 60.0
_VERDICT_S: Final = 90.0
_WATCHED_S: Final = 15.0  # a bot that has just been started knows no healthy time yet
_NOTICED_AFTER_S: Final = 5.0  # nobody reports an incident in its first moments
_OUTCOME_S: Final = 120.0
_SHOWN_S: Final = 15.0
_SHRED_MARK: Final = "shred-mark.json"  # beside the data folder: `serve` and the demo open one keyring
_HEALING: Final = {"CHECK_S": "1", "HOLD_S": "4", "WINDOW_S": "26"}
_FINAL: Final = frozenset(
    {
        ApprovalState.HEALED,
        ApprovalState.DONE,
        ApprovalState.NOT_HEALED,
        ApprovalState.UNKNOWN,
        ApprovalState.FAILED,
        ApprovalState.EXPIRED,
        ApprovalState.REJECTED,
    }
)


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What was asked for on the command line."""

    scenario: str
    seed: int | None
    headless: bool
    as_json: bool
    port: int
    claude: bool = False
    seen_as: SeenAs = "git"


@dataclass(frozen=True, kw_only=True)
class DemonstrationResult:
    """One line of `--headless --json`. Times are seconds since the mention; null equals null is right."""

    scenario: str
    seed: int
    root_cause_service: str | None
    root_cause_change: str | None
    expected_service: str | None
    expected_change: str | None
    confidence: str | None
    proposed: str | None
    applied_times: int
    healed: bool | None
    healable: bool | None
    seconds: float
    first_evidence_seconds: float | None
    tool_calls: int
    evidence_tokens: int
    messages: int
    pushes: int

    @property
    def went_well(self) -> bool:
        """The right service and change were named, and what can heal has healed."""
        named = (self.root_cause_service, self.root_cause_change) == (self.expected_service, self.expected_change)
        return named and (not self.healable or bool(self.healed))


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A running demonstration."""

    workspace: Workspace
    shop: Shop
    database: Database
    tenant: TenantId
    vendor: LocalVendor | None = None


async def demonstrate(choice: Choice) -> int:
    """Exit code 0 when everything ran; headless 1 unless all was told right and healed; 2 for an unknown scenario."""
    seed = choice.seed if choice.seed is not None else random.SystemRandom().randrange(1, 10_000)
    names = _scenarios(choice.scenario, seed)
    if not names:
        print(
            f"There is no scenario {choice.scenario!r}. There are: {', '.join(SCENARIOS)}, random, all.",
            file=sys.stderr,
        )
        return 2
    if choice.claude and not os.environ.get("ANTHROPIC_API_KEY"):
        print("--claude needs ANTHROPIC_API_KEY in the environment.", file=sys.stderr)
        return 2
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    folder = Path(tempfile.mkdtemp(prefix="autoheal-"))
    try:
        async with open_stage(folder, seed, choice.port, claude=choice.claude, seen_as=choice.seen_as) as stage:
            work = asyncio.create_task(_play(stage, choice, names, seed))
            stopping = asyncio.create_task(stop.wait())
            done, pending = await asyncio.wait({work, stopping}, return_when=asyncio.FIRST_COMPLETED)
            for task in pending:
                task.cancel()
            await asyncio.gather(*pending, return_exceptions=True)
            return work.result() if work in done else 0
    except ShopError as exc:
        print(f"The sample shop: {exc}", file=sys.stderr)
        return 1
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _scenarios(wanted: str, seed: int) -> list[str]:
    if wanted == "all":
        return list(SCENARIOS)
    if wanted == "random":
        return [random.Random(seed).choice(list(SCENARIOS))]  # noqa: S311 -- a show, not a secret
    return [wanted] if wanted in SCENARIOS else []


@asynccontextmanager
async def open_stage(
    folder: Path, seed: int, port: int, *, claude: bool = False, seen_as: SeenAs = "git"
) -> AsyncIterator[Stage]:
    """Workspace, shop and bot up, and the vendor through which the shop is seen; all of it gone afterwards."""
    workspace = Workspace(load_manifest(), port=port)
    await workspace.start()
    shop: Shop | None = None
    vendor: LocalVendor | None = None
    try:
        shop = await Shop.start(folder / "shop", seed=seed)
        described = shop.describe()
        more: dict[str, str] = {}
        if seen_as in VENDORS:
            vendor = VENDORS[seen_as](described)
            await vendor.start()
            more = {TOKEN: vendor.token}
        (folder / "autoheal.toml").write_text(operator_file(described, seen_as, vendor.url if vendor else ""))
        async with _bot(folder, workspace, claude=claude, more=more):
            data = folder / "data"
            database = await Database.open(
                f"sqlite+aiosqlite:///{data}/autoheal.db",
                keyring_url=f"sqlite+aiosqlite:///{data}/keyring.db",
                keys=LocalFileKeys(data / "master.key"),
                ledger=ShredLedger(data / "shred-ledger.jsonl", folder / _SHRED_MARK),
                clock=now,
            )
            try:
                tenant = (await list_tenants(database))[0].id
                await asyncio.sleep(_WATCHED_S)
                yield Stage(workspace=workspace, shop=shop, database=database, tenant=tenant, vendor=vendor)
            finally:
                await database.close()
    finally:
        if vendor is not None:
            await vendor.stop()
        if shop is not None:
            await shop.stop()
        await workspace.stop()


def bot_environment(
    inherited: Mapping[str, str], folder: Path, workspace: Workspace, *, claude: bool
) -> dict[str, str]:
    """What `serve` is started with: a key of the Messages API that lies about only where Claude was asked for."""
    ours = ("AUTOHEAL_", "SLACK_") if claude else ("AUTOHEAL_", "SLACK_", "ANTHROPIC_")
    return {
        **{key: value for key, value in inherited.items() if not key.startswith(ours)},
        "AUTOHEAL_DATA": str(folder / "data"),
        "AUTOHEAL_SHRED_MARK": str(folder / _SHRED_MARK),
        "AUTOHEAL_STOP_WITH_PARENT": "true",
        "AUTOHEAL_OPERATOR_FILE": str(folder / "autoheal.toml"),
        "SLACK_API_URL": workspace.api_url,
        "SLACK_BOT_TOKEN": workspace.bot_token,
        "SLACK_APP_TOKEN": workspace.app_token,
        **{f"AUTOHEAL_HEALING_{name}": value for name, value in _HEALING.items()},
    }


@asynccontextmanager
async def _bot(folder: Path, workspace: Workspace, *, claude: bool, more: Mapping[str, str]) -> AsyncIterator[None]:
    """`autoheal serve` as an operator runs it. Its log is a file in the folder."""
    environment = {**bot_environment(os.environ, folder, workspace, claude=claude), **more}
    with (folder / "serve.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "bot",
            "serve",
            env=environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=log,
            start_new_session=True,
        )
    try:
        line = b""
        if process.stdout is not None:
            with contextlib.suppress(TimeoutError):
                line = await asyncio.wait_for(process.stdout.readline(), _READY_S)
        if not line:
            raise ShopError(f"the bot did not start:\n{(folder / 'serve.log').read_text()[-2000:]}")
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), 10)
        except TimeoutError:
            process.kill()
            await process.wait()
        if os.environ.get("AUTOHEAL_DEMO_LOG"):
            shutil.copy(folder / "serve.log", os.environ["AUTOHEAL_DEMO_LOG"])


async def _play(stage: Stage, choice: Choice, names: list[str], seed: int) -> int:
    if not choice.headless:
        await _show(stage, names[0], seed)
        return 0
    well = True
    for index, name in enumerate(names):
        result = await run_scenario(stage, name, seed + index, seed)
        print(json.dumps(asdict(result)) if choice.as_json else _sentence(result), flush=True)
        well = well and result.went_well
    return 0 if well else 1


async def _show(stage: Stage, name: str, seed: int) -> None:
    """For a person at the page: one incident starts by itself; then they may break more."""
    shop = stage.shop.describe()
    print(f"\n  Open  {stage.workspace.base_url}\n", flush=True)
    print("  Measuring a healthy baseline of the shop ...", flush=True)
    await stage.shop.baseline()
    mention = await stage.shop.begin(name, seed)
    await stage.workspace.post(PERSON, CHANNEL, f"@autoheal {mention.text}")
    print(f"  {PERSON} asked in {CHANNEL}. Watch the thread, then click the button on the card.\n")
    print(f"  Break it yourself: edit {shop.repository}/services/<name>/app.py, then")
    print(f"  {' '.join(shop.shopctl)} deploy <name>")
    print(f"  and mention @autoheal in {CHANNEL}. Ctrl-C ends the demo and removes all that it made.", flush=True)
    await asyncio.Event().wait()


async def run_scenario(stage: Stage, name: str, scenario_seed: int, seed: int) -> DemonstrationResult:
    """Measure a baseline, break the shop, ask, approve what is proposed, let the referee judge, put it right again."""
    await stage.shop.baseline()
    mention = await stage.shop.begin(name, scenario_seed)
    await asyncio.sleep(_NOTICED_AFTER_S)
    started = time.monotonic()
    thread = await stage.workspace.post(PERSON, CHANNEL, f"@autoheal {mention.text}")
    first = asyncio.create_task(_since(stage, thread, started, _shows_evidence))
    verdict_s, run, decided = await _follow(stage, thread, started)
    judgement = await stage.shop.judge()
    first_s = await first
    await stage.shop.reset()
    said = [m for m in stage.workspace.messages(CHANNEL, thread) if m.user == stage.workspace.bot_user_id]
    await _resolve(stage, thread)
    cause = (run.verdict or {}).get("cause") or {} if run else {}
    causal = cause.get("change") if cause.get("change_verdict") == "cause" else None
    found = await _artifacts(stage, run)
    return DemonstrationResult(
        scenario=name,
        seed=seed,
        root_cause_service=cause.get("service"),
        root_cause_change=await _version_of(causal, found),
        expected_service=judgement.expected_service,
        expected_change=judgement.expected_change,
        confidence=(run.verdict or {}).get("confidence") if run else None,
        proposed=decided[-1].remediation if decided else None,
        applied_times=sum(1 for approval in decided if approval.applied_at is not None),
        healed=judgement.healed,
        healable=judgement.healable,
        seconds=round(verdict_s, 2),
        first_evidence_seconds=None if first_s is None else round(first_s, 2),
        tool_calls=len(found),
        evidence_tokens=sum(len(text) for text, _ in found) // 4,
        messages=sum(1 for m in said if not m.ephemeral_for),
        pushes=stage.workspace.pushes(CHANNEL, thread),
    )


async def _resolve(stage: Stage, thread: str) -> None:
    """The person on call says that it is over, so that what breaks next is another incident."""

    async def over() -> bool | None:
        channel = stage.workspace.channels[CHANNEL.removeprefix("#")].id
        async with stage.database.tenant(stage.tenant, readonly=True) as s:
            incident = await incidents.incident_for_thread(s, channel, thread)
        return True if incident is None or not incident.is_open else None

    await stage.workspace.post(PERSON, CHANNEL, "@autoheal resolve", thread)
    await _poll(over, _SHOWN_S)


async def _follow(stage: Stage, thread: str, started: float) -> tuple[float, Investigation | None, list[Approval]]:
    """Approve each proposal as the person on call until the search ends.

    Answers the seconds to the first verdict in the thread, the last run, and all that was decided.
    """
    decided: list[Approval] = []
    first_verdict: float | None = None
    attempt, rung = 0, 0
    while True:
        run = await _poll(partial(_concluded, stage, thread, attempt), _VERDICT_S)
        rung = await _rung(stage, thread, rung)
        first_verdict = first_verdict or time.monotonic() - started
        if run is None:
            return first_verdict, await _latest(stage, thread), decided
        attempt = run.attempt
        card = await _shown_card(stage, thread) if (run.verdict or {}).get("proposal") else None
        if card is None:
            return first_verdict, run, decided
        await stage.workspace.click(PERSON, card.ts, "approve")
        ended = await _poll(partial(_ended, stage, thread, len(decided)), _OUTCOME_S)
        rung = await _rung(stage, thread, rung + 1)
        if ended is not None:
            decided.append(ended)
        if ended is None or ended.state is not ApprovalState.NOT_HEALED:
            return first_verdict, run, decided


async def _rung(stage: Stage, thread: str, before: int) -> int:
    """How many messages have rung a phone, once there is one more than `before`: it is in the thread then."""
    with contextlib.suppress(TimeoutError):
        await stage.workspace.wait_for(lambda w: w.pushes(CHANNEL, thread) > before, timeout=_SHOWN_S)
    return stage.workspace.pushes(CHANNEL, thread)


async def _shown_card(stage: Stage, thread: str) -> StoredMessage | None:
    """The card with its button; None when the plan could not be made and no card came."""
    with contextlib.suppress(TimeoutError):
        return await stage.workspace.wait_for(lambda w: _card(w, thread), timeout=_SHOWN_S)
    return None


def _card(workspace: Workspace, thread: str) -> StoredMessage | None:
    cards = [
        message
        for message in workspace.messages(CHANNEL, thread)
        if any(
            e.get("action_id") == "approve"
            for b in message.all_blocks
            for e in b.get("elements", ())
            if isinstance(e, dict)
        )
    ]
    return cards[-1] if cards else None


def _actions(message: StoredMessage) -> list[str]:
    elements = [element for block in message.all_blocks for element in block.get("elements", ())]
    return [str(element.get("action_id")) for element in elements if isinstance(element, dict)]


def _shows_evidence(message: StoredMessage) -> bool:
    """A message with a result read from a source: a finished task with output, or the measured symptom."""
    return any(task.get("status") == "complete" and task.get("output") for task in message.tasks)


async def _since(stage: Stage, thread: str, started: float, shows: Callable[[StoredMessage], bool]) -> float | None:
    with contextlib.suppress(TimeoutError):
        await stage.workspace.wait_for(lambda w: any(shows(m) for m in w.messages(CHANNEL, thread)), timeout=_VERDICT_S)
        return time.monotonic() - started
    return None


async def _latest(stage: Stage, thread: str) -> Investigation | None:
    channel = stage.workspace.channels[CHANNEL.removeprefix("#")].id
    async with stage.database.tenant(stage.tenant, readonly=True) as s:
        incident = await incidents.incident_for_thread(s, channel, thread)
        return await investigations.latest_investigation(s, incident.id) if incident else None


async def _concluded(stage: Stage, thread: str, after_attempt: int) -> Investigation | None:
    run = await _latest(stage, thread)
    ended = run is not None and run.attempt > after_attempt and run.status in ("concluded", "failed", "stopped")
    return run if ended else None


async def _ended(stage: Stage, thread: str, index: int) -> Approval | None:
    channel = stage.workspace.channels[CHANNEL.removeprefix("#")].id
    async with stage.database.tenant(stage.tenant, readonly=True) as s:
        incident = await incidents.incident_for_thread(s, channel, thread)
        found = await approvals.approvals_of_incident(s, incident.id) if incident else []
    return found[index] if len(found) > index and found[index].state in _FINAL else None


async def _poll(look: Callable[[], Any], timeout_s: float) -> Any:
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        found = await look()
        if found is not None:
            return found
        await asyncio.sleep(0.1)
    return None


async def _artifacts(stage: Stage, run: Investigation | None) -> list[tuple[str, dict[str, Any]]]:
    if run is None:
        return []
    async with stage.database.tenant(stage.tenant, readonly=True) as s:
        return [(str(a.text), a.facts) for a in await artifacts.artifacts(s, run.id)]


async def _version_of(change: str | None, found: list[tuple[str, dict[str, Any]]]) -> str | None:
    """The commit that a change id deployed."""
    for _, facts in found:
        for entry in facts.get("changes", ()):
            if entry.get("id") == change:
                return str(entry.get("commit") or entry.get("version"))
    return None


def _sentence(result: DemonstrationResult) -> str:
    right = result.root_cause_service == result.expected_service
    healed = {None: "nothing to heal here", True: "healed", False: "not healed"}[result.healed]
    return (
        f"{result.scenario:18} {'right' if right else 'WRONG'}: {result.root_cause_service or 'no cause'} "
        f"({result.confidence}); {healed}; verdict after {result.seconds} s"
    )


__all__ = ["Choice", "DemonstrationResult", "ShopMention", "Stage", "demonstrate", "open_stage", "run_scenario"]
