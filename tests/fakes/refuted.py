"""A verdict with a cause and what was read for it, as refuters are asked about it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from agents.gate.claims import Run
from agents.gate.evidence import Evidence
from agents.review.refuter import Subject
from agents.rows import Began, Changed, Moved, Row, Sampled
from agents.verdict import Cause, Claim

BEGAN = datetime(2026, 11, 3, 2, 40, tzinfo=UTC)
CALLS = {"web": ("orders",), "orders": ("stock",), "stock": (), "mail": ()}


def later(seconds: float) -> datetime:
    return BEGAN + timedelta(seconds=seconds)


def moved(service: str, indicator: str, before: float, now: float, **more: Any) -> Moved:
    ratio = now / before if before else None
    row = {"unit": "s", "family": "latency", "role": "metric", "ratio": ratio, "since": BEGAN, **more}
    return Moved(service=service, indicator=indicator, before=before, now=now, **row)


def deployed(ahead_s: float = 40, **more: Any) -> Changed:
    row = {"change": "deploy/9", "version": "4f2a91c077", "verdict": "cause_candidate", "service": "orders", **more}
    return Changed(at=later(-ahead_s), before_onset_s=ahead_s, precedes_onset=ahead_s > 0, reaches_symptom=True, **row)


def sampled(name: str, labels: dict[str, str], before: float, now: float, service: str = "orders") -> Sampled:
    points = [(later(step * 15), before if step < 0 else now) for step in range(-8, 8)]
    return Sampled(service=service, name=name, labels=labels, points=tuple(points))


SYMPTOM = moved("web", "latency mean", 0.1, 2.0, role="symptom")
OWN = moved("orders", "latency mean", 0.05, 1.8)


def result(number: int, *rows: Row, tool: str = "rank_causes", **arguments: Any) -> Evidence:
    return Evidence(
        id=f"A{number}",
        tool=tool,
        source="evidence",
        text="\n".join(row.line for row in rows),
        facts={},
        taken_at=later(300),
        rows=rows,
        arguments=arguments,
    )


def subject(
    *rows: Row,
    ranking: tuple[Row, ...] = (SYMPTOM, OWN),
    more: tuple[Evidence, ...] = (),
    claims: tuple[str, ...] = (),
    calls: dict[str, tuple[str, ...]] | None = None,
    **cause: Any,
) -> Subject:
    """`rows` were read besides the ranking; `cause` overrides that orders is slow for no change."""
    began = Began(at=BEGAN, within_s=15.0, score=9.0)
    read = [result(1, began, *ranking), result(2, *rows, tool="read"), *more]
    calls = CALLS if calls is None else calls
    named = {"service": "orders", "external": None, "change": None, "change_verdict": "none", "kind": "slow", **cause}
    if named["change"]:
        named["change_verdict"] = "cause"
    return Subject(
        cause=Cause(statement="orders is slow", **named),
        confidence="high",
        claims=tuple(Claim(text=text, status="inferred", side="for") for text in claims),
        run=Run(evidence={item.id: item for item in read}, services=tuple(calls)),
        calls=calls,
    )
