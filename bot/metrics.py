"""`/metrics` in Prometheus' text format: how work fares and how long it takes; no tenant, nobody's name, no content.

Label values come from code: names of workflows and connectors, closed words. A name that code does not know would be
`other`. Our own registry, so that no library adds to it.
https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Final, get_args

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from agents.connecting.connector import discover_connectors
from agents.investigation.loop import TurnOutcome
from agents.verdict import Confidence
from agents.workflow import discover_workflows
from store.incidents.approvals import ApprovalState

_FAST: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 3)
_LONG: Final = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800)
_OUTCOMES: Final = frozenset({*TurnOutcome, *ApprovalState, "done", "failed", "interrupted"})
_CONFIDENCES: Final = frozenset(get_args(Confidence))
_OWN_SOURCES: Final = ("evidence", "policy")


@dataclass(frozen=True, kw_only=True)
class Backlog:
    """`queued`: arrivals written down and not yet handed to the engine. `relay_lag_s`: age of the oldest event that
    waits for its day.
    """

    queued: int
    relay_lag_s: float


class Metrics:
    """`agents.meter.Meter`, and what the process itself measures. One per process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._workflows = self._counter("workflow_runs", "Ended runs of workflows.", "workflow", "outcome")
        self._durations = self._histogram("workflow_seconds", "How long a run took.", _LONG, "workflow")
        self._verdicts = self._histogram("verdict_seconds", "From start to verdict.", _LONG, "confidence")
        self._acks = self._histogram("ack_seconds", "Until Slack had its acknowledgement.", _FAST)
        self._tools = self._counter("tool_calls", "Calls of tools.", "connector", "outcome")
        self._tokens = self._counter("model_tokens", "Tokens of models.", "model", "direction")
        self._cost = self._counter("model_cost_usd", "US dollars spent on models.", "model")
        self._mails = self._counter("mails", "E-mails by how they ended.", "outcome")
        self._queued = Gauge("autoheal_queued", "Arrivals that wait for the engine.", registry=self.registry)
        self._lag = Gauge(
            "autoheal_event_relay_lag_seconds", "Age of the oldest waiting event.", registry=self.registry
        )
        self._names = {*discover_workflows()}
        self._sources = {*discover_connectors(), *_OWN_SOURCES}

    # agents.meter.Meter

    def workflow_ended(self, workflow: str, outcome: str, seconds: float) -> None:
        name = _known(workflow, self._names)
        self._workflows.labels(name, _known(outcome, _OUTCOMES)).inc()
        self._durations.labels(name).observe(seconds)

    def verdict_stored(self, confidence: str, seconds: float) -> None:
        self._verdicts.labels(_known(confidence, _CONFIDENCES)).observe(seconds)

    def tool_called(self, source: str, outcome: str) -> None:
        self._tools.labels(_known(source, self._sources), outcome).inc()

    def model_called(self, model: str, *, input_tokens: int, output_tokens: int, cost_usd: float) -> None:
        name = model if model == "offline" else "claude"
        self._tokens.labels(name, "input").inc(max(0, input_tokens))
        self._tokens.labels(name, "output").inc(max(0, output_tokens))
        self._cost.labels(name).inc(max(0.0, cost_usd))

    # The process

    def acknowledged(self, seconds: float) -> None:
        self._acks.observe(seconds)

    def mail_ended(self, outcome: str) -> None:
        """`outcome`: sent, failed or skipped."""
        self._mails.labels(outcome).inc()

    async def text(self, backlog: Callable[[], Awaitable[Backlog]]) -> bytes:
        """What a scrape gets. `backlog` is asked now."""
        now = await backlog()
        self._queued.set(now.queued)
        self._lag.set(now.relay_lag_s)
        return generate_latest(self.registry)

    def _counter(self, name: str, says: str, *labels: str) -> Counter:
        return Counter(f"autoheal_{name}", says, labels, registry=self.registry)

    def _histogram(self, name: str, says: str, buckets: Iterable[float], *labels: str) -> Histogram:
        return Histogram(f"autoheal_{name}", says, labels, buckets=tuple(buckets), registry=self.registry)


def _known(value: str, names: Iterable[str]) -> str:
    return value if value in names else "other"
