"""What customers got: the outcomes of recent requests, and the comparison with the healthy shop."""

import time
from collections import deque
from collections.abc import Callable, Collection
from dataclasses import dataclass

KEPT_S = 120.0
HEALTHY_ERRORS = 0.03
SICK_ERRORS = 0.08
SLOWER_S = 0.04
SLOWER_SHARE = 0.3
FEWEST = 5


@dataclass(frozen=True, kw_only=True)
class TrafficSample:
    """Outcomes of some kinds of requests over some time. Seconds; a request without an answer is an error."""

    requests: int
    error_rate: float
    p95_s: float
    p75_s: dict[str, float]  # by kind, because kinds differ far more from each other than from one minute to the next


@dataclass(frozen=True, kw_only=True)
class RequestOutcome:
    at: float
    kind: str
    failed: bool
    seconds: float


class Traffic:
    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self.outcomes: deque[RequestOutcome] = deque()

    def note(self, kind: str, status: int, seconds: float) -> None:
        now = self.clock()
        self.outcomes.append(RequestOutcome(at=now, kind=kind, failed=status == 0 or status >= 500, seconds=seconds))
        while self.outcomes[0].at < now - KEPT_S:
            self.outcomes.popleft()

    def sample(self, kinds: Collection[str], since: float, until: float | None = None) -> TrafficSample:
        """`since` and `until` are times of the clock; requests count when they end."""
        chosen = [
            outcome for outcome in self.outcomes
            if outcome.at >= since and (until is None or outcome.at < until) and outcome.kind in kinds
        ]  # fmt: skip
        latencies = sorted(outcome.seconds for outcome in chosen)
        by_kind = {kind: sorted(outcome.seconds for outcome in chosen if outcome.kind == kind) for kind in kinds}
        return TrafficSample(
            requests=len(chosen),
            error_rate=sum(outcome.failed for outcome in chosen) / len(chosen) if chosen else 0.0,
            p95_s=latencies[len(latencies) * 19 // 20] if latencies else 0.0,
            p75_s={kind: times[len(times) * 3 // 4] for kind, times in by_kind.items() if len(times) >= FEWEST},
        )


def slow_kinds(now: TrafficSample, healthy: TrafficSample) -> list[str]:
    """The kinds of which a quarter of the requests is clearly slower than in the healthy shop."""
    return [
        kind for kind, usual_s in healthy.p75_s.items()
        if kind in now.p75_s and now.p75_s[kind] >= usual_s + max(SLOWER_S, SLOWER_SHARE * usual_s)
    ]  # fmt: skip


def is_sick(now: TrafficSample, healthy: TrafficSample) -> bool:
    """Customers clearly notice: many errors, or some kind of request has become slow."""
    return now.requests > 0 and (now.error_rate >= SICK_ERRORS or bool(slow_kinds(now, healthy)))


def is_healed(now: TrafficSample, worst: TrafficSample, healthy: TrafficSample) -> bool:
    """What customers noticed is gone: hardly any errors, and at least two thirds of the added latency."""
    return (
        now.requests > 0
        and now.error_rate < HEALTHY_ERRORS
        and all(
            now.p75_s[kind] < healthy.p75_s[kind] + (worst.p75_s[kind] - healthy.p75_s[kind]) / 3
            for kind in slow_kinds(worst, healthy)
            if kind in now.p75_s
        )
    )
