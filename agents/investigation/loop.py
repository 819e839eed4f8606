"""One turn of the investigator: model, then tools. Every effect is committed before the next one starts.

History is append-only (the API binds it): system and tools are frozen with the first message, steering and budget
notes are appended as `role: system` messages, an assistant's content is committed before any of its tools runs, and
each tool_use gets its tool_result in the next user message. A turn that is run again after a crash finds what was
committed and goes on.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Coroutine
from dataclasses import replace
from datetime import datetime, timedelta
from enum import StrEnum
from importlib import resources
from typing import Any, Final, TypeVar

from agents.connecting.toolbox import Toolbox
from agents.investigation.calls import answer_schema, conclude_schema, run_calls, run_tools
from agents.investigation.case import InvestigationCase, load_case, read_case, tool_uses
from agents.investigation.so_far import so_far
from agents.language.service_names import names_in
from agents.models.budget import ConcludeNow, Exhausted, judge, remaining_today, run_budget
from agents.models.claude_history import BY_CODE, BY_OTHERS, as_sent
from agents.models.model import MAX_TOKENS, ChatModel, ModelBug, ModelUnavailable, Turn, TurnRequest
from agents.models.offline import first_look
from agents.remediation import describe_remedies, remedies_of
from agents.runtime import Runtime
from store import audit
from store.audit import Actor, events
from store.database.session import TenantSession
from store.ids import InvestigationId, TenantId
from store.incidents import conversations, investigations
from store.incidents.investigations import Content, ModelMessage
from store.secrets.redaction import Redacted
from store.tenancy import tenants

log = logging.getLogger("autoheal.loop")
T = TypeVar("T")

_STOP_POLL_S: Final = 0.5
_MAX_NUDGES: Final = 2
_SAID: Final = 20  # lines of the thread before the run
_NUDGE: Final = "Call `conclude` now with what you know, or `answer` where only a question was asked."
_CUT: Final = "Your answer was cut off at its limit before it called anything. Think less, and call the next tool."
_MOST_TOKENS: Final = 64_000
_MOST_STAND_INS: Final = 3  # turns that the offline investigator takes before it keeps the run
_NO_WAY_ON: Final = {
    "refusal": "Claude declined to answer",
    "model_context_window_exceeded": "the conversation is longer than Claude can read",
}


class TurnOutcome(StrEnum):
    """What a turn or its tools led to: the only words the workflow sees."""

    TOOLS = "tools"
    AGAIN = "again"
    CONCLUDED = "concluded"
    STOPPED = "stopped"
    UNFINISHED = "unfinished"


async def begin(rt: Runtime, tenant: TenantId, investigation: InvestigationId) -> None:
    """Freeze system prompt, tools and the first message. Idempotent."""
    toolbox = await rt.toolbox_for(tenant)
    async with rt.db.tenant(tenant) as s:
        run = (await read_case(s, investigation)).investigation
        settings = await tenants.settings(s)
        spent = await investigations.spent_today(s)
        chat = await conversations.chat(s, run.conversation_id)
        model, because = _choose_model(rt, settings.model, remaining_today(float(settings.daily_usd_cap), spent))
        is_new = run.status == "queued"
        await investigations.set_status(s, investigation, "running", model=model)
        tools = [
            *(t.schema() for t in run_tools(rt, tenant, investigation, toolbox, question=str(run.question))),
            answer_schema(),
            conclude_schema(),
        ]
        hide = s.redactor.for_model().redact
        said: list[str] = [hide(f"{'Autoheal' if c.kind == 'bot' else 'person'}: {c.text}") for c in chat]
        known = hide(Redacted.ours(await so_far(s, run)))
        opening = _opening(toolbox, hide(run.question), said, rt.clock(), known)
        briefing = {"said": [str(c.text) for c in chat[-_SAID:] if c.kind != "bot"], **_known(toolbox)}
        await investigations.append_message(
            s,
            investigation,
            seq=0,
            role="user",
            content=[{"type": "text", "text": opening}],
            meta={
                "kind": "opening",
                "system": system_prompt(),
                "tools": tools,
                "offline_because": because,
                "briefing": briefing,
            },
        )
        if is_new:
            actor, details = Actor(type="agent", id=investigation), {"model": model}
            await events.emit(s, "ai.autoheal.investigation.started.v1", investigation, details, actor=actor)
            await audit.record(
                s, actor=actor, action="agent.investigation.started", target=investigation, details=details
            )


async def note_end(s: TenantSession, investigation: InvestigationId, because: str) -> None:
    """Why a run ended without a verdict, as the last words of its history."""
    meta = {"kind": "ended", "because": because}
    await _append(s, investigation, role="system", content=f"The run broke off: {because}.", meta=meta)


async def take_turn(rt: Runtime, tenant: TenantId, investigation: InvestigationId, turn: int) -> TurnOutcome:
    """Ask the model once and commit its answer. Safe to run again."""
    case = await load_case(rt.db, tenant, investigation)
    if (answered := case.turn_message("assistant", turn)) is not None:
        reason = str(answered.meta.get("stop_reason"))
        return await _after(rt, tenant, case, turn=turn, content=answered.content, reason=reason)
    async with rt.db.tenant(tenant, readonly=True) as s:
        if await investigations.stop_requested(s, investigation):
            return TurnOutcome.STOPPED
        left = remaining_today(float((await tenants.settings(s)).daily_usd_cap), await investigations.spent_today(s))
    offline = case.investigation.model == "offline"
    # Offline turns cost nothing, so no amount of money ends them.
    limits = (
        replace(rt.budget, max_usd=math.inf) if offline else run_budget(rt.budget, left + case.investigation.cost_usd)
    )
    judgement = judge(limits, case.spent(rt.clock()))
    if isinstance(judgement, Exhausted) and offline:
        return TurnOutcome.UNFINISHED
    if isinstance(judgement, Exhausted):
        await _go_offline(rt, tenant, case, f"over budget: {judgement.reason}")
    if turn == 0 and rt.looks_first and not await _look_first(rt, tenant, case):
        return TurnOutcome.STOPPED
    case = await load_case(rt.db, tenant, investigation)
    await _append_notes(rt, tenant, case, turn, judgement.reason if isinstance(judgement, ConcludeNow) else None)
    case = await load_case(rt.db, tenant, investigation)
    answer = await _until_stopped(rt, tenant, investigation, _ask(rt, tenant, case))
    if answer is None:
        return TurnOutcome.STOPPED
    await _commit(rt, tenant, investigation, turn, answer)
    await rt.reporter.progressed(tenant, investigation)
    return await _after(rt, tenant, case, turn=turn, content=answer.content, reason=answer.stop_reason)


async def _look_first(rt: Runtime, tenant: TenantId, case: InvestigationCase) -> bool:
    """Read before anybody is asked: what is abnormal, and what changed. False when somebody stopped the run."""
    if case.message_of("looked") is not None:
        return True
    asked = case.message_of("look")
    if asked is None:
        toolbox = await rt.toolbox_for(tenant)
        calls = first_look(_request(toolbox, case)) if toolbox.metrics or toolbox.logs or toolbox.traces else []
        if not calls:
            return True
        content = [
            {"type": "tool_use", "id": f"{BY_CODE}{number}", "name": name, "input": arguments}
            for number, (name, arguments) in enumerate(calls)
        ]
        async with rt.db.tenant(tenant) as s:
            meta = {"kind": "look", BY_OTHERS: True, "model": "code"}
            await _append(s, case.investigation.id, role="assistant", content=content, meta=meta)
        await rt.reporter.progressed(tenant, case.investigation.id)
        case = await load_case(rt.db, tenant, case.investigation.id)
        asked = case.message_of("look")
    uses = tool_uses(asked.content) if asked is not None else []
    results = await _until_stopped(rt, tenant, case.investigation.id, run_calls(rt, tenant, case, uses))
    if results is None:
        return False
    async with rt.db.tenant(tenant) as s:
        await _append(s, case.investigation.id, role="user", content=results, meta={"kind": "looked"})
    await rt.reporter.progressed(tenant, case.investigation.id)
    return True


async def answer_calls(rt: Runtime, tenant: TenantId, investigation: InvestigationId, turn: int) -> TurnOutcome:
    """Run the tools that turn `turn` asked for and commit their results in one user message. Safe to run again."""
    case = await load_case(rt.db, tenant, investigation)
    asked = case.turn_message("assistant", turn)
    if asked is None:
        raise LookupError(f"turn {turn} has no committed answer")
    reason = str(asked.meta.get("stop_reason"))
    if case.turn_message("user", turn) is None:
        calls = run_calls(rt, tenant, case, tool_uses(asked.content), cut_off=_cut_off(asked.content, reason))
        results = await _until_stopped(rt, tenant, investigation, calls)
        if results is None:
            return TurnOutcome.STOPPED
        async with rt.db.tenant(tenant) as s:
            await _append(s, investigation, role="user", content=results, meta={"kind": "results", "turn": turn})
        await rt.reporter.progressed(tenant, investigation)
    if reason in _NO_WAY_ON:
        await _go_offline(rt, tenant, case, _no_way_on(asked, reason))
    concluded = (await load_case(rt.db, tenant, investigation)).investigation.verdict is not None
    return TurnOutcome.CONCLUDED if concluded else TurnOutcome.AGAIN


def _no_way_on(answer: ModelMessage | None, reason: str) -> str:
    why = _NO_WAY_ON.get(reason, "Claude gave an empty answer")
    declined = answer.meta.get("declined") if answer is not None else None
    return f"{why}: {declined}" if declined else why


def _cut_off(content: Content, reason: str) -> str | None:
    """The id of a call that the model could not finish writing: its arguments are not what it meant."""
    last = content[-1] if content and not isinstance(content, str) else {}
    unfinished = reason in ("max_tokens", "model_context_window_exceeded") and last.get("type") == "tool_use"
    return str(last["id"]) if unfinished else None


async def _after(
    rt: Runtime, tenant: TenantId, case: InvestigationCase, *, turn: int, content: Content, reason: str
) -> TurnOutcome:
    """What follows from a committed answer. Every stop reason has its own way on."""
    if tool_uses(content):
        return TurnOutcome.TOOLS
    if reason in ("pause_turn", "compaction"):
        return TurnOutcome.AGAIN
    if reason in _NO_WAY_ON or not content:
        given = (await load_case(rt.db, tenant, case.investigation.id)).turn_message("assistant", turn)
        await _go_offline(rt, tenant, case, _no_way_on(given, reason))
        return TurnOutcome.AGAIN
    nudges = [m.meta.get("after") for m in case.messages if m.meta.get("kind") == "nudge"]
    if turn in nudges:
        return TurnOutcome.AGAIN
    if len(nudges) >= _MAX_NUDGES:
        return TurnOutcome.UNFINISHED
    # An assistant's words may only be followed by a user message, so this is none of the system notes.
    words: list[dict[str, Any]] = [{"type": "text", "text": _CUT if reason == "max_tokens" else _NUDGE}]
    async with rt.db.tenant(tenant) as s:
        await _append(s, case.investigation.id, role="user", content=words, meta={"kind": "nudge", "after": turn})
    return TurnOutcome.AGAIN


async def _ask(rt: Runtime, tenant: TenantId, case: InvestigationCase) -> Turn:
    """The chosen model, or the offline investigator when Claude cannot be asked; the thread says so.

    What passes by itself costs Claude this turn only: the next one asks it again, though without waiting for it.
    """
    toolbox = await rt.toolbox_for(tenant)
    model = _model(rt, case)
    if model.offline:
        return await model.ask(_request(toolbox, case))
    stood_in = [m for m in case.messages if m.meta.get("kind") == "stand_in"]
    request = _request(toolbox, case, messages=as_sent(case.messages))
    request = replace(request, patience=timedelta(0)) if stood_in else request
    passes = True
    try:
        async with asyncio.timeout(rt.pace.model_timeout.total_seconds()):
            return await model.ask(request)
    except TimeoutError:
        reason = "Claude did not answer in time"
        log.warning("Claude did not answer in time", extra={"action": "model.unavailable", "kind": "TimeoutError"})
    except ModelUnavailable as exc:
        reason, passes = str(exc), exc.passes
        facts = {"action": "model.unavailable", "kind": type(exc).__name__, "passes": passes}
        log.warning("Claude cannot be asked: %s", exc, extra=facts)
    except ModelBug as exc:
        reason, passes = "Claude refused the request as malformed", False
        facts = {"action": "model.refused", "where": exc.where, "request": exc.request_id}
        log.error("Claude refused a request as malformed", extra=facts)  # noqa: TRY400 -- its text is the provider's
    if passes and len(stood_in) < _MOST_STAND_INS - 1:
        await _stand_in(rt, tenant, case, reason)
    else:
        await _go_offline(rt, tenant, case, reason)
    case = await load_case(rt.db, tenant, case.investigation.id)
    return await rt.offline.ask(_request(toolbox, case))


def _request(toolbox: Toolbox, case: InvestigationCase, *, messages: list[dict[str, Any]] | None = None) -> TurnRequest:
    first = case.messages[0].meta or {}
    cuts = sum(1 for m in case.messages if m.meta.get("stop_reason") == "max_tokens")
    return TurnRequest(
        system=first["system"],
        tools=first["tools"],
        messages=[_as_kept(m) for m in case.messages if m.content] if messages is None else messages,
        max_tokens=min(_MOST_TOKENS, MAX_TOKENS * 2**cuts),
        briefing=case.briefing(_known(toolbox)),
    )


async def _stand_in(rt: Runtime, tenant: TenantId, case: InvestigationCase, because: str) -> None:
    """The offline investigator takes one turn, and the history says why."""
    async with rt.db.tenant(tenant) as s:
        note = f"The offline investigator takes this turn: {because}."
        await _append(
            s, case.investigation.id, role="system", content=note, meta={"kind": "stand_in", "because": because}
        )


def _model(rt: Runtime, case: InvestigationCase) -> ChatModel:
    return rt.offline if case.investigation.model == "offline" or rt.claude is None else rt.claude


async def _go_offline(rt: Runtime, tenant: TenantId, case: InvestigationCase, because: str) -> None:
    """From here on the offline investigator answers, and the history says why. Safe to repeat."""
    if case.investigation.model == "offline":
        return
    async with rt.db.tenant(tenant) as s:
        await investigations.set_status(s, case.investigation.id, "running", model="offline")
        note = f"The offline investigator goes on: {because}."
        await _append(
            s, case.investigation.id, role="system", content=note, meta={"kind": "offline", "because": because}
        )
        run = case.investigation.id
        actor = Actor(type="agent", id=run)
        await events.emit(s, "ai.autoheal.model.fell_back.v1", run, actor=actor)
        await audit.record(s, actor=actor, action="agent.model.fell_back", target=run, details={"because": because})


async def _append_notes(
    rt: Runtime, tenant: TenantId, case: InvestigationCase, turn: int, conclude_because: str | None
) -> None:
    """Steering by people and the budget's warning, as appended system messages."""
    if next((m.role for m in reversed(case.messages) if m.content), "") == "assistant":
        return  # a paused turn is continued as it stands; the notes wait for the next one
    told = any((m.meta or {}).get("kind") == "budget" for m in case.messages)
    async with rt.db.tenant(tenant) as s:
        written = {(m.meta or {}).get("note") for m in case.messages}
        for note in await investigations.take_notes(s, case.investigation.id, turn=turn):
            if note.id not in written:
                text = f"A person in the thread says: {s.redactor.for_model().redact(note.text)}"
                meta = {"kind": "steering", "note": note.id, "text": str(note.text)}
                await _append(s, case.investigation.id, role="system", content=text, meta=meta)
        if conclude_because and not told:
            text = f"Conclude now: {conclude_because}."
            await _append(s, case.investigation.id, role="system", content=text, meta={"kind": "budget"})


