"""The verdict as the thread shows it, on one phone screen: what customers suffer and why, at most three proofs, what it
is not, and what is not known only where that matters. Everything else stands behind Details.

The sentences are made by code from the stored rows that the claims cite. A proof with a vendor's page links to it;
another has a button that opens its place in Details. What is inferred is marked, what is unmarked was observed.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from agents.investigation.coverage import abstention
from agents.rows import Altered, Changed, Logged, Moved, Suspect
from agents.verdict import Cause, Claim, Hypothesis, Verdict
from handlers.slack.blocks import text as t
from handlers.slack.blocks.evidence import ClaimWithRow, ahead, change_name, changes_in, diff_line, say, trace_back
from handlers.slack.blocks.message import Json, Message, actions, button, chart, context, feedback, sections
from handlers.slack.blocks.opening import suffered, symptom_clause
from store.incidents.artifacts import Artifact

MOST_PROOFS: Final = 3
CLAIM_LIMIT: Final = 220
MOST_REFUSAL: Final = 320
_MOST_ANSWERS: Final = 4
_MOST_RULED: Final = 2
_QUOTED: Final = 100  # characters of the line that is quoted; Details have it whole
_ARTICLE: Final = re.compile(r"^(?:an?|the)\b")
"""Begins a sentence of ours, where a service's name keeps its small letter."""
_NEAR_S: Final = 1_800.0
"""A change further from the onset than this is no doubt worth a line."""
_NOT_CONNECTED: Final = " not connected"
_CLAUSE: Final = " (measured)"
"""Stands for the symptom, which is mrkdwn already, while the sources' own words around it are escaped."""
_CHOSEN: Final = "was not read"
"""Why `agents.investigation.coverage` says of a source that nobody asked it: no gap that a reader can close."""


@dataclass(frozen=True, kw_only=True)
class VerdictView:
    """`links` are addresses of artifacts by number (`A3`), given by their connectors.

    `struck` when the remedy for the cause did not heal; `card` when a proposal follows, whose outcome ends the
    incident; `ended` says, in mrkdwn, how the incident ended.
    """

    investigation_id: str
    verdict: Verdict
    artifacts: Sequence[Artifact] = ()
    links: Mapping[str, str] = field(default_factory=dict)
    struck: bool = False
    card: bool = False
    ended: str = ""


def verdict_message(view: VerdictView) -> Message:
    """First line, proofs, what it is not, gaps that matter, chart, figures, buttons; or that nothing was found."""
    found = trace_back(view.verdict.claims, view.artifacts, view.links)
    shape = _answered if view.verdict.answers else _found if view.verdict.cause else _abstained
    lead, proofs, rest = shape(view, found)
    drawn = view.verdict.chart
    return Message(
        text=t.push(headline(view.verdict)),
        blocks=(
            *sections(lead),
            *_proof_blocks(view, proofs),
            *sections("\n".join(line for line in rest if line)),
            *(chart(drawn) if drawn else []),
            *context(" · ".join(filter(None, (figures(view.verdict), view.ended)))),
            *_buttons(view),
        ),
    )


def headline(verdict: Verdict) -> str:
    """What the phone shows, unescaped: `checkout: 4f2a91 cut the DB pool 50->5. High. Rollback ready.`"""
    if verdict.cause is None:
        return t.unescape(_no_cause(verdict))
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
    named = t.link(links.get(claim.artifact), " ".join(part for part in (claim.artifact, claim.source or "") if part))
    more = dict.fromkeys(proof.artifact for proof in claim.proofs if proof.artifact != claim.artifact)
    told = [
        " ".join(filter(None, (named, t.clock(t.moment(claim.taken_at))))),
        *(t.link(links.get(other), other) for other in more),
    ]
    return f" ({', '.join(told)})"


def claim_line(claim: Claim, links: Mapping[str, str]) -> str:
    """For Details: what the claim says, where it stands, the verbatim line, and a mark where it is no observation."""
    quote = f"\n{t.code(claim.quote, 300)}" if claim.quote else ""
    mark = "" if claim.status in ("observed", "derived") else f" _{claim.status}_"
    return f"{t.prose(claim.text, CLAIM_LIMIT)}{citation(claim, links)}{mark}{quote}"


