"""One simulated world: a system, how it is measured and named, and what goes wrong in it, if anything."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

import numpy as np

from agents.evidence.metrics.meaning import as_indicators
from agents.evidence.types import Change, Edge, Family, LogLine, Telemetry, Window, as_utc
from benchmarks.simulation.faults import FAULTS, Fault, Shock
from benchmarks.simulation.names import Names
from benchmarks.simulation.system import System, build_system, flow, settle

START_S = 1_790_000_000.0
STEPS = (5.0, 10.0, 15.0, 30.0, 60.0)
TOLD_WRONG_S = 120.0
QUIET_SHARE = 0.2
COMMON = (
    "requests",
    "error_ratio",
    "errors",
    "latency_mean",
    "latency_p99",
    "cpu_cores",
    "cpu_ratio",
    "memory_bytes",
    "memory_ratio",
)
CHATTER = (("handled request in {} ms", 0.04), ("refreshed {} entries", 0.01), ("slow peer, waited {} ms", 0.002))


@dataclass(frozen=True, kw_only=True)
class World:
    """`culprits` are the right answers, none where nothing is wrong. `traits` tell what the world is like."""

    seed: int
    telemetry: Telemetry
    culprits: frozenset[str]
    fault: str
    onset_s: float
    traits: str
    guilty: str | None


def make_world(seed: int, names: Names, family: str, *, largest: int = 60) -> World:
    """The world of this seed: always the same for the same names."""
    rng, chance = np.random.default_rng(seed), Random(f"world {seed}")  # noqa: S311 -- no secret
    step = chance.choice(STEPS)
    measured = _measured(chance, names)
    fault = _fault(chance, measured)
    before_s = 5400.0 if fault is not None and fault.gradual else chance.choice((1500.0, 2700.0, 3600.0))
    after_s = chance.choice((300.0, 480.0, 720.0))
    if fault is not None and fault.gradual:
        after_s = 5400.0
    times = START_S + 300.0 * chance.randrange(10_000) + step * np.arange(int((before_s + after_s) / step))
    system = build_system(rng, times, largest=largest)
    at = int(before_s / step)
    hit = _place(rng, system, fault) if fault is not None else 0
    shock = Shock(at=at, rise=_rise(times, at, fault), size=chance.uniform(0.7, 1.5))
    if fault is not None and fault.before is not None:
        fault.before(system, hit, shock)
    flow(system, rng)
    if fault is not None and fault.after is not None:
        fault.after(system, hit, shock)
    settle(system)
    has_logs, has_edges = chance.random() < 0.5, chance.random() < 0.8
    changes, guilty = _changes(chance, system, fault, hit, float(times[at])) if chance.random() < 0.6 else ((), None)
    alarm = _alarm(system, measured, at) if fault is not None and chance.random() < 0.5 else None
    telemetry = Telemetry(
        window=Window(start=as_utc(float(times[0])), end=as_utc(float(times[-1]))),
        series=tuple(as_indicators(_columns(rng, chance, system, measured))),
        logs=_logs(rng, system, fault, hit, at) if has_logs else (),
        changes=changes,
        edges=_edges(system) if has_edges else (),
        symptom_service=alarm[0] if alarm else None,
        symptom_family=alarm[1] if alarm else None,
        reported_at=as_utc(float(times[at]) + chance.uniform(-30.0, TOLD_WRONG_S)),
    )
    return World(
        seed=seed,
        telemetry=telemetry,
        culprits=frozenset((system.services[hit],)) if fault is not None else frozenset(),
        fault=fault.name if fault is not None else "none",
        onset_s=float(times[at]),
        traits=f"{family} {system.size} services, {step:.0f} s, {'logs, ' if has_logs else ''}{len(changes)} changes",
        guilty=guilty,
    )


def _measured(chance: Random, names: Names) -> Names:
    """Common roles nearly always, others by chance, as far as there are names."""
    found = {role: rows for role, rows in sorted(names.items()) if role in COMMON or chance.random() < 0.6}
    return {role: rows for role, rows in found.items() if role not in COMMON or chance.random() < 0.9} or found


def _fault(chance: Random, measured: Names) -> Fault | None:
    if chance.random() < QUIET_SHARE:
        return None
    fitting = [f for f in FAULTS if any(role in measured for role in f.shows)]
    return chance.choice(fitting) if fitting else None


def _rise(times: np.ndarray, at: int, fault: Fault | None) -> np.ndarray:
    since = times - times[at]
    length = 4500.0 if fault is not None and fault.gradual else 20.0
    return np.asarray(np.clip(since / length, 0.0, 1.0))


def _place(rng: np.random.Generator, system: System, fault: Fault) -> int:
    """A service that is really called, so that it matters."""
    if fault.where == "entry":
        return 0
    share = np.zeros(system.size)
    share[0] = 1.0
    for i in range(system.size):
        share += share[i] * system.calls[i]
    fitting = share > 0.02
    if fault.where == "store" and (fitting & system.store).any():
        fitting &= system.store
    calling = system.calls.sum(axis=1) > 0
    if fault.where == "caller" and (fitting & calling).any():
        fitting &= calling
    return int(rng.choice(np.flatnonzero(fitting)))


def _alarm(system: System, measured: Names, at: int) -> tuple[str, Family] | None:
    """The service nearest to the users whose errors or latency plainly rose."""
    for service in range(system.size):
        for role, family in (("error_ratio", "errors"), ("latency_mean", "latency")):
            values = system.roles[role][service]
            usual, now = float(np.median(values[:at])), float(np.median(values[at + 2 :]))
            least = 0.03 if family == "errors" else 0.5 * usual
            if {role, *(("errors",) if family == "errors" else ("latency_p99",))} & set(
                measured
            ) and now - usual > least:
                return system.services[service], "errors" if family == "errors" else "latency"
    return None


def _columns(
    rng: np.random.Generator, chance: Random, system: System, measured: Names
) -> list[tuple[str, str, np.ndarray, np.ndarray]]:
    found = []
    gaps = chance.random() < 0.3
    for role, rows in measured.items():
        values = system.roles[role]
        for name in rows:
            for i, service in enumerate(system.services):
                if role in ("cache_hits", "locks") and not (system.store[i] or i % 3 == 0):
                    continue
                told = values[i] * name.factor
                if name.counted:
                    told = np.cumsum(values[i] * np.append(0.0, np.diff(system.times))) * name.factor
                if gaps:
                    told = np.where(rng.random(told.size) < 0.05, np.nan, told)
                if np.isfinite(told).any():
                    found.append((service, name.text, system.times, np.ascontiguousarray(told)))
    return found


def _edges(system: System) -> tuple[Edge, ...]:
    return tuple(
        Edge(caller=system.services[i], callee=system.services[j]) for i, j in np.argwhere(system.calls > 0).tolist()
    )


def _logs(rng: np.random.Generator, system: System, fault: Fault | None, hit: int, at: int) -> tuple[LogLine, ...]:
    """Chatter everywhere; the fault's own lines where it is, and complaints of those who call it."""
    found: list[tuple[float, int, str, str]] = []
    first, last = float(system.times[0]), float(system.times[-1])
    for i in range(system.size):
        for text, rate in CHATTER:
            moments = rng.uniform(first, last, rng.poisson(rate * (last - first))).tolist()
            found += [(moment, i, "INFO", text.format(int(rng.integers(1, 900)))) for moment in moments]
    if fault is not None and fault.line:
        since = float(system.times[at])
        found += [(t, hit, "ERROR", fault.line) for t in rng.uniform(since, last, 12 + rng.poisson(20)).tolist()]
        complaint = f"call to {system.services[hit]} failed"
        for caller in np.flatnonzero(system.calls[:, hit]).tolist():
            found += [(t, caller, "ERROR", complaint) for t in rng.uniform(since, last, 4 + rng.poisson(10)).tolist()]
    found.sort()
    return tuple(
        LogLine(time=as_utc(t), service=system.services[i], level=level, text=text) for t, i, level, text in found
    )


_INNOCENT = ("Update the copyright year", "Tidy imports", "Reword a tooltip", "Add a health check", "Bump a linter")


def _changes(
    chance: Random, system: System, fault: Fault | None, hit: int, onset_s: float
) -> tuple[tuple[Change, ...], str | None]:
    """The guilty one where the fault came with a change, and decoys, some of them nearer to the onset."""
    found = [
        Change(
            id=f"c{i}",
            service=chance.choice(system.services),
            at=as_utc(onset_s - chance.uniform(10, 1400)),
            kind="deployment",
            version=f"1.{i}",
            summary=chance.choice(_INNOCENT),
        )
        for i in range(chance.randrange(0, 4))
    ]
    guilty = None
    if fault is not None and fault.change:
        guilty = "guilty"
        found.append(
            Change(
                id=guilty,
                service=system.services[hit],
                at=as_utc(onset_s - chance.uniform(5, 90)),
                kind="deployment" if fault.change == "deployment" else "config",
                version="2.0",
                summary="Rework how requests are handled" if fault.change == "deployment" else "Turn on the new flow",
            )
        )
    return tuple(sorted(found, key=lambda c: c.at)), guilty