async def _commit(rt: Runtime, tenant: TenantId, investigation: InvestigationId, turn: int, answer: Turn) -> None:
    async with rt.db.tenant(tenant) as s:
        meta: dict[str, Any] = {"turn": turn, "stop_reason": answer.stop_reason, "model": answer.model}
        meta |= {BY_OTHERS: True} if answer.model == rt.offline.name else {}
        meta |= {"declined": answer.declined} if answer.declined else {}
        await _append(s, investigation, role="assistant", content=answer.content, meta=meta)
        await investigations.add_usage(
            s,
            investigation,
            input_tokens=answer.usage.total_input,
            output_tokens=answer.usage.output,
            cost_usd=answer.cost_usd,
            tool_calls=len(tool_uses(answer.content)),
            turns=1,
        )
        details = {"turn": turn, "model": answer.model, "stop_reason": answer.stop_reason}
        actor = Actor(type="agent", id=investigation)
        await audit.record(s, actor=actor, action="agent.model.called", target=investigation, details=details)
    usage = answer.usage
    rt.meter.model_called(
        answer.model, input_tokens=usage.total_input, output_tokens=usage.output, cost_usd=answer.cost_usd
    )


async def _append(s: Any, investigation: InvestigationId, *, role: str, content: Any, meta: dict[str, Any]) -> None:
    seq = await investigations.count_messages(s, investigation)
    await investigations.append_message(s, investigation, seq=seq, role=role, content=content, meta=meta)


