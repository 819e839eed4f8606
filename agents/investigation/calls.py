"""Runs the tool calls of one turn: classified in code, reads in parallel, each result stored before the model sees it.

A tool that is unknown, not a read, late or failing answers as an error result and becomes a gap; it never ends the run.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from functools import partial
from typing import Any, Final

from pydantic import ValidationError

from agents.connecting.toolbox import Toolbox
from agents.errors import AgentError, BadArguments
from agents.failure import log_failure
from agents.investigation.alert_tools import AlertTools
from agents.investigation.case import InvestigationCase, read_case
from agents.investigation.code_tools import CodeTools
from agents.investigation.conclusion import answer, conclude
from agents.investigation.investigation_tools import InvestigationTools, StoredResult
from agents.investigation.log_tools import LogTools
from agents.investigation.reading_tools import ReadingTools
from agents.rows import Unread
from agents.rows import stored as rows
from agents.runtime import Runtime
from agents.tool import Risk, Tool, ToolOutput
from agents.verdict import Draft, DraftAnswer, read_draft
from store import audit
from store.audit import Actor
from store.database.trouble import passes
from store.ids import InvestigationId, TenantId
from store.incidents import artifacts
from store.incidents.artifacts import Artifact
from store.secrets.redaction import Redacted, RedactionFailed

log = logging.getLogger("autoheal.calls")

CONCLUDE: Final = "conclude"
ANSWER: Final = "answer"
_ENDS: Final = frozenset({CONCLUDE, ANSWER})
HEARD_FIRST: Final = "not stored: people in the thread said something meanwhile. Read it, then conclude again"
_RESULT_CHARACTERS: Final = 10_000
_MOST_UNREADABLE: Final = 4
Result = dict[str, Any]


def run_tools(
    rt: Runtime, tenant: TenantId, investigation: InvestigationId, toolbox: Toolbox, *, question: str
) -> list[Tool]:
    """The tools of a run, in a stable order: the investigation's own and every connector's read tools. Of foreign ones
    those that fit the run's `question` best.
    """

    async def stored() -> list[StoredResult]:
        async with rt.db.tenant(tenant, readonly=True) as s:
            found = await artifacts.artifacts(s, investigation)
        # An error result holds the model's own words; read again it must not pass for something that was found.
        return [StoredResult(id=f"A{a.number}", text=a.text) for a in found if not a.is_error]

    pool = rt.evidence.of(tenant)
    own = InvestigationTools(toolbox=toolbox, pool=pool, now=rt.clock, stored=stored, sleep=rt.sleep)
    reading = ReadingTools(toolbox=toolbox, pool=pool, now=rt.clock)
    beside = [*LogTools(toolbox, now=rt.clock).tools(), *AlertTools(toolbox).tools(), *CodeTools(toolbox, pool).tools()]
    tools = [*own.tools(), *reading.tools(), *beside, *toolbox.connector_tools(question)]
    return [tool for tool in tools if tool.risk is Risk.READ]


def conclude_schema() -> dict[str, Any]:
    """The one tool that the loop itself answers."""
    schema = Draft.model_json_schema()
    schema.pop("title", None)
    return {
        "name": CONCLUDE,
        "description": "Hand in the conclusion. Claims are checked against the stored results; what fails is dropped. "
        "If something failed you may mend the draft and call this once more.",
        "input_schema": schema,
    }


def answer_schema() -> dict[str, Any]:
    """The other one: for a question."""
    schema = DraftAnswer.model_json_schema()
    schema.pop("title", None)
    schema.pop("description", None)
    return {
        "name": ANSWER,
        "description": "Answer a question that asks for no diagnosis, with proofs: how many, which, since when, are "
        "you sure. Read what is missing first. Use `conclude` instead where somebody asks what is wrong or why. "
        "Claims are checked as those of a conclusion are. "
        'Example: {"claims": [{"text": "12 requests failed", "status": "observed", "proofs": [{"artifact": "A2", '
        '"quote": "12 failed"}]}]}',
        "input_schema": schema,
    }


async def run_calls(
    rt: Runtime,
    tenant: TenantId,
    case: InvestigationCase,
    calls: Sequence[dict[str, Any]],
    *,
    cut_off: str | None = None,
) -> list[Result]:
    """A tool_result for every call, in order. Reads run together; `conclude` runs after them.

    The call with the id `cut_off` was not written to its end and is not run.
    """
    run = case.investigation.id
    question = str(case.investigation.question)
    offered = run_tools(rt, tenant, run, await rt.toolbox_for(tenant), question=question)
    tools = {tool.name: tool for tool in offered}
    gate = asyncio.Semaphore(rt.pace.tool_concurrency)

    async def one(call: dict[str, Any]) -> Result:
        async with gate:
            return await _read(rt, tenant, case, tools, call)

    whole = [call for call in calls if call["id"] != cut_off]
    reads = await asyncio.gather(*(one(call) for call in whole if call["name"] not in _ENDS))
    answered = {result["tool_use_id"]: result for result in reads}
    for call in calls:
        if call["id"] == cut_off:
            text = "your answer was cut off in the middle of this call, so it was not run; write less and call again"
            answered[call["id"]] = _result(call, text, is_error=True)
        elif call["name"] in _ENDS:
            end = _conclude if call["name"] == CONCLUDE else _answer
            answered[call["id"]] = await end(rt, tenant, run, call)
    return [answered[call["id"]] for call in calls]


async def _read(
    rt: Runtime, tenant: TenantId, case: InvestigationCase, tools: Mapping[str, Tool], call: dict[str, Any]
) -> Result:
    done = next((a for a in case.artifacts if a.tool_use_id == call["id"]), None)
    if done is not None:
        return _result(call, _shown(done), is_error=done.is_error)
    if _times_asked(case, call) > rt.budget.max_repeats:
        return _result(call, "this call was already answered; use the earlier result", is_error=True)
    if call["name"] in tools and isinstance(call["input"], Mapping):
        call = {**call, "input": tools[call["name"]].mended(call["input"])}
    output, is_error, source = await _call(tools.get(call["name"]), call, tools)
    rt.meter.tool_called(source, "unknown_tool" if call["name"] not in tools else "error" if is_error else "ok")
    if call["name"] not in tools:
        await _record_refusal(rt, tenant, case, call)
    try:
        artifact = await _store(rt, tenant, case, call, output, source=source, is_error=is_error)
    except RedactionFailed:
        gap = f"{source}: a result of {call['name']} could not be made safe to store, so it was not read"
        unsafe = _unread(gap, "not safe to store", gap=gap)
        artifact = await _store(rt, tenant, case, {**call, "input": {}}, unsafe, source=source, is_error=True)
    await rt.reporter.progressed(tenant, case.investigation.id)
    return _result(call, _shown(artifact), is_error=artifact.is_error)


async def _store(
    rt: Runtime,
    tenant: TenantId,
    case: InvestigationCase,
    call: dict[str, Any],
    output: ToolOutput,
    *,
    source: str,
    is_error: bool,
) -> Artifact:
    """The result as an artifact, redacted. Raises RedactionFailed: then nothing was stored."""
    run = case.investigation.id
    async with rt.db.tenant(tenant) as s:
        stored = await artifacts.save_artifact(
            s,
            investigation_id=run,
            tool_use_id=call["id"],
            tool=_tool_name(call),
            arguments=call["input"],
            text=s.redactor.for_model().redact(output.text),
            source=source,
            is_error=is_error,
            facts=s.redactor.redact_json(_facts(output)),
        )
        details = {"tool": _tool_name(call), "artifact": stored.number, "is_error": is_error}
        actor = Actor(type="agent", id=run)
        await audit.record(s, actor=actor, action="agent.tool.called", target=run, details=details)
        return stored


def _facts(output: ToolOutput) -> dict[str, Any]:
    """What code keeps of a result: its rows, its further facts, one line for the thread, what could not be read."""
    kept = {**output.facts, rows.KEY: rows.as_json(output.rows), "summary": output.summary}
    return {**kept, "gap": output.gap} if output.gap else kept


def _times_asked(case: InvestigationCase, call: dict[str, Any]) -> int:
    """How often this was asked up to this call, itself included."""
    count = 0
    for other in case.calls():
        count += (other["name"], other["input"]) == (call["name"], call["input"])
        if other["id"] == call["id"]:
            break
    return count


async def _call(tool: Tool | None, call: dict[str, Any], tools: Collection[str] = ()) -> tuple[ToolOutput, bool, str]:
    """The tool's output, whether it is an error, and where it was read."""
    if tool is None:
        near = get_close_matches(str(call["name"])[:60], tools, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        text = f"there is no tool {str(call['name'])[:60]!r} here; nothing was done{hint}"
        return _unread(text, "refused: no such tool"), True, "policy"
    try:
        async with asyncio.timeout(tool.timeout.total_seconds()):
            return _with_gap(await tool.run(tool.parse(call["input"]))), False, tool.source
    except BadArguments as exc:
        return _unread(str(exc), "not possible as asked", call=call), True, tool.source
    except AgentError as exc:
        gap = f"{tool.source}: {exc}"
        return _unread(str(exc), "not available", gap=gap, call=call), True, tool.source
    except TimeoutError:
        gap = f"{tool.source} did not answer {tool.name} within {tool.timeout.total_seconds():.0f} s"
        output = _unread(gap, "timed out", gap=gap, call=call)
        return replace(output, text=f"{gap}\n{_narrower(tool, call['input'])}"), True, tool.source
    except Exception as exc:  # the outer guard of a tool: our bug is a gap, not the end of the run
        if passes(exc):
            raise  # the store's trouble is the step's, which waits for it
        reference = log_failure(log, "tool.failed", exc, tool=tool.name)
        gap = f"{tool.name} failed inside Autoheal (reference {reference}, {type(exc).__name__})"
        return _unread(gap, "failed", gap=gap, call=call), True, tool.source


def _narrower(tool: Tool, asked: Mapping[str, Any]) -> str:
    """What to ask for instead of a call that took too long: one service, a shorter window, fewer lines."""
    fields, less = tool.arguments.model_fields, list[str]()
    for name in ("service", "symptom_service", "operation", "grep"):
        if name in fields and not asked.get(name):
            less.append(f"{name}=...")
            break
    for name, least in (("minutes", 2), ("limit", 10)):
        given = asked.get(name, fields[name].default if name in fields else None)
        if isinstance(given, int) and given > least:
            less.append(f"{name}={max(least, given // 4)}")
    if not less:
        return "It may answer later; go on with another source meanwhile."
    return f"Ask for less: {tool.name}({', '.join(less)})."


def _with_gap(output: ToolOutput) -> ToolOutput:
    """What could not be read stands where the model and the gate read, too: else "no matching lines" of a file that
    nobody could open is an absence.
    """
    if not output.gap or any(isinstance(row, Unread) for row in output.rows):
        return output
    line = f"gap: {output.gap}"
    row = Unread(reason=output.gap, part=True, line=line)
    return replace(output, text=f"{output.text}\n{line}" if output.text else line, rows=(*output.rows, row))


def _unread(text: str, summary: str, *, gap: str | None = None, call: dict[str, Any] | None = None) -> ToolOutput:
    """The output of a read that failed: that it failed is all that it says."""
    asked = (call or {}).get("input")
    service = asked.get("service") if isinstance(asked, Mapping) else None
    row = Unread(service=service if isinstance(service, str) else "", reason=text, line=text.partition("\n")[0])
    return ToolOutput(text=text, summary=summary, rows=(row,), gap=gap)


async def _conclude(rt: Runtime, tenant: TenantId, run: InvestigationId, call: dict[str, Any]) -> Result:
    async with rt.db.tenant(tenant, readonly=True) as s:
        case = await read_case(s, run)
    if case.investigation.verdict is not None:
        return _result(call, "stored", is_error=False)
    heard = {b["tool_use_id"] for b in case.results() if b.get("content") == HEARD_FIRST}
    asked = [c for c in case.calls() if c["name"] == CONCLUDE and c["id"] not in heard]
    try:
        draft = read_draft(call["input"])
    except ValidationError as exc:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'input'}: {e['msg']}" for e in exc.errors()[:8])
        if len(asked) <= _MOST_UNREADABLE:
            return _result(call, f"the conclusion cannot be read: {wrong}", is_error=True)
        draft = Draft(headline="", confidence="none", not_known=("The conclusion could not be read.",))
    # Only drafts that could be read use up the second round.
    final = sum(map(_is_readable, asked)) > 1
    found = await conclude(rt, tenant, case, draft, final=final, read=partial(run_calls, rt, tenant, case))
    told = "\n".join(found.told)
    if found.heard_first:
        return _result(call, HEARD_FIRST, is_error=True)
    if found.stored:
        return _result(call, f"stored; this was left out or changed:\n{told}" if told else "stored", is_error=False)
    return _result(call, f"not stored yet; mend these and call conclude once more:\n{told}", is_error=True)


