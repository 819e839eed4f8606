"""A small system of services, simulated second by second, whose faults have a known cause.

It speaks Prometheus like a real one: cumulative counters, histograms, resets on restart. Names are random, so no rule
can hang on them. Used by the tests beside it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Literal

import numpy as np

from agents.evidence.metrics.indicators import derive_indicators
from agents.evidence.types import Change, Edge, FloatArray, LogLine, RawKind, RawSeries, Series, Telemetry, Window

Fault = Literal["quiet", "slow", "exception", "pool", "leak", "provider", "surge", "quota", "timeout_cut"]
START_S = 1_780_000_000.0
BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
SYLLABLES = ("ba", "ko", "ri", "mu", "te", "sa", "vo", "ne", "lu", "pi")


@dataclass(kw_only=True)
class Fleet:
    """`entry` calls `middle`s, the first of which calls `leaf`, which calls the outside `provider`."""

    entry: str
    middle: tuple[str, ...]
    leaf: str
    provider: str

    @property
    def services(self) -> tuple[str, ...]:
        return (self.leaf, *self.middle, self.entry)

    def callees(self, service: str) -> tuple[str, ...]:
        if service == self.entry:
            return self.middle
        if service == self.middle[0]:
            return (self.leaf,)
        return (self.provider,) if service == self.leaf else ()


@dataclass(kw_only=True)
class Incident:
    """What the engine is given, and the truth."""

    raw: list[RawSeries]
    logs: list[LogLine]
    changes: list[Change]
    fleet: Fleet
    onset_s: float
    culprit: str | None
    seconds: int
    external: str | None = None

    def series(self) -> list[Series]:
        return derive_indicators(self.raw, lambda r: r.labels["job"])

    def telemetry(self, **overrides: object) -> Telemetry:
        fields: dict[str, object] = {
            "window": Window(start=_moment(START_S), end=_moment(START_S + self.seconds)),
            "series": tuple(self.series()),
            "logs": tuple(self.logs),
            "changes": tuple(self.changes),
            "edges": tuple(
                Edge(caller=s, callee=c)
                for s in self.fleet.services
                for c in self.fleet.callees(s)
                if c != self.fleet.provider
            ),
            "symptom_service": None,
        }
        return Telemetry(**{**fields, **overrides})  # type: ignore[arg-type]  # overrides are test material


@dataclass(kw_only=True)
class _State:
    """Per second: chance of failure, added seconds, alive or not."""

    load: FloatArray
    own_s: FloatArray
    fails: FloatArray
    alive: FloatArray
    memory: FloatArray
    started: FloatArray
    pool: FloatArray
    pool_size: FloatArray
    failing_log: str = ""
    earlier_log: str = ""
    earlier_until: int = 0
    calls: dict[str, tuple[FloatArray, FloatArray, str]] = field(default_factory=dict)


def simulate(
    fault: Fault,
    seed: int,
    *,
    seconds: int = 300,
    onset: int = 200,
    step: int = 1,
    place: int | None = None,
    with_change: bool = True,
    earlier: tuple[Fault, int, int, int] | None = None,
) -> Incident:
    """`seconds` of telemetry sampled each `step` s, with the fault from `onset` on at a seeded (or given) service.

    `earlier` is a fault of before, its place, and from when to when it lasted; its change is rolled back at the end.
    """
    rng = np.random.default_rng(seed)
    fleet = _fleet(rng)
    culprit = fleet.services[(int(rng.integers(0, 4)) if place is None else place) % 4]
    if fault == "provider":
        culprit = fleet.leaf
    elif fault == "surge":
        culprit = fleet.entry
    elif fault == "timeout_cut":
        culprit = (fleet.leaf, fleet.middle[0], fleet.entry)[(place or seed) % 3]
    states = {s: _healthy(rng, seconds) for s in fleet.services}
    changes = [_innocent(rng, fleet, culprit, onset, fault)]
    after = np.arange(seconds) >= onset
    if earlier is not None:
        changes += _earlier(earlier, states, fleet, rng)
    _break(fault, states, fleet, culprit, after=after, rng=rng)
    if fault in ("slow", "exception", "pool", "leak", "timeout_cut") and with_change:
        kind: Literal["deployment", "config"] = "config" if fault in ("pool", "timeout_cut") else "deployment"
        changes.append(_change("c-bad", culprit, onset - 2, kind))
    raw, logs = _run(rng, fleet, states, seconds, step)
    return Incident(
        raw=raw,
        logs=logs,
        changes=changes,
        fleet=fleet,
        onset_s=START_S + onset,
        culprit=None if fault == "quiet" else culprit,
        seconds=seconds,
        external=fleet.provider if fault == "provider" else None,
    )


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, tz=UTC)


def _fleet(rng: np.random.Generator) -> Fleet:
    names: list[str] = []
    while len(names) < 5:
        name = "".join(rng.choice(SYLLABLES, 3).tolist())
        if name not in names:
            names.append(name)
    return Fleet(entry=names[0], middle=(names[1], names[2]), leaf=names[3], provider=f"{names[4]}-api")


def _healthy(rng: np.random.Generator, seconds: int) -> _State:
    zero, one = np.zeros(seconds), np.ones(seconds)
    size = float(rng.integers(8, 20))
    return _State(
        load=one * float(rng.uniform(8, 25)),
        own_s=one * float(rng.uniform(0.004, 0.03)),
        fails=zero + 0.001,
        alive=one.copy(),
        memory=6e7 * one + rng.normal(0, 2e5, seconds).cumsum() * 0.1,
        started=one * (START_S - 5000),
        pool=np.clip(rng.poisson(1.5, seconds), 0, size).astype(float),
        pool_size=one * size,
    )


def _change(name: str, service: str, at: float, kind: Literal["deployment", "config"]) -> Change:
    return Change(
        id=name,
        service=service,
        at=_moment(START_S + at),
        kind=kind,
        version=f"{name}-2",
        previous_version=f"{name}-1",
        summary="routine update",
        paths=("app.py",),
    )


def _earlier(
    earlier: tuple[Fault, int, int, int], states: Mapping[str, _State], fleet: Fleet, rng: np.random.Generator
) -> list[Change]:
    fault, place, begin, end = earlier
    culprit = {"provider": fleet.leaf, "surge": fleet.entry}.get(fault, fleet.services[place % 4])
    seconds = np.arange(states[culprit].load.size)
    _break(fault, states, fleet, culprit, after=(seconds >= begin) & (seconds < end), rng=rng)
    state = states[culprit]
    if state.failing_log:
        state.earlier_log, state.failing_log, state.earlier_until = state.failing_log, "", end
    if fault in ("provider", "surge", "quota"):
        return []
    bad = _change("c-old", culprit, begin - 2, "deployment")
    back = replace(bad, id="c-back", at=_moment(START_S + end - 1), version="c-old-1", previous_version="c-old-2")
    return [bad, replace(back, summary="back to what it was")]


def _innocent(rng: np.random.Generator, fleet: Fleet, culprit: str, onset: int, fault: Fault) -> Change:
    others = [s for s in fleet.services if s != culprit or fault == "quiet"]
    return _change("c-ok", str(rng.choice(others)), onset - float(rng.uniform(10, 60)), "deployment")


def _break(
    fault: Fault,
    states: Mapping[str, _State],
    fleet: Fleet,
    culprit: str,
    *,
    after: np.ndarray,
    rng: np.random.Generator,
) -> None:
    state = states[culprit]
    late = after.astype(float)
    if fault == "slow":
        state.own_s = state.own_s + late * float(rng.uniform(0.15, 0.6))
        state.pool = np.where(after, state.pool_size * 0.6, state.pool)
    elif fault == "exception":
        state.fails = np.where(after, float(rng.uniform(0.15, 0.5)), state.fails)
        state.failing_log = "unhandled KeyError: 'discount' in line 88"
    elif fault == "quota":
        state.fails = np.where(after, float(rng.uniform(0.2, 0.5)), state.fails)
        state.failing_log = "write failed: [Errno 27] File too large"
    elif fault == "pool":
        state.pool_size = np.where(after, 2.0, state.pool_size)
        state.pool = np.where(after, 2.0, state.pool)
        state.own_s = state.own_s + late * float(rng.uniform(0.3, 0.8))
        state.fails = np.where(after, 0.1, state.fails)
        state.failing_log = "could not get a connection from the pool within 1.0 s"
    elif fault == "leak":
        _leak(state, after)
    elif fault == "provider":
        state.calls[fleet.provider] = (late * 0.8, late * 1.0, "timeout")
    elif fault == "timeout_cut":
        callee = fleet.callees(culprit)[0]
        state.calls[callee] = (late * 0.6, late * 0.0, "timeout")
    elif fault == "surge":
        for service in fleet.services:
            states[service].load = states[service].load * (1 + late * 2.5)
        for service in (fleet.entry, fleet.middle[0]):
            states[service].own_s = states[service].own_s + np.where(after, 0.12, 0.0)
            states[service].pool = np.where(after, states[service].pool_size, states[service].pool)


def _leak(state: _State, after: np.ndarray) -> None:
    """Memory doubles in 35 s, then the process dies and is away for 3 s."""
    age = 0
    for second in np.flatnonzero(after).tolist():
        state.memory[second] = 6e7 * (1 + age / 30)
        state.alive[second] = 0.0 if age >= 35 else 1.0
        age = age + 1 if age < 38 else 0
        if age == 0:
            state.started[second:] = START_S + second
            state.memory[second] = 6e7


def _run(
    rng: np.random.Generator, fleet: Fleet, states: Mapping[str, _State], seconds: int, step: int
) -> tuple[list[RawSeries], list[LogLine]]:
    failing: dict[str, FloatArray] = {fleet.provider: np.full(seconds, 0.001)}
    taking: dict[str, FloatArray] = {fleet.provider: np.full(seconds, 0.04)}
    raw: list[RawSeries] = []
    logs: list[LogLine] = []
    for service in fleet.services:
        recorder = _Recorder(service, states[service], seconds, step, rng)
        inherited, waited = np.zeros(seconds), np.zeros(seconds)
        for callee in fleet.callees(service):
            down = 1.0 - states[callee].alive if callee in states else np.zeros(seconds)
            more_fail, more_s, status = states[service].calls.get(callee, (0.0, 0.0, "500"))
            chance = np.clip(failing[callee] + down + more_fail, 0, 1)
            spent = np.where(down > 0, 0.002, taking[callee] + more_s)
            recorder.client(callee, chance, spent, np.where(down > 0, "connection_refused", status))
            inherited, waited = inherited + chance, waited + spent
        chance = np.clip(states[service].fails + inherited, 0, 1)
        total = states[service].own_s + waited
        recorder.server(chance, total)
        failing[service], taking[service] = chance, total
        recorder.process()
        raw += recorder.raw
        logs += recorder.logs(states[service].fails, inherited, fleet.callees(service))
    logs.sort(key=lambda line: (line.time, line.service, line.text))
    return raw, logs


class _Recorder:
    """Turns per-second truths into the cumulative samples of one process."""

    def __init__(self, service: str, state: _State, seconds: int, step: int, rng: np.random.Generator) -> None:
        self.service, self.state, self.rng = service, state, rng
        self.seconds, self.step = seconds, step
        self.raw: list[RawSeries] = []
        self.requests = np.where(state.alive > 0, rng.poisson(state.load), 0).astype(float)

    def add(self, name: str, kind: RawKind, per_second: FloatArray, **labels: str) -> None:
        keep = np.arange(0, self.seconds, self.step)
        if kind != "gauge":
            per_second = self._cumulate(per_second)
            if not per_second.any():
                return  # as client libraries do: a labelled counter appears with its first increment
        values = per_second[keep].astype(float)
        seen = self.state.alive[keep] > 0
        if kind != "gauge" and "status" in labels:
            seen &= values > 0
        times = START_S + keep[seen].astype(float)
        named = {"job": self.service, **labels}
        self.raw.append(RawSeries(name=name, labels=named, kind=kind, times=times, values=values[seen]))

    def _cumulate(self, increments: FloatArray) -> FloatArray:
        total = np.cumsum(increments)
        restarts = np.flatnonzero(np.diff(self.state.started) > 0) + 1
        for second in restarts.tolist():
            total[second:] -= total[second - 1]
        return total

    def server(self, chance: FloatArray, seconds_each: FloatArray) -> None:
        for route, share in (("/a", 0.7), ("/b", 0.3)):
            count = self.rng.binomial(self.requests.astype(int), share).astype(float)
            bad = self.rng.binomial(count.astype(int), np.clip(chance, 0, 1)).astype(float)
            self.add("http_requests_total", "counter", count - bad, route=route, status="200")
            self.add("http_requests_total", "counter", bad, route=route, status="500")
            self._histogram("http_request_duration_seconds", count, seconds_each, route=route)

    def client(self, peer: str, chance: FloatArray, seconds_each: FloatArray, status: np.ndarray) -> None:
        count = self.requests
        bad = self.rng.binomial(count.astype(int), np.clip(chance, 0, 1)).astype(float)
        self.add("http_client_requests_total", "counter", count - bad, peer=peer, status="200")
        for word in sorted(set(status.tolist())):
            self.add(
                "http_client_requests_total", "counter", np.where(status == word, bad, 0.0), peer=peer, status=word
            )
        self._histogram("http_client_request_duration_seconds", count, seconds_each, peer=peer)

    def _histogram(self, base: str, count: FloatArray, seconds_each: FloatArray, **labels: str) -> None:
        numbers = count.astype(int)
        second = np.repeat(np.arange(self.seconds), numbers)
        taken = seconds_each[second] * self.rng.lognormal(-0.08, 0.4, second.size)
        sums = np.bincount(second, weights=taken, minlength=self.seconds)
        bins = len(BOUNDS) + 1
        filled = second * bins + np.searchsorted(BOUNDS, taken)
        below = np.bincount(filled, minlength=self.seconds * bins).reshape(self.seconds, bins).cumsum(axis=1).T[:-1]
        for bound, row in zip(BOUNDS, below, strict=True):
            self.add(f"{base}_bucket", "histogram_bucket", row, le=str(bound), **labels)
        self.add(f"{base}_bucket", "histogram_bucket", count, le="+Inf", **labels)
        self.add(f"{base}_sum", "counter", sums, **labels)
        self.add(f"{base}_count", "counter", count, **labels)

    def process(self) -> None:
        state = self.state
        self.add("process_resident_memory_bytes", "gauge", state.memory)
        self.add("process_start_time_seconds", "gauge", state.started)
        self.add("process_cpu_seconds_total", "counter", self.requests * 0.002 + 0.01)
        self.add("process_open_fds", "gauge", 12.0 + state.pool)
        self.add("process_max_fds", "gauge", np.full(self.seconds, 1024.0))
        self.add("db_pool_in_use", "gauge", state.pool)
        self.add("db_pool_size", "gauge", state.pool_size)

    def logs(self, own: FloatArray, inherited: FloatArray, callees: tuple[str, ...]) -> list[LogLine]:
        out = []
        for second in range(self.seconds):
            at = _moment(START_S + second) + timedelta(milliseconds=int(self.rng.integers(0, 900)))
            if self.state.alive[second] == 0:
                continue
            number = int(self.rng.integers(100, 99999))
            out.append(self._line(at, "INFO", f"GET /a 200 in {number % 97} ms request {number}"))
            fault = self.state.earlier_log if second < self.state.earlier_until else self.state.failing_log
            if fault and self.rng.random() < min(1.0, own[second] * 3):
                out.append(self._line(at, "ERROR", f"request {number} failed: {fault}"))
            if callees and self.rng.random() < min(1.0, inherited[second] * 2):
                out.append(self._line(at, "ERROR", f"call to {callees[0]} failed for request {number}"))
            if second and self.state.started[second] != self.state.started[second - 1]:
                out.append(self._line(at, "INFO", "listening on port 8080"))
        return out

    def _line(self, at: datetime, level: str, text: str) -> LogLine:
        return LogLine(time=at, service=self.service, level=level, text=text)
