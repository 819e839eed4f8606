"""One turn of a reviewer: Claude is shown the evidence and the draft, not the reasoning, and tries to refute it.

It may ask for two reads. It is asked once a run, where Claude investigates and its budget allows; what it answers and
costs is kept in the history, so that a step that runs again does not ask again. Its words are untrusted as all of a
model's are: a refutation that names no result of the run is a doubt, and its sentence passes the gate or is not shown.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from importlib import resources
from typing import Annotated, Any, Final, Literal

from pydantic import Field, ValidationError

from agents.gate import sentences
from agents.gate.claims import Run
from agents.gate.draft import Checked
from agents.investigation.case import InvestigationCase, tool_uses
from agents.investigation.tracing import BY_REVIEWER, REVIEW, REVIEWER
from agents.models.budget import remaining_today
from agents.models.model import ModelBug, ModelUnavailable, Turn, TurnRequest
from agents.runtime import Runtime
from agents.trace import Objection, Outcome
from agents.verdict import Drafted, trimmed
from store import audit
from store.audit import Actor
from store.ids import TenantId
from store.incidents import investigations
from store.tenancy import tenants

log = logging.getLogger("autoheal.review")

OBJECT: Final = "object"
MOST_READS: Final = 2
_MAX_TOKENS: Final = 8_000
_WHOLE: Final = 4_000  # characters of a result that the draft cites
_BESIDE: Final = 800  # of another
_MOST_SHOWN: Final = 24_000
_NOT_TOOLS: Final = frozenset(("conclude", "answer", "state_hypotheses"))
Read = Callable[[Sequence[dict[str, Any]]], Awaitable[list[dict[str, Any]]]]
"""Runs tool calls and answers their results."""


class Objecting(Drafted):
    """The argument of `object`: untrusted."""

    outcome: Literal["refuted", "doubtful", "held"]
    reason: Annotated[str, trimmed(240)] = Field(max_length=240, description="One plain sentence.")
    artifacts: tuple[str, ...] = Field(default=(), description="Ids of the results that the reason rests on.")


@dataclass(frozen=True, kw_only=True)
class _Spent:
    input_tokens: int = 0
    output_tokens: int = 0
    usd: float = 0.0

    def after(self, turn: Turn) -> _Spent:
        return _Spent(
            input_tokens=self.input_tokens + turn.usage.total_input,
            output_tokens=self.output_tokens + turn.usage.output,
            usd=self.usd + turn.cost_usd,
        )


async def second_reading(
    rt: Runtime, tenant: TenantId, case: InvestigationCase, checked: Checked, read: Read, *, may_return: bool
) -> None:
    """Ask the reviewer about a draft that names a cause and keep what it says, unless that was done in this run."""
    if checked.cause is None or kept_reading(case) is not None or not await _affordable(rt, tenant, case):
        return
    found, spent = await _asked(rt, case, checked, read)
    if found.outcome == "refuted" and may_return:
        found = found.model_copy(update={"returned": True})
    run = case.investigation.id
    async with rt.db.tenant(tenant) as s:
        await investigations.append_message(
            s,
            run,
            seq=await investigations.count_messages(s, run),
            role="system",
            content="",
            meta={
                "kind": REVIEW,
                "by": REVIEWER,
                "about": subject_of(checked),
                "objections": [found.model_dump(mode="json")],
                "cost_usd": spent.usd,
            },
        )
        await investigations.add_usage(
            s, run, input_tokens=spent.input_tokens, output_tokens=spent.output_tokens, cost_usd=spent.usd
        )
        details = {"outcome": found.outcome}
        await audit.record(
            s, actor=Actor(type="agent", id=run), action="agent.model.called", target=run, details=details
        )


def kept_reading(case: InvestigationCase) -> Objection | None:
    """What the reviewer said in this run, if it was asked."""
    kept = _kept(case)
    return Objection.model_validate(kept["objections"][0]) if kept is not None else None


def objection_to(case: InvestigationCase, checked: Checked) -> Objection | None:
    """What the reviewer said of this cause; None where it saw another one, or was not asked."""
    kept = _kept(case)
    return kept_reading(case) if kept is not None and kept.get("about") == subject_of(checked) else None


def _kept(case: InvestigationCase) -> Mapping[str, Any] | None:
    return next((m.meta for m in case.messages if (m.meta.get("kind"), m.meta.get("by")) == (REVIEW, REVIEWER)), None)


def subject_of(checked: Checked) -> str:
    """The cause in a word, by which a mended draft is known as the same."""
    cause = checked.cause
    return f"{cause.service}|{cause.external or ''}|{cause.change or ''}" if cause is not None else ""


async def _affordable(rt: Runtime, tenant: TenantId, case: InvestigationCase) -> bool:
    if rt.claude is None or case.investigation.model != "claude" or rt.budget.review_usd <= 0:
        return False
    async with rt.db.tenant(tenant, readonly=True) as s:
        cap, spent = float((await tenants.settings(s)).daily_usd_cap), await investigations.spent_today(s)
    left = min(remaining_today(cap, spent), rt.budget.max_usd - case.investigation.cost_usd)
    return left >= rt.budget.review_usd


async def _asked(rt: Runtime, case: InvestigationCase, checked: Checked, read: Read) -> tuple[Objection, _Spent]:
    """Its answer, and what it cost. Whatever goes wrong is an answer as well: it could not be asked."""
    tools = [one for one in (case.messages[0].meta or {})["tools"] if one["name"] not in _NOT_TOOLS]
    messages: list[dict[str, Any]] = [{"role": "user", "content": [{"type": "text", "text": _shown(case, checked)}]}]
    spent = _Spent()
    for last in (False, True):
        try:
            turn = await _turn(rt, messages, [*tools, _object_schema()])
        except (TimeoutError, ModelUnavailable, ModelBug) as exc:
            log.warning(
                "the reviewer cannot be asked", extra={"action": "review.unavailable", "kind": type(exc).__name__}
            )
            return _objection("not_judged", "the second reader could not be asked"), spent
        spent = spent.after(turn)
        uses = tool_uses(turn.content)
        if (said := next((use for use in uses if use["name"] == OBJECT), None)) is not None:
            return _judged(case, said["input"]), spent
        if last or not uses or spent.usd > rt.budget.review_usd:
            break
        results = await _read(uses, read)
        messages += [{"role": "assistant", "content": turn.content}, {"role": "user", "content": results}]
    return _objection("not_judged", "the second reader gave no answer"), spent


async def _turn(rt: Runtime, messages: list[dict[str, Any]], tools: list[dict[str, Any]]) -> Turn:
    system = resources.files("agents.investigation.prompts").joinpath("reviewer.md").read_text(encoding="utf-8")
    request = TurnRequest(system=system, tools=tools, messages=messages, max_tokens=_MAX_TOKENS, patience=timedelta(0))
    if rt.claude is None:
        raise ModelUnavailable("no key is set")
    async with asyncio.timeout(rt.pace.model_timeout.total_seconds()):
        return await rt.claude.ask(request)


async def _read(uses: Sequence[dict[str, Any]], read: Read) -> list[dict[str, Any]]:
    """The first reads that it asked for, stored as the run's own; the rest is refused."""
    wanted = [{**use, "id": f"{BY_REVIEWER}{use['id']}"} for use in uses[:MOST_READS]]
    given = [{**one, "tool_use_id": use["id"]} for one, use in zip(await read(wanted), uses, strict=False)]
    refused = {"type": "tool_result", "content": f"not run: you may read {MOST_READS} results", "is_error": True}
    given += [{**refused, "tool_use_id": use["id"]} for use in uses[MOST_READS:]]
    return [*given, {"type": "text", "text": "Now call `object`."}]


