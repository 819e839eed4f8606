"""The routine over a managed database: both digests in one turn, then the conclusion."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from agents.evidence.database.rules import explain, see, summary
from agents.evidence.database.types import DatabaseFinding, Shape
from agents.gate.claims import bears
from agents.models.offline.transcript import Result, Transcript
from agents.rows import Logged, Moved
from agents.verdict import Confidence

_TOOLS: Final = ("database_metrics", "database_events")
_OTHERS: Final = frozenset({"metrics", "logs", "changes"})  # sources of the usual routine
_LIKELY: Final = 0.9
_HEADLINE: Final = 120
_QUOTE: Final = 390
_MOST_CLAIMS: Final = 10
_LONGEST_CLAIM: Final = 300


def is_there(transcript: Transcript) -> bool:
    return all(tool in transcript.tools for tool in _TOOLS)


def reads(transcript: Transcript) -> list[tuple[str, dict[str, str]]]:
    """Both tools, once."""
    return [] if transcript.hurried else [(tool, {}) for tool in _TOOLS if not transcript.was_asked(tool, {})]


def conclusion(transcript: Transcript) -> dict[str, Any] | None:
    """The argument of `conclude`, or None where neither tool answered."""
    results = [r for tool in _TOOLS for r in transcript.of(tool)]
    if not results:
        return None
    read = [row for r in results for row in r.rows]
    instance = next((row.service for row in read if row.service), "")
    shapes = [_shape(row) for row in read if isinstance(row, Moved)]
    found = explain(see(instance, shapes, [row.example for row in read if isinstance(row, Logged)]))
    active = [f for f in found if not f.over]
    claims = [claim for finding in found for claim in _claims(results, finding)][:_MOST_CLAIMS]
    told = summary(found, instance)
    hypotheses: list[dict[str, Any]] = [
        {"id": f"H{n}", "text": f"{f.fault}: {f.because}"[:160], "state": "refuted" if f.over else "supported"}
        for n, f in enumerate(found[:6], start=1)
    ]
    draft = {
        "claims": claims,
        "hypotheses": hypotheses,
        "impact": told[:300],
    }
    if not active and not set(transcript.missing) >= _OTHERS:  # then the usual routine has more to read
        return None
    if not active:
        return {**draft, "headline": told[:_HEADLINE], "cause": None, "confidence": "none", "nothing_wrong": True}
    best = active[0]
    proofs = {claim["artifact"] for claim in claims}
    confidence: Confidence = "high" if best.score >= _LIKELY and len(proofs) > 1 else "medium"
    cause = {"service": instance, "kind": " and ".join(f.fault for f in active)[:60], "statement": best.because[:200]}
    return {
        **draft,
        "headline": f"{instance}: {best.fault}. {confidence.capitalize()}."[:_HEADLINE],
        "cause": cause,
        "confidence": confidence,
    }


def _claims(results: Sequence[Result], finding: DatabaseFinding) -> Iterator[dict[str, Any]]:
    for line in finding.lines[:6]:
        quote = line[:_QUOTE]
        text = " ".join(quote.split())[:_LONGEST_CLAIM]  # the line speaks for itself
        cited = next((r.id for r in results if r.evidence and bears(r.evidence, text, quote)), None)
        if cited is not None and len(quote) > 6:
            yield {"text": text, "status": "observed", "artifact": cited, "quote": quote}


def _shape(row: Moved) -> Shape:
    return Shape(
        name=row.indicator,
        unit=row.unit,
        first=row.before,
        lowest=row.before if row.lowest is None else row.lowest,
        highest=row.now if row.highest is None else row.highest,
        last=row.now,
        line=row.line,
    )