async def _until_stopped(
    rt: Runtime, tenant: TenantId, investigation: InvestigationId, work: Coroutine[Any, Any, T]
) -> T | None:
    """The answer, or None when somebody pressed Stop meanwhile: no call of a model or a tool may outlive it."""
    task = asyncio.create_task(work)
    try:
        while not (await asyncio.wait({task}, timeout=_STOP_POLL_S))[0]:
            async with rt.db.tenant(tenant, readonly=True) as s:
                if await investigations.stop_requested(s, investigation):
                    return None
        return task.result()
    finally:
        if not task.done():
            task.cancel()
            await asyncio.wait({task})


def _as_kept(message: ModelMessage) -> dict[str, Any]:
    return {"role": message.role, "content": message.content}


def _choose_model(rt: Runtime, wanted: str, left_usd: float) -> tuple[str, str | None]:
    """`claude` or `offline`, with the reason when it is not what the tenant wanted."""
    if wanted != "claude":
        return "offline", None
    if rt.claude is None:
        return "offline", None
    if left_usd <= 0:
        return "offline", "today's spending cap is reached"
    return "claude", None


def system_prompt() -> str:
    return resources.files("agents.investigation.prompts").joinpath("investigator.md").read_text(encoding="utf-8")


def _known(toolbox: Toolbox) -> dict[str, Any]:
    """What `_opening` says of services and sources, as data."""
    return {
        "services": {service.name: list(service.depends_on) for service in toolbox.services},
        "aliases": toolbox.spellings(),
        "remedies": remedies_of(toolbox.actuators, toolbox.services),
        "connected": toolbox.sources(),
        "missing": toolbox.missing(),
    }