def _judged(case: InvestigationCase, raw: object) -> Objection:
    try:
        said = Objecting.model_validate(raw)
    except ValidationError:
        return _objection("not_judged", "the second reader's answer could not be read")
    run = Run(evidence={item.id: item for item in case.evidence()})
    known = [one for one in said.artifacts if one in run.evidence]
    outcome: Outcome = "doubtful" if said.outcome == "refuted" and not known else said.outcome
    words, _ = sentences.sift(said.reason, run)
    named = f" ({', '.join(known[:3])})" if known else ""
    return _objection(outcome, f"{words.rstrip('.') or 'its words do not pass the gate'}{named}")


def _objection(outcome: Outcome, reason: str) -> Objection:
    return Objection(by=REVIEWER, outcome=outcome, reason=reason)


def _shown(case: InvestigationCase, checked: Checked) -> str:
    """The conclusion without its reasoning, then what it cites, then what else was read."""
    cause = checked.cause
    cited = {proof.artifact for claim in checked.claims for proof in claim.proofs}
    draft = {
        "headline": checked.headline,
        "cause": cause.model_dump() if cause is not None else None,
        "confidence": checked.confidence,
        "claims": [
            {"text": c.text, "status": c.status, "side": c.side, "proofs": [(p.artifact, p.quote) for p in c.proofs]}
            for c in checked.claims
        ],
    }
    parts = [f"Asked:\n{case.investigation.question}", f"Concluded:\n{json.dumps(draft, ensure_ascii=False)}"]
    left = _MOST_SHOWN
    for one in sorted(case.artifacts, key=lambda a: f"A{a.number}" not in cited):
        text = str(one.text)[: min(left, _WHOLE if f"A{one.number}" in cited else _BESIDE)]
        asked = json.dumps(one.arguments, ensure_ascii=False)[:300]
        parts.append(f"[A{one.number}] {one.tool} {asked}, {one.source}, {one.taken_at:%H:%M:%S} UTC\n{text}")
        left -= len(text)
        if left <= 0:
            parts.append("(further results are left out)")
            break
    return "\n\n".join(parts)


def _object_schema() -> dict[str, Any]:
    schema = Objecting.model_json_schema()
    schema.pop("title", None)
    schema.pop("description", None)
    return {"name": OBJECT, "description": "Hand in what you found. Call it once.", "input_schema": schema}
