"""Demand or fault? More requests at the entry can do what a fault does, and a surge that nobody measured is no surge.

Only services that no other one calls are asked: inside, retries raise the number of requests as an effect.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from agents.review.refuter import Refuter, RefuterFinding, Subject, doubtful, held, is_load, not_judged, refuted
from agents.rows import Moved

_RISE: Final = 1.5
_PLAIN: Final = 3.0  # beside a change that was read and fits
_FLAT: Final = 1.1


class TrafficRefuter(Refuter):
    name = "traffic"
    title = "Is it demand rather than a fault, or the other way round?"

    def judge(self, subject: Subject) -> RefuterFinding:
        entries = subject.entries() or set(subject.run.services)
        rates = [r for r in subject.rows(Moved) if r.family == "traffic" and not r.peer and r.service in entries]
        if is_load(subject.cause):
            return _is_surge(subject, rates)
        rises = [row for row in rates if row.ratio is not None and row.ratio >= _RISE and _early(subject, row)]
        if not rises:
            return held("no rise of requests at the entry was measured before it began")
        most = max(rises, key=lambda row: row.ratio or 0.0)
        told = f"requests at {most.service} rose {most.ratio:.1f} times as it began: load alone may do this"
        if subject.cause.change_verdict == "cause" and (most.ratio or 0.0) < _PLAIN:
            return held(f"requests at {most.service} rose {most.ratio:.1f} times, which a change explains no less")
        return doubtful(told)


def _is_surge(subject: Subject, rates: list[Moved]) -> RefuterFinding:
    inside = [r for r in subject.rows(Moved) if r.family == "traffic" and not r.peer]
    measured = [row for row in (rates or inside) if row.ratio is not None]
    if not measured:
        return not_judged("the number of requests was not measured")
    most = max(measured, key=lambda row: row.ratio or 0.0)
    if (most.ratio or 0.0) < _FLAT:
        return refuted(f"requests at {most.service} did not rise: {most.ratio:.2f} times what they were")
    return held(f"requests at {most.service} rose {most.ratio:.1f} times")


def _early(subject: Subject, row: Moved) -> bool:
    """A rise that began after the fault is retries."""
    if subject.began is None or row.since is None:
        return False
    return row.since <= subject.began.at + timedelta(seconds=subject.began.within_s)


REFUTER = TrafficRefuter()
