"""Turns a draft, or the lack of one, into the stored verdict. Statistics, symptom and chart come from code, not from
the model.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from agents.connecting.catalog import told_of_names
from agents.connecting.toolbox import Toolbox
from agents.gate.draft import Checked, check_draft
from agents.investigation.case import InvestigationCase, load_case
from agents.investigation.coverage import abstention, look_back
from agents.investigation.investigation_tools import STRANGERS
from agents.investigation.review import keep_review, review_draft
from agents.investigation.second_reader import Read, objection_to, second_reading
from agents.investigation.tracing import trace_of
from agents.models.claude_history import BY_OTHERS
from agents.rows import Unread
from agents.rows.stored import rows_of
from agents.runtime import Runtime
from agents.trace import Objection
from agents.verdict import Chart, ChartSeries, Confidence, Draft, DraftAnswer, Symptom, Verdict
from store import audit, incidents
from store.audit import Actor, events
from store.database.session import TenantSession
from store.ids import TenantId
from store.incidents import catalog, investigations
from store.secrets.redaction import Redacted

_MAX_GAPS: Final = 8
_ASKED: Final = 120
NO_ANSWER: Final = "Nothing that I read answers this."


@dataclass(frozen=True, kw_only=True)
class Concluded:
    """Whether the verdict is stored, and what the gate told about the draft, as sentences for the model.

    `heard_first`: people said something that the model has not read; it does so before it concludes.
    """

    stored: bool
    told: tuple[str, ...]
    heard_first: bool = False


async def conclude(
    rt: Runtime, tenant: TenantId, case: InvestigationCase, draft: Draft, *, final: bool, read: Read
) -> Concluded:
    """Store the verdict, or answer what the model should mend first (once: `final` stores what is left).

    Only what touches cause, confidence or proposal is worth a second draft, and a review that refutes the cause.
    `read` runs what a reviewer asks for.
    """
    toolbox = await rt.toolbox_for(tenant)
    evidence, services = case.evidence(), toolbox.service_names()
    checked = check_draft(draft, evidence, services)
    calls = {one.name: tuple(one.depends_on) for one in toolbox.services}
    reviewed = review_draft(checked, evidence, calls)
    if final or not (checked.problems or reviewed.refutations):
        await second_reading(rt, tenant, case, checked, read, may_return=not final)
        case = await load_case(rt.db, tenant, case.investigation.id)
        evidence = case.evidence()
        reviewed = review_draft(checked, evidence, calls, second=objection_to(case, checked))
    if (checked.problems or reviewed.refutations) and not final:
        async with rt.db.tenant(tenant) as s:
            await keep_review(s, case, reviewed.objections)
        return Concluded(stored=False, told=(*checked.problems, *reviewed.told, *checked.notes))
    if reviewed.left != checked.confidence:
        checked = check_draft(draft, evidence, services, at_most=reviewed.left)
    async with rt.db.tenant(tenant) as s:
        if await investigations.waiting_notes(s, case.investigation.id):
            return Concluded(stored=False, told=(), heard_first=True)
        verdict = _verdict(rt, case, checked, toolbox, nothing_wrong=draft.nothing_wrong)
        verdict = _traced(verdict, case, checked, drafted=draft.confidence, review=reviewed.objections)
        await store_verdict(s, case, verdict)
    rt.meter.verdict_stored(verdict.confidence, verdict.seconds)
    await ask_about_strangers(rt, tenant, case, toolbox)
    return Concluded(stored=True, told=(*checked.notes, *reviewed.doubts))


async def answer(
    rt: Runtime, tenant: TenantId, case: InvestigationCase, drafted: DraftAnswer, *, final: bool
) -> Concluded:
    """Store the answer to a question: the claims that pass the gate, no cause, no confidence, no remedy.

    Where none passes, the model may mend them once; then it is said that nothing read answers the question.
    """
    toolbox = await rt.toolbox_for(tenant)
    checked = check_draft(drafted.as_draft(), case.evidence(), toolbox.service_names())
    if not checked.claims and not final:
        return Concluded(stored=False, told=checked.notes)
    async with rt.db.tenant(tenant) as s:
        if await investigations.waiting_notes(s, case.investigation.id):
            return Concluded(stored=False, told=(), heard_first=True)
        verdict = _traced(_verdict(rt, case, checked, toolbox), case, checked).model_copy(
            update={
                "answers": True,
                "headline": checked.claims[0].text if checked.claims else NO_ANSWER,
                "symptom": None,
                "chart": None,
            }
        )
        await store_verdict(s, case, verdict)
    rt.meter.verdict_stored(verdict.confidence, verdict.seconds)
    return Concluded(stored=True, told=checked.notes)


async def abstain(rt: Runtime, tenant: TenantId, case: InvestigationCase) -> None:
    """The verdict of a run that ended without a conclusion: what was read, what is missing, no cause."""
    draft = Draft(headline="No cause.", confidence="none", not_known=("The run ended before a conclusion.",))
    toolbox = await rt.toolbox_for(tenant)
    checked = check_draft(draft, case.evidence(), toolbox.service_names())
    async with rt.db.tenant(tenant) as s:
        await store_verdict(s, case, verdict := _traced(_verdict(rt, case, checked, toolbox), case, checked))
    rt.meter.verdict_stored(verdict.confidence, verdict.seconds)


async def ask_about_strangers(rt: Runtime, tenant: TenantId, case: InvestigationCase, toolbox: Toolbox) -> None:
    """Names in traces that nobody declared become questions to people: whose are they? Asked once."""
    names = dict.fromkeys(name for a in case.artifacts for name in a.facts.get(STRANGERS, ()))
    run = case.investigation.id
    told = told_of_names(names, toolbox.services, origin="traces", evidence=run, kind="span")
    if told:
        async with rt.db.tenant(tenant) as s:
            await catalog.take_in(s, told)


async def store_verdict(s: TenantSession, case: InvestigationCase, verdict: Verdict) -> None:
    """Verdict, status, incident, audit and event in one transaction."""
    run = case.investigation.id
    await investigations.save_verdict(s, run, verdict.model_dump(mode="json"))
    await investigations.set_status(s, run, "concluded")
    service = verdict.symptom.service if verdict.symptom else verdict.cause.service if verdict.cause else None
    if service is not None and case.incident.service is None:
        await incidents.set_service(s, case.incident.id, Redacted.ours(service))
    details = {"confidence": verdict.confidence, "claims": len(verdict.claims), "dropped": len(verdict.dropped)}
    actor = Actor(type="agent", id=run)
    await events.emit(s, "ai.autoheal.investigation.concluded.v1", run, details, actor=actor)
    await audit.record(s, actor=actor, action="agent.investigation.concluded", target=run, details=details)


def _verdict(
    rt: Runtime, case: InvestigationCase, checked: Checked, toolbox: Toolbox, *, nothing_wrong: bool = False
) -> Verdict:
    run = case.investigation
    facts = latest_ranking(case)
    looked = look_back(case.artifacts, toolbox, nothing_wrong=nothing_wrong)
    return Verdict(
        headline=checked.headline if checked.cause else f"{abstention(looked)}.",
        cause=checked.cause,
        confidence=checked.confidence,
        impact=checked.impact,
        claims=checked.claims,
        dropped=checked.dropped,
        hypotheses=checked.hypotheses,
        not_known=_counted(dict.fromkeys((*checked.not_known, *gaps(case, toolbox)))),
        checked=looked.read,
        looked=looked,
        proposal=checked.proposal,
        proposal_refused=checked.proposal_refused,
        advice=checked.advice,
        symptom=Symptom(**facts["symptom"]) if facts.get("symptom") else None,
        chart=_chart(facts.get("chart")),
        asked=asked_meanwhile(case),
        model=(model := concluded_by(case)),
        offline_because=offline_because(case) if model == "offline" else None,
        seconds=(rt.clock() - (run.started_at or run.created_at)).total_seconds(),
        reads=len(case.artifacts),
        cost_usd=run.cost_usd,
    )


def _traced(
    verdict: Verdict,
    case: InvestigationCase,
    checked: Checked,
    *,
    drafted: Confidence = "none",
    review: Sequence[Objection] = (),
) -> Verdict:
    trace = trace_of(case, checked, drafted=drafted, review=review, seconds=verdict.seconds)
    return verdict.model_copy(update={"trace": trace})


def asked_meanwhile(case: InvestigationCase) -> tuple[str, ...]:
    """What people said while the run was going on, as they said it."""
    said = (" ".join(str(m.meta["text"]).split()) for m in case.messages if m.meta.get("kind") == "steering")
    return tuple(text if len(text) <= _ASKED else text[: _ASKED - 1].rsplit(" ", 1)[0] + "…" for text in said)


def _counted(found: Iterable[str]) -> tuple[str, ...]:
    """The first gaps, and how many more there are."""
    every = tuple(found)
    if len(every) <= _MAX_GAPS:
        return every
    return (*every[: _MAX_GAPS - 1], f"{len(every) - _MAX_GAPS + 1} more gaps")


def latest_ranking(case: InvestigationCase) -> Mapping[str, Any]:
    """Facts of the newest ranking that saw a symptom, else of the newest ranking, else empty."""
    rankings = [a.facts for a in case.artifacts if a.tool == "rank_causes" and not a.is_error]
    seen = [facts for facts in rankings if facts.get("symptom")]
    return (seen or rankings or [{}])[-1]


def gaps(case: InvestigationCase, toolbox: Toolbox) -> list[str]:
    """What could not be read: named whatever the model says."""
    found = [f"{kind} not connected" for kind in toolbox.missing()]
    for artifact in case.artifacts:
        told = [str(gap) for gap in artifact.facts.get("gaps") or ()]
        told = told or [row.reason for row in rows_of(artifact.facts) if isinstance(row, Unread)]
        found.extend(told or ([str(artifact.facts["gap"])] if artifact.facts.get("gap") else []))
    return list(dict.fromkeys(found))


def concluded_by(case: InvestigationCase) -> str:
    """Whose conclusion it is: Claude's may be the offline investigator's after all, and the other way round."""
    last = next((m for m in reversed(case.messages) if m.role == "assistant"), None)
    return "offline" if last is not None and last.meta.get(BY_OTHERS) else case.investigation.model or "offline"


def offline_because(case: InvestigationCase) -> str | None:
    """Why the offline investigator answered where Claude was wanted."""
    reasons = [(m.meta or {}).get("because") or (m.meta or {}).get("offline_because") for m in case.messages]
    return next((str(reason) for reason in reversed(reasons) if reason), None)


def _chart(block: Mapping[str, Any] | None) -> Chart | None:
    if not block:
        return None
    return Chart(
        title=block["title"],
        unit=block.get("unit", ""),
        series=tuple(
            ChartSeries(name=row["name"], points=tuple((p["label"], p["value"]) for p in row["data"]))
            for row in block["chart"]["series"]
        ),
    )