_Parts = tuple[str, list[ClaimWithRow], list[str]]


def _found(view: VerdictView, found: Sequence[ClaimWithRow]) -> _Parts:
    verdict, cause = view.verdict, view.verdict.cause
    if cause is None:
        return "", [], []
    made = _change_of(cause, view.artifacts)
    told = {cause.change or ""} if cause.change_verdict == "cause" else set()
    lead = _first_line(verdict, cause, made, struck=view.struck)
    return lead, _proofs(verdict, found, told), [_not(verdict, found), _gaps(verdict), *_next(verdict)]


def _first_line(verdict: Verdict, cause: Cause, made: Changed | None, *, struck: bool) -> str:
    """What customers suffer since when, what broke, by which change, how sure."""
    suffers = suffered(verdict.symptom) if verdict.symptom else t.prose(verdict.impact, CLAIM_LIMIT)
    statement = _ARTICLE.sub(lambda found: found[0].capitalize(), t.prose(cause.statement, CLAIM_LIMIT).rstrip("."))
    if verdict.symptom is not None and verdict.symptom.service == cause.service:  # it is named already
        statement = statement.removeprefix(f"{t.prose(cause.service, 60)}: ")
    by = _credit(made) if made is not None and cause.change_verdict == "cause" else ""
    sure = "No confidence" if verdict.confidence == "none" else f"{verdict.confidence.capitalize()} confidence"
    if struck:
        crossed = statement.replace("~", "-")
        return f"*{t.sentence([suffers])}* ~{crossed}~ The remedy for it did not heal."
    return f"*{t.sentence([suffers, f'{statement}{by}'])}* {sure}."


def _credit(made: Changed) -> str:
    """` (Ada, "Smaller pool", deployed 12 s before it began)`."""
    subject = (
        f"\N{LEFT DOUBLE QUOTATION MARK}{t.prose(made.summary, 80)}\N{RIGHT DOUBLE QUOTATION MARK}"
        if made.summary
        else ""
    )
    when = f"deployed {ahead(made)}" if ahead(made) else f"deployed {t.day_minute(made.at)}"
    return f" ({', '.join(filter(None, (t.prose(made.author, 60), subject, when)))})"


def _change_of(cause: Cause, artifacts: Sequence[Artifact]) -> Changed | None:
    mine = [row for row in changes_in(artifacts) if row.change == cause.change]
    return next((row for row in mine if row.before_onset_s is not None), mine[0] if mine else None)


def _proofs(verdict: Verdict, found: Sequence[ClaimWithRow], told: Collection[str]) -> list[ClaimWithRow]:
    """Of different things, measured first: not the symptom or the change again, which the first line has told."""
    most = MOST_PROOFS - 1 if verdict.advice.strip() else MOST_PROOFS  # what to do needs the room
    usable = [
        one
        for one in found
        if one.claim.side in ("for", "context")
        and one.claim.status in ("observed", "derived")
        and not _is_symptom(one, verdict)
        and not (isinstance(one.row, Changed) and one.row.change in told)
        and not isinstance(one.row, Suspect)
    ]
    if told and any(one.genuine and not isinstance(one.row, Altered) for one in usable):
        usable = [one for one in usable if not isinstance(one.row, Altered)]  # the first line tells the change
    ranked = sorted(usable, key=lambda one: one.claim.side != "for")
    distinct = list({_subject(one): one for one in reversed(ranked)}.values())[::-1]
    firsts = list({type(one.row): one for one in reversed(distinct)}.values())[::-1]
    chosen = [*firsts, *(one for one in distinct if one not in firsts)][:most]
    if not chosen:  # nothing else was observed: then the symptom is what speaks
        chosen = [one for one in found if one.claim.status == "observed" and one.claim.side != "against"][:1]
    return sorted(chosen, key=ranked.index) if all(one in ranked for one in chosen) else chosen


