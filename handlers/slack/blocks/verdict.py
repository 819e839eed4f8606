"""The verdict as the thread shows it: at most eight lines, each claim marked observed, inferred or unknown.

Rendered from the stored verdict only. Links come from the cited artifacts, never from a claim.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from agents.investigation.coverage import abstention
from agents.verdict import Cause, Claim, Verdict
from handlers.slack.blocks import text as t
from handlers.slack.blocks.message import Json, Message, actions, button, chart, context, feedback, sections
from handlers.slack.blocks.opening import symptom_clause

MOST_PROOFS: Final = 3
CLAIM_LIMIT: Final = 220


@dataclass(frozen=True, kw_only=True)
class VerdictView:
    """`links` are addresses of artifacts by number (`A3`), given by their connectors.

    `struck` when the remedy for the cause did not heal.
    """

    investigation_id: str
    verdict: Verdict
    links: Mapping[str, str] = field(default_factory=dict)
    struck: bool = False


def verdict_message(view: VerdictView) -> Message:
    """Cause, impact, three proofs, evidence against, not known, chart, figures, feedback; or that nothing was found."""
    found = view.verdict.cause is not None
    body = _found(view) if found else _abstained(view)
    drawn = view.verdict.chart
    return Message(
        text=t.push(headline(view.verdict)),
        blocks=(
            *sections("\n".join(body)),
            *(chart(drawn.title, [(series.name, series.points) for series in drawn.series]) if drawn else []),
            *context(figures(view.verdict)),
            *_buttons(view.investigation_id),
        ),
    )


def headline(verdict: Verdict) -> str:
    """What the phone shows, unescaped: `checkout: 4f2a91 cut the DB pool 50->5. High. Rollback ready.`"""
    if verdict.cause is None:
        return _no_cause(verdict)
    parts = [t.one_line(verdict.headline) or t.one_line(f"{verdict.cause.service}: {verdict.cause.statement}")]
    said = parts[0].lower()
    if verdict.confidence not in said:
        parts.append("No confidence" if verdict.confidence == "none" else verdict.confidence.capitalize())
    if verdict.proposal and not verdict.proposal_refused and "ready" not in said:
        parts.append(f"{verdict.proposal.remediation.partition('_')[0].capitalize()} ready")
    tail = t.sentence(parts[1:])
    lead = t.clamp(t.sentence(parts[:1]), max(t.PUSH_LIMIT - len(tail) - 1, 40))
    return f"{lead} {tail}".strip()


def figures(verdict: Verdict) -> str:
    """`13 s, 11 reads, $0.19`, and who investigated when it was not the model that was asked."""
    price = t.dollars(verdict.cost_usd)
    offline = verdict.model == "offline" or verdict.offline_because is not None
    if offline and verdict.cost_usd <= 0:
        price = "offline investigator, $0"
    told = f"{t.duration(verdict.seconds)}, {t.plural(verdict.reads, 'read')}, {price}"
    if verdict.offline_because is None:
        return told
    reason = t.prose(verdict.offline_because, 160).rstrip(".")
    return f"{told}. The offline investigator took over: {reason}."


def citation(claim: Claim, links: Mapping[str, str]) -> str:
    """`(A3 prometheus 02:49:10)`, linked when the connector gave an address; empty without an artifact."""
    if claim.artifact is None:
        return ""
    label = " ".join(part for part in (claim.artifact, claim.source or "", t.clock(t.moment(claim.taken_at))) if part)
    more = dict.fromkeys(proof.artifact for proof in claim.proofs if proof.artifact != claim.artifact)
    told = [t.link(links.get(claim.artifact), label), *(t.link(links.get(other), other) for other in more)]
    return f" ({', '.join(told)})"


def claim_line(claim: Claim, links: Mapping[str, str], *, quoted: bool) -> str:
    """`observed: errors rose at 02:41 (A3 prometheus 02:49:10) `quote``."""
    quote = f" {t.code(claim.quote, 160)}" if quoted and claim.quote else ""
    return f"_{claim.status}_: {t.prose(claim.text, CLAIM_LIMIT)}{citation(claim, links)}{quote}"


def _found(view: VerdictView) -> list[str]:
    verdict = view.verdict
    if verdict.cause is None:
        return []
    return [
        _cause(verdict.cause, verdict, struck=view.struck),
        _impact(verdict),
        *_proofs(view),
        _against(view),
        _not_known(verdict),
        *_next(verdict),
    ]


def _cause(cause: Cause, verdict: Verdict, *, struck: bool) -> str:
    statement = t.prose(cause.statement, CLAIM_LIMIT).rstrip(".").replace("~", "-")
    if struck:
        return f"*Cause* ~{statement}~. The remedy for it did not heal."
    named = cause.external or cause.service
    where = t.prose(named, 60)
    statement = statement.removeprefix(f"{where}: ")
    sure = f"inferred, {verdict.confidence} confidence" if verdict.confidence != "none" else "inferred, no confidence"
    change = (
        f" {t.prose(cause.change, 40)} only coincides." if cause.change and cause.change_verdict == "coincides" else ""
    )
    return f"*Cause* (_{sure}_) *{where}*: {statement}.{change}"


def _impact(verdict: Verdict) -> str:
    measured = symptom_clause(verdict.symptom)
    service = t.prose(verdict.symptom.service, 60) if verdict.symptom else ""
    parts = []
    if measured:
        parts.append(f"_observed_: {service}{measured}")
    if verdict.impact.strip():
        parts.append(f"_inferred_: {t.prose(verdict.impact, CLAIM_LIMIT)}")
    return f"*Impact* {t.sentence(parts) or '_unknown_'}"


def _proofs(view: VerdictView) -> list[str]:
    order = {"observed": 0, "derived": 1, "inferred": 2}
    usable = [claim for claim in view.verdict.claims if claim.side != "against" and claim.status in order]
    ranked = sorted(usable, key=lambda claim: (order[claim.status], claim.side != "for"))
    room = MOST_PROOFS - 1 if _next(view.verdict) else MOST_PROOFS
    kept = ranked[:room]
    first_quoted = next((claim for claim in kept if claim.quote), None)
    return [f"• {claim_line(claim, view.links, quoted=claim is first_quoted)}" for claim in kept]


def _against(view: VerdictView) -> str:
    claims = [claim for claim in view.verdict.claims if claim.side == "against"]
    if not claims:
        return "*Against* nothing found"
    more = f" and {len(claims) - 1} more in the details" if len(claims) > 1 else ""
    return f"*Against* {claim_line(claims[0], view.links, quoted=False)}{more}"


def _not_known(verdict: Verdict) -> str:
    unknown = [*verdict.not_known, *(claim.text for claim in verdict.claims if claim.status == "unknown")]
    if not unknown:
        return "*Not known* no gap recorded"
    return f"*Not known* {t.listing(unknown, most=4, limit=120)}"


def _next(verdict: Verdict) -> list[str]:
    if verdict.advice.strip():
        return [f"*Next* {t.prose(verdict.advice, CLAIM_LIMIT)}"]
    if verdict.proposal_refused:
        return [f"*No remedy proposed* {t.prose(verdict.proposal_refused, CLAIM_LIMIT)}"]
    return []


def _no_cause(verdict: Verdict) -> str:
    if verdict.looked is None:  # of a version before this was stored
        return t.one_line(verdict.headline).rstrip(".")
    return t.one_line(abstention(verdict.looked, t.unescape(symptom_clause(verdict.symptom))))


def _abstained(view: VerdictView) -> list[str]:
    verdict = view.verdict
    lead = t.prose(_no_cause(verdict), 600).rstrip(".")
    refuted = [f"{h.id} {h.text}: {h.state}{f', {h.reason}' if h.reason else ''}" for h in verdict.hypotheses]
    considered = [f"*Considered* {t.listing(refuted, most=3, limit=160)}"] if refuted else []
    told = [_impact(verdict)] if verdict.impact.strip() and verdict.symptom is None else []
    return [f"*{lead}.*", *told, *_proofs(view)[:1], *considered, _not_known(verdict), *_next(verdict)]


def _buttons(investigation_id: str) -> list[Json]:
    return [*actions(button("details", "Details", investigation_id)), feedback(investigation_id)]
