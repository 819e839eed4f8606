"""A small system whose requests are recorded as spans and log lines, with faults of a known cause. Names are random.

`front` asks `middle` or `side`; both ask `leaf`. Used by the tests beside it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from agents.evidence.types import LogLine, Spans, as_utc

START_S = 1_780_000_000.0
ONSET_S = START_S + 300.0
END_S = START_S + 400.0


@dataclass(kw_only=True)
class Fault:
    """What is wrong from `ONSET_S` on, with which of the services."""

    service: str = ""
    work_s: float = 0.0  # own work takes so much longer
    network_s: float = 0.0  # every call to and from it takes so much longer on the way
    stops: bool = False  # it fails before it calls anybody
    answers_badly: bool = False  # whoever called it stops
    skips: bool = False  # it leaves one of its own steps out
    until_s: float = END_S
    share: float = 1.0


@dataclass(kw_only=True)
class Recorder:
    """Collects spans and lines. `tick` is the moment in the request being written."""

    rng: np.random.Generator
    fault: Fault
    rows: list[tuple[float, str, str, float, int, int, int]] = field(default_factory=list)
    lines: list[LogLine] = field(default_factory=list)
    spans: int = 0
    trace: int = 0

    def broken(self, service: str, tick: float) -> bool:
        fault = self.fault
        inside = fault.service == service and ONSET_S <= tick < fault.until_s
        return inside and (fault.share >= 1 or self.rng.random() < fault.share)

    def asked(self, callees: list[str]) -> list[str]:
        return [callees[int(self.rng.integers(len(callees)))]] if callees else []

    def add(self, ts: float, service: str, operation: str, duration: float, parent: int) -> None:
        self.rows.append((ts, service, operation, duration, self.trace, self.spans, parent))

    def serve(self, service: str, tick: float, parent: int, callees: dict[str, list[str]]) -> tuple[float, bool]:
        """One server call with all that it calls: when it answered, and whether well."""
        self.spans += 1
        mine, began = self.spans, tick
        row = len(self.rows)
        self.add(began, service, f"serve {service}", 0.0, parent)
        broken = self.broken(service, tick)
        self.say(service, tick, "INFO", f"Handler#10 asked for item {self.trace}")
        tick += float(self.rng.gamma(8, 0.0005)) + (self.fault.work_s if broken else 0.0)
        well = not (broken and self.fault.stops)
        if well and not (broken and self.fault.skips):
            self.spans += 1
            self.add(tick, service, "check stock", 0.001, mine)
            tick += 0.001
            self.say(service, tick, "INFO", f"Store#20 checked item {self.trace}")
        for callee in self.asked(callees.get(service, [])) if well else []:
            self.spans += 1
            way = float(self.rng.gamma(8, 0.0003))
            way += self.fault.network_s if broken or self.broken(callee, tick) else 0.0
            client, client_row = self.spans, len(self.rows)
            self.add(tick, service, f"call {callee}", 0.0, mine)
            answered, fine = self.serve(callee, tick + way / 2, client, callees)
            self.rows[client_row] = (*self.rows[client_row][:3], answered + way / 2 - tick, *self.rows[client_row][4:])
            tick = answered + way / 2
            if not fine or (self.fault.answers_badly and self.broken(callee, tick)):
                self.say(service, tick, "ERROR", f"Handler#77 no answer for item {self.trace}")
                well = False
                break
        if well:
            self.spans += 1
            self.add(tick, service, "write answer", 0.0005, mine)
            self.say(service, tick, "INFO", f"Handler#30 answered item {self.trace}")
        elif self.fault.stops and broken:
            self.say(service, tick, "ERROR", f"Store#99 cannot read item {self.trace}")
        tick += 0.0005
        self.rows[row] = (*self.rows[row][:3], tick - began, *self.rows[row][4:])
        return tick, well

    def say(self, service: str, tick: float, level: str, text: str) -> None:
        self.lines.append(LogLine(time=as_utc(tick), service=service, level=level, text=text))


@dataclass(frozen=True, kw_only=True)
class Names:
    front: str
    middle: str
    side: str
    leaf: str


def record(fault: str, seed: int, *, per_second: float = 6.0, **settings: object) -> tuple[Spans, list[LogLine], Names]:
    """Spans and lines of 400 s, the fault (`role:kind`, or nothing) from second 300 on."""
    rng = np.random.default_rng(seed)
    names = Names(**{role: _name(rng, role) for role in ("front", "middle", "side", "leaf")})
    made = Fault(**settings)  # type: ignore[arg-type]  # settings are test material
    if fault:
        role, kind = fault.split(":")
        made.service = getattr(names, role)
        kinds = {"work": {"work_s": 0.08}, "network": {"network_s": 0.2}}
        for field_name, value in kinds.get(kind, {kind: True}).items():
            setattr(made, field_name, value)
    recorder = Recorder(rng=rng, fault=made)
    callees = {
        names.front: [names.middle, names.side],
        names.middle: [names.leaf],
        names.side: [names.leaf],
    }
    for tick in _ticks(rng, per_second):
        recorder.trace += 1
        recorder.serve(names.front, tick, -1, callees)
    return as_spans(recorder.rows), recorder.lines, names


def _ticks(rng: np.random.Generator, per_second: float) -> Iterator[float]:
    tick = START_S
    while (tick := tick + float(rng.exponential(1 / per_second))) < END_S:
        yield tick


def _name(rng: np.random.Generator, role: str) -> str:
    return role[0] + "".join(rng.choice(list("aeioklmnrst"), 6))


def as_spans(rows: list[tuple[float, str, str, float, int, int, int]]) -> Spans:
    services = tuple(sorted({row[1] for row in rows}))
    operations = tuple(sorted({row[2] for row in rows}))
    return Spans(
        ts=np.array([row[0] for row in rows], dtype=np.float64),
        service=np.array([services.index(row[1]) for row in rows], dtype=np.int64),
        operation=np.array([operations.index(row[2]) for row in rows], dtype=np.int64),
        duration_s=np.array([row[3] for row in rows], dtype=np.float64),
        trace=np.array([row[4] for row in rows], dtype=np.int64),
        span=np.array([row[5] for row in rows], dtype=np.int64),
        parent=np.array([row[6] for row in rows], dtype=np.int64),
        services=services,
        operations=operations,
    )