async def _answer(rt: Runtime, tenant: TenantId, run: InvestigationId, call: dict[str, Any]) -> Result:
    async with rt.db.tenant(tenant, readonly=True) as s:
        case = await read_case(s, run)
    if case.investigation.verdict is not None:
        return _result(call, "stored", is_error=False)
    heard = {b["tool_use_id"] for b in case.results() if b.get("content") == HEARD_FIRST}
    asked = [c for c in case.calls() if c["name"] == ANSWER and c["id"] not in heard]
    try:
        drafted = DraftAnswer.model_validate(call["input"])
    except ValidationError as exc:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'input'}: {e['msg']}" for e in exc.errors()[:8])
        return _result(call, f"the answer cannot be read: {wrong}", is_error=True)
    found = await answer(rt, tenant, case, drafted, final=len(asked) > 1)
    told = "\n".join(found.told)
    if found.heard_first:
        return _result(call, HEARD_FIRST, is_error=True)
    if found.stored:
        return _result(call, f"stored; this was left out or changed:\n{told}" if told else "stored", is_error=False)
    return _result(call, f"not stored yet; mend these and call answer once more:\n{told}", is_error=True)


def _is_readable(call: dict[str, Any]) -> bool:
    try:
        read_draft(call["input"])
    except ValidationError:
        return False
    return True


