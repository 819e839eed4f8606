"""The routine over a Kubernetes cluster: listings first, then what the rules ask for, then the conclusion.

Used wherever the tools of `agents.connecting.cluster` are among those of the run. When the cluster's state explains
nothing, the usual routine goes on with metrics, logs and changes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

from agents.connecting.cluster import call_of, read_of, tool_name
from agents.evidence.kubernetes.plan import next_reads
from agents.evidence.kubernetes.rank import DECIDED, rank_snapshot
from agents.evidence.kubernetes.snapshot import Snapshot
from agents.evidence.kubernetes.types import ClusterHypothesis, ClusterReading, Quote, What
from agents.gate import sentences
from agents.gate.claims import bears
from agents.models.offline.transcript import Transcript
from agents.rows import Printed
from agents.verdict import Confidence

_MOST_TURNS: Final = 8
_LIKELY: Final = 0.6
_WORTH_A_NAME: Final = 0.3
_SHORTEST_QUOTE: Final = 6
_HYPOTHESES: Final = 5
_HEADLINE: Final = 120
_LONGEST_CLAIM: Final = 300
_MOST_ENDINGS: Final = 4
_OTHERS: Final = frozenset({"metrics", "logs", "changes"})
_ENDED: Final = re.compile(
    r"rolled back|rollback successful|restored|recovered|rollout completed|back to normal|returned to ready|resolved"
    r"|autoscaling completed",
    re.IGNORECASE,
)


def is_there(transcript: Transcript) -> bool:
    return transcript.takes(tool_name(What.LIST), "kind") and transcript.takes(tool_name(What.DESCRIBE), "name")


def reads(transcript: Transcript) -> list[tuple[str, dict[str, str]]]:
    """The tool calls of the next round; empty when the cluster was looked at enough."""
    if transcript.hurried or transcript.own_turns >= _MOST_TURNS:
        return []
    wanted = [call_of(read) for read in next_reads(_readings(transcript))]
    return [(tool, arguments) for tool, arguments in wanted if transcript.takes(tool, *arguments)]


def conclusion(transcript: Transcript) -> dict[str, Any] | None:
    """The argument of `conclude`, or None when the cluster's state explains nothing."""
    seen = Snapshot(readings=tuple(_readings(transcript)))
    is_alone = set(transcript.missing) >= _OTHERS  # else a mere suspicion waits for what the other sources say
    found = [h for h in rank_snapshot(seen) if h.score >= (_WORTH_A_NAME if is_alone else _LIKELY)]
    if not found:
        if not is_alone:
            return None
        return _all_well(seen) if seen.is_well else _nothing_to_go_on()
    best = found[0]
    claims = list(_claims(transcript, seen, best))
    proofs = {claim["artifact"] for claim in claims}
    confidence: Confidence = "high" if best.score >= DECIDED and len(proofs) > 1 else "medium"
    confidence = confidence if best.score >= _LIKELY else "low"
    return {
        "headline": f"{best.because}. {confidence.capitalize()}."[:_HEADLINE],
        "cause": {"service": best.name, "kind": best.label.replace("_", " "), "statement": f"{best.because}."[:200]},
        "confidence": confidence,
        "claims": claims,
        "hypotheses": _hypotheses(transcript, found),
    }


def _all_well(seen: Snapshot) -> dict[str, Any]:
    """Nothing is wrong now; where something was, the lines that tell how it ended."""
    past = [q for q in seen.lines(_ENDED) if len(q.line) >= _SHORTEST_QUOTE][:_MOST_ENDINGS]
    claims = [
        {
            "text": "What was reported is over.",
            "status": "observed",
            "side": "against",
            "artifact": q.source,
            "quote": q.line,
        }
        for q in past
    ]
    what = "what was reported has recovered" if past else "all workloads have their replicas and nothing alarms"
    return {
        "headline": f"No active failure: {what}.",
        "cause": None,
        "confidence": "none",
        "claims": claims,
        "nothing_wrong": True,
        "impact": f"No active failure: {what}.",
    }


def _nothing_to_go_on() -> dict[str, Any]:
    """The cluster explains nothing and there is nothing else to read."""
    return {
        "headline": "No confident cause: what the cluster told shows nothing unusual.",
        "cause": None,
        "confidence": "none",
        "not_known": ["Metrics, logs and changes are not connected, so what the listings do not show stays unknown."],
    }


def _readings(transcript: Transcript) -> list[ClusterReading]:
    """What was read so far; a read that failed counts as read, so that it is not asked for again."""
    found = []
    for result in transcript.results:
        read = read_of(result.tool, result.arguments)
        if read is not None:
            text = "" if result.is_error else "\n".join(row.text for row in result.of(Printed))
            found.append(ClusterReading(read=read, text=text, source=result.id))
    return found


def _claims(transcript: Transcript, seen: Snapshot, best: ClusterHypothesis) -> Iterator[dict[str, Any]]:
    read = {item.id: item for item in transcript.evidence()}
    for quote in dict.fromkeys((*best.quotes, *_symptoms(seen, best))):
        cited = read.get(quote.source)
        if cited is None or len(quote.line) < _SHORTEST_QUOTE:
            continue
        text = " ".join(quote.line.split())[:_LONGEST_CLAIM]  # the line speaks for itself
        if bears(cited, text, quote.line):
            yield {"text": text, "status": "observed", "artifact": quote.source, "quote": quote.line}


def _symptoms(seen: Snapshot, best: ClusterHypothesis) -> list[Quote]:
    """Rows of the listings that show the object unwell."""
    pods = [p.quote for p in seen.pods if p.app == best.name and p.is_sick]
    return [*pods[:1], *(w.quote for w in seen.workloads if w.name == best.name and w.ready < w.wanted)]


def _hypotheses(transcript: Transcript, found: Sequence[ClusterHypothesis]) -> list[dict[str, Any]]:
    rows = []
    for number, one in enumerate(found[:_HYPOTHESES], start=1):
        state = "supported" if one is found[0] else "refuted" if one.score < found[0].score - 0.1 else "open"
        reason = "" if one is found[0] else f"What {found[0].name} shows is stronger."
        if not sentences.sift(one.because, transcript.run())[1]:
            rows.append({"id": f"H{number}", "text": one.because[:160], "state": state, "reason": reason})
    return rows
