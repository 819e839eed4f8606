"""Five lines for somebody who joins late: what, how far, why, what is proposed, what is not known."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from agents.verdict import Verdict
from handlers.slack.blocks import text as t
from handlers.slack.blocks.message import Message, sections
from handlers.slack.blocks.verdict import headline
from store.incidents import Incident
from store.incidents.approvals import OPEN_STATES, Approval, ApprovalState
from store.incidents.investigations import Investigation


@dataclass(frozen=True, kw_only=True)
class StatusView:
    """`approvals` oldest first. `now` is aware UTC."""

    incident: Incident
    investigation: Investigation | None
    verdict: Verdict | None
    approvals: Sequence[Approval]
    now: datetime


def status(view: StatusView) -> Message:
    """Always five lines, so that each is where one looks for it."""
    lines = [_incident(view), _run(view), _cause(view.verdict), _remedy(view.approvals), _gaps(view.verdict)]
    return Message(text=t.push(t.unescape(lines[0])), blocks=tuple(sections("\n".join(lines))))


def _incident(view: StatusView) -> str:
    incident = view.incident
    subject = t.prose(incident.service or incident.title, 120)
    return f"*#{incident.number} {subject}*: {life_words(incident, view.now)}"


def life_words(incident: Incident, now: datetime) -> str:
    """`investigating for 12 min`, `mitigated after 12 min`, `resolved after 40 min`: how far its life has come."""
    word = incident.status.replace("_", " ")
    if incident.resolved_at is not None:
        return f"{word} after {t.duration(incident.resolved_at - incident.opened_at)}"
    if incident.mitigated_at is not None:
        return f"{word} after {t.duration(incident.mitigated_at - incident.opened_at)}"
    return f"{word} for {t.duration(now - incident.opened_at)}"


def _run(view: StatusView) -> str:
    run = view.investigation
    if run is None:
        return "*Investigation* none yet"
    figures = f"{t.plural(run.tool_calls, 'read')}, {t.dollars(run.cost_usd)}"
    if run.finished_at is not None:
        return f"*Investigation* {run.status} {t.clock(run.finished_at)}, {figures}"
    since = f" for {t.duration(view.now - run.started_at)}" if run.started_at else ""
    return f"*Investigation* {run.status}{since}, {figures}"


def _cause(verdict: Verdict | None) -> str:
    return f"*Verdict* {t.prose(headline(verdict), 300)}" if verdict else "*Verdict* not yet"


def _remedy(approvals: Sequence[Approval]) -> str:
    if not approvals:
        return "*Remedy* none proposed"
    waiting = [one for one in approvals if one.state in OPEN_STATES]
    chosen = (waiting or list(approvals))[-1]
    name = t.prose(chosen.remediation.replace("_", " "), 60)
    return f"*Remedy* {name} of {t.prose(chosen.target, 60)}: {state_words(chosen)}"


def state_words(approval: Approval) -> str:
    """The state of an approval as a person says it."""
    what = "whether it healed" if approval.applied_at is not None else "whether it was applied"
    said = {
        ApprovalState.PROPOSED: "waits for a decision",
        ApprovalState.APPLIED: "applied, being checked",
        ApprovalState.VERIFYING: "applied, being checked",
        ApprovalState.EXPIRED: "nobody answered in time",
        ApprovalState.UNKNOWN: f"unknown {what}",
        ApprovalState.SUPERSEDED: "replaced by a newer one",
    }
    return said.get(approval.state, approval.state.value.replace("_", " "))


def _gaps(verdict: Verdict | None) -> str:
    if verdict is None or not verdict.not_known:
        return "*Not known* no gap recorded"
    return f"*Not known* {t.listing(verdict.not_known, most=4, limit=120)}"
