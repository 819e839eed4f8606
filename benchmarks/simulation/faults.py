"""The usual faults, each as what it does to one service of a system, from a moment on.

`shows` are the roles of which at least one must be measured for anybody to tell. Before `flow` a fault changes the
causes (own time, own errors, calls); after it what is used up.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from benchmarks.simulation.system import Array, System


@dataclass(frozen=True, kw_only=True)
class Shock:
    """`rise` is 0 before the onset and up to 1 after it, a value a sample; `size` is how hard it hits (about 1)."""

    at: int
    rise: Array
    size: float


Effect = Callable[[System, int, Shock], None]


@dataclass(frozen=True, kw_only=True)
class Fault:
    """`gradual` ones take an hour or more to show. `where` is store, caller, or any. `line` is what is logged."""

    name: str
    shows: tuple[str, ...]
    before: Effect | None = None
    after: Effect | None = None
    where: str = "any"
    gradual: bool = False
    change: str = ""
    line: str = ""


def _slower(factor: float) -> Effect:
    def effect(s: System, i: int, shock: Shock) -> None:
        s.own_time[i] *= 1 + factor * shock.size * shock.rise

    return effect


def _failing(share: float) -> Effect:
    def effect(s: System, i: int, shock: Shock) -> None:
        s.own_errors[i] = np.clip(s.own_errors[i] + share * shock.size * shock.rise, 0, 1)

    return effect


def _both(first: Effect, second: Effect) -> Effect:
    def effect(s: System, i: int, shock: Shock) -> None:
        first(s, i, shock)
        second(s, i, shock)

    return effect


def _add(role: str, amount: float, *, of: str = "") -> Effect:
    """Adds `amount` times the usual level of the role `of`, or as it is."""

    def effect(s: System, i: int, shock: Shock) -> None:
        base = float(np.median(s.roles[of][i])) if of else 1.0
        s.roles[role][i] = s.roles[role][i] + amount * base * shock.size * shock.rise

    return effect


def _set(role: str, level: float, *, of: str = "") -> Effect:
    def effect(s: System, i: int, shock: Shock) -> None:
        base = float(np.median(s.roles[of][i])) if of else 1.0
        r = np.clip(shock.rise, 0, 1)
        s.roles[role][i] = s.roles[role][i] * (1 - r) + level * base * r

    return effect


def _surge(factor: float) -> Effect:
    def effect(s: System, _i: int, shock: Shock) -> None:
        s.entry_load = s.entry_load * (1 + (factor - 1) * shock.rise)
        if factor > 1:
            s.own_time[0] *= 1 + 0.3 * shock.rise

    return effect


def _delayed(s: System, i: int, shock: Shock) -> None:
    s.edge_delay[i] += (0.1 + 4 * float(np.median(s.own_time[i]))) * shock.size * shock.rise


def _retried(s: System, i: int, shock: Shock) -> None:
    for caller in np.flatnonzero(s.calls[:, i]).tolist():
        s.extra_calls[caller, i] = 1 + 2.5 * shock.size * shock.rise
    _failing(0.25)(s, i, shock)
    _slower(2.0)(s, i, shock)


def _stuck(s: System, i: int, shock: Shock) -> None:
    s.blocked[i] = np.clip(s.blocked[i] + 0.95 * np.clip(shock.rise, 0, 1), 0, 0.99)
    _slower(15)(s, i, shock)


def _stopped(s: System, i: int, shock: Shock) -> None:
    r = np.clip(shock.rise, 0, 1)
    s.roles["requests"][i] *= 1 - 0.97 * r
    s.roles["network_in"][i] *= 1 - 0.95 * r
    s.roles["cpu_cores"][i] = 0.01 + (s.roles["cpu_cores"][i] - 0.01) * (1 - 0.95 * r)
    s.roles["queue"][i] += np.cumsum(r) * 12 * shock.size


def _crashing(s: System, i: int, shock: Shock) -> None:
    since = np.arange(s.times.size) - shock.at
    every = max(2, int(60 / float(np.median(np.diff(s.times)))))
    s.roles["restarts"][i] = np.cumsum((since >= 0) & (since % every == 0)).astype(np.float64)


def _leaking(s: System, i: int, shock: Shock) -> None:
    s.roles["memory_bytes"][i] *= 1 + 0.75 * shock.rise
    s.roles["gc"][i] += 0.25 * np.clip(shock.rise, 0, 2) ** 2


def _node(s: System, i: int, shock: Shock) -> None:
    for j in np.flatnonzero(s.node == s.node[i]).tolist():
        _slower(2.0)(s, j, shock)


def _lost(s: System, i: int, shock: Shock) -> None:
    gone = np.ceil(0.6 * s.replicas[i]) * np.clip(shock.rise > 0, 0, 1)
    s.roles["members"][i] = np.maximum(0, s.roles["members"][i] - gone)


def _expired(s: System, i: int, shock: Shock) -> None:
    left = s.times[min(shock.at, s.times.size - 1)] - s.times
    s.roles["certificate"][i] = left


def _filling(s: System, i: int, shock: Shock) -> None:
    s.roles["disk_ratio"][i] = np.clip(
        s.roles["disk_ratio"][i] + (0.99 - s.roles["disk_ratio"][i]) * np.clip(shock.rise, 0, 1), 0, 1
    )


LATE = ("latency_mean", "latency_p99")
WRONG = ("error_ratio", "errors")
CPU = ("cpu_cores", "cpu_ratio")
MEMORY = ("memory_bytes", "memory_ratio")

FAULTS: tuple[Fault, ...] = (
    Fault(name="cpu", shows=CPU, before=_slower(1.5), after=_add("cpu_cores", 4.0, of="limit")),
    Fault(name="cpu throttled", shows=("throttled", *LATE), before=_slower(3), after=_add("throttled", 0.6)),
    Fault(name="memory leak", shows=MEMORY, after=_leaking, gradual=True),
    Fault(name="memory", shows=MEMORY, before=_slower(0.6), after=_add("memory_bytes", 1.2, of="memory_bytes")),
    Fault(
        name="out of memory",
        shows=("restarts", *WRONG),
        before=_failing(0.2),
        after=_crashing,
        line="Killed process: out of memory",
    ),
    Fault(
        name="disk full",
        shows=("disk_ratio", "disk_free"),
        before=_failing(0.2),
        after=_filling,
        where="store",
        gradual=True,
        line="write failed: no space left on device",
    ),
    Fault(name="disk slow", shows=LATE, before=_slower(8), where="store", line="slow write took longer than usual"),
    Fault(
        name="slow code",
        shows=LATE,
        before=_slower(6),
        after=_add("cpu_cores", 0.6, of="cpu_cores"),
        change="deployment",
    ),
    Fault(
        name="failing code",
        shows=WRONG,
        before=_failing(0.3),
        change="deployment",
        line="NullReferenceException while handling request",
    ),
    Fault(name="dependency down", shows=WRONG, before=_failing(0.6), line="connection refused by the provider"),
    Fault(
        name="slow queries", shows=LATE, before=_slower(12), after=_add("cpu_cores", 1.5, of="cpu_cores"), where="store"
    ),
    Fault(
        name="locks",
        shows=("locks", *LATE),
        before=_slower(10),
        after=_add("locks", 20),
        where="store",
        line="lock wait timeout exceeded",
    ),
    Fault(
        name="pool",
        shows=("pool_used", "pool_wait"),
        before=_both(_slower(8), _failing(0.08)),
        after=_both(_set("pool_used", 1.0, of="slots"), _add("pool_wait", 0.8)),
        where="caller",
        line="timed out waiting for a free connection",
    ),
    Fault(
        name="configuration", shows=WRONG, before=_failing(0.4), change="config", line="invalid value in configuration"
    ),
    Fault(
        name="poison message",
        shows=("queue", *WRONG),
        before=_failing(0.3),
        after=_add("queue", 300),
        line="could not parse message, will try again",
    ),
    Fault(name="certificate", shows=WRONG, before=_failing(0.8), after=_expired, line="x509: certificate has expired"),
    Fault(
        name="quota",
        shows=("quota", *WRONG),
        before=_failing(0.35),
        after=_set("quota", 1.0),
        line="rate limit exceeded, try later",
    ),
    Fault(
        name="network delay", shows=("client_latency", "retransmits"), before=_delayed, after=_add("retransmits", 25)
    ),
    Fault(
        name="packet loss",
        shows=("retransmits", *LATE),
        before=_both(_slower(3), _failing(0.05)),
        after=_add("retransmits", 40),
    ),
    Fault(name="retry storm", shows=("requests", *WRONG), before=_retried, line="request failed, retrying"),
    Fault(name="cache cold", shows=("cache_hits", *LATE), before=_slower(5), after=_add("cache_hits", -0.5)),
    Fault(name="stuck", shows=("requests", "threads", *LATE), before=_stuck, after=_add("threads", 80)),
    Fault(name="consumer stopped", shows=("requests", "queue"), after=_stopped),
    Fault(
        name="replicas lost",
        shows=("members",),
        before=_slower(1.0),
        after=_both(_lost, _add("cpu_cores", 1.0, of="cpu_cores")),
    ),
    Fault(
        name="flag",
        shows=(*WRONG, *LATE),
        before=_both(_slower(2), _failing(0.15)),
        change="flag",
        line="unexpected state in new flow",
    ),
    Fault(name="surge", shows=("requests",), before=_surge(3.0), where="entry"),
    Fault(name="traffic gone", shows=("requests",), before=_surge(0.1), where="entry"),
    Fault(
        name="clock",
        shows=("clock", *WRONG),
        before=_failing(0.3),
        after=_add("clock", 8.0),
        line="token is not valid yet",
    ),
    Fault(
        name="collector pauses",
        shows=("gc", *LATE),
        before=_slower(4),
        after=_both(_add("gc", 0.5), _add("cpu_cores", 0.8, of="cpu_cores")),
    ),
    Fault(
        name="file handles",
        shows=("files", *WRONG),
        before=_failing(0.2),
        after=_add("files", 900),
        line="too many open files",
    ),
)