def _is_symptom(one: ClaimWithRow, verdict: Verdict) -> bool:
    row, symptom = one.row, verdict.symptom
    if symptom is None or not isinstance(row, Moved):
        return False
    named = f"{row.indicator}->{row.peer}" if row.peer else row.indicator
    return (row.service, named) == (symptom.service, symptom.indicator)


def _subject(one: ClaimWithRow) -> tuple[str, ...]:
    """What a proof is about: the mean and the 95th percentile of one thing are one proof."""
    row = one.row
    if isinstance(row, Moved):
        family = "errors" if "error" in row.family else row.family
        return ("moved", row.service, family)
    if isinstance(row, Logged):  # one line is quoted; a second new error reads like the first
        return ("logged", row.service)
    return (type(row).__name__, one.claim.artifact or "", one.claim.quote or one.claim.text)


def _proof_blocks(view: VerdictView, proofs: Sequence[ClaimWithRow]) -> list[Json]:
    """A line each. The one genuine line of a log or a diff is quoted below its own."""
    quoted = next((one for one in proofs if one.genuine and not isinstance(one.row, Altered)), None)
    quoted = quoted or next((one for one in proofs if one.genuine), None)
    blocks: list[Json] = []
    for place, one in enumerate(proofs, start=1):
        line = _proof_line(one, quoted=one is quoted)
        made = sections(line)
        if one.link is None and one.claim.artifact and made:
            value = f"{view.investigation_id}:{one.claim.artifact}"
            made[-1]["accessory"] = button(f"details:{place}", "Show", value)
        blocks += made
    return blocks


def _proof_line(one: ClaimWithRow, *, quoted: bool) -> str:
    several = len(one.claim.proofs) > 1
    said = "" if several or one.row is None or one.claim.status == "derived" else say(one.row)
    if isinstance(one.row, Altered):
        said = diff_line(one.row, one.genuine, quoted=quoted)
    said = said or t.prose(one.claim.text, CLAIM_LIMIT).rstrip(".")
    source = f" ({t.link(one.link, one.claim.source or 'open')})" if one.link else ""
    quote = f"\n{t.code(one.genuine.strip(), _QUOTED)}" if quoted else ""
    return f"• {said}{source}{'' if quote else '.'}{quote}"


def _not(verdict: Verdict, found: Sequence[ClaimWithRow]) -> str:
    """What was ruled out, and a change that only happened to lie near."""
    ruled = [_ruled(one) for one in verdict.hypotheses if one.state == "refuted"]
    cleared = [
        say(one.row) if one.row else t.prose(one.claim.text, 120) for one in found if one.claim.side == "rules_out"
    ]
    doubts = [_doubt(one, ruled) for one in found if one.claim.side == "against"]
    told = list(dict.fromkeys(line.rstrip(".") for line in (*cleared, *ruled) if line))[:_MOST_RULED]
    against = next((line for line in doubts if line), "") if verdict.confidence != "high" else ""
    lines = [f"*Not* {'; '.join(told)}." if told else "", f"*Against it* {against.rstrip('.')}." if against else ""]
    return "\n".join(line for line in lines if line)


def _ruled(one: Hypothesis) -> str:
    text, reason = t.prose(one.text, 100).rstrip("."), t.prose(one.reason, 120).rstrip(".")
    return f"{_lowered(text)} ({_lowered(reason)})" if reason else _lowered(text)


def _lowered(text: str) -> str:
    """Ordinary words lose their capital inside a line; names and abbreviations keep theirs."""
    first = text.split(" ", 1)[0]
    return text[:1].lower() + text[1:] if first[1:].islower() and first.isalpha() else text


def _doubt(one: ClaimWithRow, ruled: Sequence[str]) -> str:
    """What speaks against the cause and was not ruled out in the line before."""
    if isinstance(one.row, Changed):
        version = t.version(one.row.version) or one.row.change
        if any(version in line for line in ruled):
            return ""
        near = abs(one.row.before_onset_s or _NEAR_S) < _NEAR_S
        return f"{change_name(one.row)} was deployed {ahead(one.row)}" if near else ""
    if isinstance(one.row, Suspect):
        service = one.row.service
        return "" if any(line.startswith(service) for line in ruled) else say(one.row)
    return (say(one.row) if one.row else "") or t.prose(one.claim.text, CLAIM_LIMIT)


