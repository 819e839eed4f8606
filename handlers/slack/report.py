"""The post-incident report's first draft: what the store knows, in plain words and without names, for a person to edit.

Blameless: who asked, approved or rejected is not named. What only people can know is left as questions.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Final

from agents.remediation import Plan
from agents.verdict import Claim, Verdict
from handlers.slack.blocks import text as t
from handlers.slack.blocks.evidence import say_symptom
from handlers.slack.blocks.status import StatusView, life_words
from store.incidents.approvals import Approval, ApprovalState

MOST: Final = 3_000
"""Characters of Slack's text input."""
_CLAIMS: Final = 6
_QUESTIONS: Final = """For people to fill in
- Who was affected, and how badly?
- What made it possible, beyond the trigger? What slowed us down, what helped?
- Follow-ups, each with an owner and a date:"""


def draft_report(view: StatusView) -> str:
    """Plain text of at most `MOST` characters. The questions at its end are always whole."""
    known = "\n\n".join(
        filter(None, (_head(view), _timeline(view), _cause(view.verdict), _decided(view.verdict), _gaps(view.verdict)))
    )
    return f"{t.clamp(known, MOST - len(_QUESTIONS) - 2)}\n\n{_QUESTIONS}"


def _head(view: StatusView) -> str:
    incident, verdict = view.incident, view.verdict
    subject = t.one_line(incident.service or str(incident.title))
    lines = [f"Incident #{incident.number}: {subject}, {life_words(incident, view.now)}"]
    if verdict is not None:
        lines.append(t.one_line(verdict.headline))
        if verdict.impact:
            lines.append(f"Impact: {t.one_line(verdict.impact)}")
    return "\n".join(lines)


def _timeline(view: StatusView) -> str:
    moments = sorted(_moments(view), key=lambda one: one[0])
    return "\n".join(
        ["Timeline (UTC)", *(f"{t.utc_day_minute(at).removesuffix(' UTC')} {what}" for at, what in moments)]
    )


def _moments(view: StatusView) -> Iterator[tuple[datetime, str]]:
    verdict, run = view.verdict, view.investigation
    if verdict is not None and verdict.symptom is not None:
        onset = t.moment(verdict.symptom.onset)
        if onset is not None:
            yield onset, f"it began: {t.unescape(say_symptom(verdict.symptom))}"
    yield view.incident.opened_at, "the incident was opened"
    if run is not None and run.finished_at is not None:
        yield run.finished_at, f"the investigation ended: {run.status}"
    for approval in view.approvals:
        yield from _steps(approval)


def _steps(approval: Approval) -> Iterator[tuple[datetime, str]]:
    title = t.one_line(Plan.model_validate(approval.plan).title)
    yield approval.proposed_at, f"{'undo' if approval.undo_of else 'remedy'} proposed: {title}"
    if approval.decided_at is not None:
        alone = {"break_glass": " with break-glass", "automatic": " automatically"}.get(str(approval.decision), "")
        yield approval.decided_at, f"{'rejected' if approval.decision == 'rejected' else 'approved'}{alone}: {title}"
    if approval.applied_at is not None:
        yield approval.applied_at, f"applied: {title}"
    if approval.finished_at is not None:
        yield approval.finished_at, f"{_ENDS.get(approval.state, approval.state.value)}: {title}"


_ENDS: Final = {
    ApprovalState.NOT_HEALED: "not healed",
    ApprovalState.UNKNOWN: "ended unknown",
    ApprovalState.EXPIRED: "nobody answered",
}


def _cause(verdict: Verdict | None) -> str:
    if verdict is None or verdict.cause is None:
        return "Cause\nNot known."
    lines = ["Cause", f"{t.one_line(verdict.cause.statement)} (inferred, confidence {verdict.confidence})"]
    if verdict.cause.change_verdict == "coincides":
        lines.append("A change came just before it; nothing ties it to the fault.")
    lines += _claims("Evidence", (c for c in verdict.claims if c.side != "against"))
    lines += _claims("Evidence against", (c for c in verdict.claims if c.side == "against"))
    return "\n".join(lines)


def _claims(title: str, claims: Iterable[Claim]) -> list[str]:
    observed = [claim for claim in claims if claim.status in ("observed", "derived")][:_CLAIMS]
    return [f"{title}:", *(f"- {t.one_line(claim.text)} ({claim.artifact})" for claim in observed)] if observed else []


def _decided(verdict: Verdict | None) -> str:
    """How the conclusion came about: what was considered, what spoke against it, what was dropped. Nobody is named."""
    if verdict is None or verdict.trace is None:
        return ""
    trace = verdict.trace
    lines = [f"- {one.id} {t.one_line(one.text)}: {one.state}{_because(one.reason)}" for one in trace.hypotheses]
    against = [one for one in trace.review if one.outcome in ("refuted", "doubtful")]
    lines += [f"- review: {t.one_line(one.reason)}" for one in against]
    if trace.review and not against:
        asked = sum(one.outcome == "held" for one in trace.review)
        lines.append(f"- review: {t.plural(asked, 'attempt')} to refute the cause, nothing against it")
    if trace.steered:
        lines.append(f"- people steered it {t.plural(len(trace.steered), 'time')}")
    if verdict.dropped:
        lines.append(f"- {t.plural(len(verdict.dropped), 'statement')} dropped as not proven")
    spent = f"{t.plural(len(trace.reads), 'read')}, {t.duration(verdict.seconds)}, {t.dollars(verdict.cost_usd)}"
    return "\n".join(["How it was decided", *lines, f"- {spent}"])


def _because(reason: str) -> str:
    return f", {t.one_line(reason)}" if reason else ""


def _gaps(verdict: Verdict | None) -> str:
    gaps = [t.one_line(gap) for gap in verdict.not_known] if verdict else []
    return "\n".join(["Not known", *(f"- {gap}" for gap in gaps)]) if gaps else ""