async def _record_refusal(rt: Runtime, tenant: TenantId, case: InvestigationCase, call: dict[str, Any]) -> None:
    async with rt.db.tenant(tenant) as s:
        await audit.record(
            s,
            actor=Actor(type="agent", id=case.investigation.id),
            action="agent.tool.refused",
            target=case.investigation.id,
            details={"tool": _tool_name(call)},
        )


def _tool_name(call: dict[str, Any]) -> str:
    """The name as an identifier: a hostile model may send any text as the name of a tool."""
    return re.sub(r"[^A-Za-z0-9_-]", "_", str(call["name"]))[:64] or "_"


def _shown(artifact: Artifact) -> str:
    head = f"[A{artifact.number}] {artifact.tool}, {artifact.source}, {artifact.taken_at:%H:%M:%S} UTC\n"
    text: str = artifact.text
    if len(text) <= _RESULT_CHARACTERS:
        return head + text
    rest = len(text) - _RESULT_CHARACTERS
    return f"{head}{text[:_RESULT_CHARACTERS]}\n({rest} more characters: fetch_more A{artifact.number})"


def _result(call: dict[str, Any], text: str, *, is_error: bool) -> Result:
    block: Result = {"type": "tool_result", "tool_use_id": call["id"], "content": Redacted.ours(text)}
    return {**block, "is_error": True} if is_error else block