def _opening(toolbox: Toolbox, question: str, chat: list[str], now: datetime, known: str) -> Redacted:
    """The first user message: the question, when it is asked, what is declared, whom the named services call and are
    called by, what is connected, what was said in the thread.
    """
    near = "\n".join(_neighbours(toolbox, name) for name in names_in(question, toolbox.service_names())[:3])
    services = "\n".join(
        f"- {s.name} ({s.environment}){', calls ' + ', '.join(s.depends_on) if s.depends_on else ''}"
        f"{', also called ' + ', '.join(s.aliases) if s.aliases else ''}"
        for s in toolbox.services
    )
    said = "\n".join(chat[-_SAID:])
    connected = ", ".join(toolbox.sources()) or "nothing"
    missing = ", ".join(toolbox.missing()) or "nothing missing"
    parts = [
        f"Question from the thread:\n{question}",
        f"Now it is {now:%A %d %B %Y, %H:%M:%S} UTC. All times here are UTC.",
        f"So far in this incident:\n{known}" if known else "",
        f"Declared services:\n{services or '- none'}",
        f"Remedies that may be proposed:\n{describe_remedies(remedies_of(toolbox.actuators, toolbox.services))}",
        f"Around what was named:\n{near}" if near else "",
        f"Connected: {connected}. Not connected: {missing}.",
        "\n".join(toolbox.instructions()),
        f"Said in the thread so far:\n{said}" if said else "",
    ]
    return Redacted.ours("\n\n".join(part for part in parts if part))


def _neighbours(toolbox: Toolbox, name: str) -> str:
    calls = sorted(edge.callee for edge in toolbox.edges if edge.caller == name)
    callers = sorted(edge.caller for edge in toolbox.edges if edge.callee == name)
    return f"- {name}: called by {', '.join(callers) or 'none of them'}; calls {', '.join(calls) or 'none of them'}"