def _gaps(verdict: Verdict) -> str:
    """Only what may change a decision: a source that failed, and, without a cause, what would have helped to find it.

    What is not connected stands in the opening; it is said again only where nothing was found.
    """
    silent = verdict.looked.silent if verdict.looked is not None else ()
    told = [f"{t.prose(name, 60)} could not be read ({t.prose(why, 80)})" for name, why in silent if why != _CHOSEN]
    told += [t.prose(claim.text, 120).rstrip(".") for claim in verdict.claims if claim.status == "unknown"]
    if verdict.cause is None:
        lacking = [gap.removesuffix(_NOT_CONNECTED) for gap in verdict.not_known if gap.endswith(_NOT_CONNECTED)]
        told += [f"what {t.prose(kind, 40)} would show: none are connected" for kind in lacking]
    if verdict.cause is None:
        partial = [t.prose(gap, 120) for gap in verdict.not_known if not gap.endswith(_NOT_CONNECTED)]
        told += partial[:1] + ([f"{len(partial) - 1} more in the details"] if len(partial) > 1 else [])
    return f"*Not known* {'; '.join(dict.fromkeys(told))}." if told else ""


def _next(verdict: Verdict) -> list[str]:
    """What people asked meanwhile, why no remedy is proposed, what to do."""
    asked = f"*You asked* {t.listing(verdict.asked, most=2, limit=120)}" if verdict.asked else ""
    refused = verdict.proposal_refused
    ruled_out = f"*No remedy proposed* {t.prose(refused, MOST_REFUSAL)}" if refused else ""
    advice = f"*Next* {t.prose(verdict.advice, CLAIM_LIMIT)}" if verdict.advice.strip() else ""
    return [line for line in (asked, ruled_out, advice) if line]


def _no_cause(verdict: Verdict) -> str:
    """Mrkdwn without a full stop."""
    if verdict.answers or verdict.looked is None:  # the latter of a version before this was stored
        return t.prose(verdict.headline, 600).rstrip(".")
    clause = symptom_clause(verdict.symptom)
    said = t.prose(abstention(verdict.looked, _CLAUSE if clause else ""), 600).rstrip(".")
    return said.replace(_CLAUSE, clause, 1) if clause else said


def _answered(view: VerdictView, found: Sequence[ClaimWithRow]) -> _Parts:
    """The answer to a question: its claims in their order, each with its proof; no word of causes."""
    verdict = view.verdict
    return f"*{_no_cause(verdict)}.*", list(found[:_MOST_ANSWERS]), [_gaps(verdict), *_next(verdict)]


def _abstained(view: VerdictView, found: Sequence[ClaimWithRow]) -> _Parts:
    verdict = view.verdict
    lead = _no_cause(verdict)
    others = [one for one in verdict.hypotheses if one.state != "supported"]
    considered = f"*Considered* {'; '.join(_ruled(one) for one in others[:3])}." if others else ""
    told = t.prose(verdict.impact, CLAIM_LIMIT) if verdict.symptom is None else ""
    return f"*{lead}.*", _proofs(verdict, found, ())[:1], [told, considered, _gaps(verdict), *_next(verdict)]


def _buttons(view: VerdictView) -> list[Json]:
    """With a proposal the incident ends at its outcome; without one it can end here."""
    ways = [] if view.card or view.ended else end_buttons(view.investigation_id)
    return [*actions(button("details", "Details", view.investigation_id), *ways), feedback(view.investigation_id)]


def end_buttons(investigation_id: str) -> list[Json]:
    """How a person ends the incident of an investigation."""
    return [
        button("resolve", "Resolve", investigation_id),
        button("false_alarm", "False alarm", investigation_id),
    ]
