"""A system of services: who calls whom how often, how long each takes itself, and what each uses.

Load flows down the calls, waiting and failures flow up them. Everything is an array of services x samples.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
SHAPES = ("chain", "tree", "layers", "hub", "mesh")
DAY_S = 86_400.0
_SYLLABLE_TEXT = "ar bel cor dun el fin gar hol ist jun kel lor mir nal or pel quin ras sol tam ul ver wes yor zan"
_SYLLABLES = tuple(_SYLLABLE_TEXT.split())


@dataclass(kw_only=True)
class System:
    """`calls[i, j]` is how often one request to i calls j; services are numbered so that i < j.

    Everything else holds a row a service; two-dimensional arrays have a column a sample and are what faults change.
    """

    services: tuple[str, ...]
    calls: Array
    times: Array
    node: npt.NDArray[np.int64]
    replicas: npt.NDArray[np.int64]
    store: npt.NDArray[np.bool_]
    entry_load: Array
    own_time: Array
    own_errors: Array
    extra_calls: dict[tuple[int, int], Array] = field(default_factory=dict)
    edge_delay: Array
    blocked: Array  # share of the work that is not done
    roles: dict[str, Array] = field(default_factory=dict)  # filled by `flow`, then changed by faults

    @property
    def size(self) -> int:
        return len(self.services)


def build_system(rng: np.random.Generator, times: Array, *, largest: int = 60) -> System:
    """A system of 3 services or more whose load follows the time of day."""
    size = int(np.clip(np.exp(rng.uniform(np.log(3), np.log(largest))), 3, largest))
    calls = _calls(rng, size, str(rng.choice(SHAPES)))
    base = np.exp(rng.uniform(np.log(2), np.log(300)))
    phase, depth = rng.uniform(0, 2 * np.pi), rng.uniform(0, 0.5)
    daily = 1 + depth * np.sin(2 * np.pi * times / DAY_S + phase)
    entry = base * daily * _wander(rng, times.size, 0.05)
    store = (calls.sum(axis=1) == 0) & (rng.random(size) < 0.6)
    own = np.exp(rng.uniform(np.log(0.003), np.log(0.12), size))
    rows = lambda scale: np.vstack([_wander(rng, times.size, scale) for _ in range(size)])  # noqa: E731 -- once
    return System(
        services=_names(rng, size, store),
        calls=calls,
        times=times,
        node=rng.integers(0, max(1, size // 5 + 1), size),
        replicas=rng.integers(1, 6, size),
        store=store,
        entry_load=entry,
        own_time=own[:, None] * rows(0.06),
        own_errors=np.exp(rng.uniform(np.log(1e-5), np.log(4e-3), size))[:, None] * rows(0.3),
        edge_delay=np.zeros((size, times.size)),
        blocked=np.zeros((size, times.size)),
    )


def _names(rng: np.random.Generator, size: int, store: npt.NDArray[np.bool_]) -> tuple[str, ...]:
    found: list[str] = []
    while len(found) < size:
        name = "".join(rng.choice(_SYLLABLES, 2))
        if store[len(found)]:
            name += str(rng.choice(["-db", "-cache", "-store"]))
        if name not in found:
            found.append(name)
    return tuple(found)


def _calls(rng: np.random.Generator, size: int, shape: str) -> Array:
    calls = np.zeros((size, size))
    for j in range(1, size):
        if shape == "chain":
            callers = [j - 1]
        elif shape == "tree":
            callers = [(j - 1) // 2]
        elif shape == "hub":
            callers = [0 if j < 0.6 * size else int(rng.integers(0, j))]
        elif shape == "layers":
            callers = sorted({int(rng.integers(max(0, j - 5), j)) for _ in range(2)})
        else:
            callers = sorted({int(rng.integers(0, j)) for _ in range(int(rng.integers(1, 4)))})
        for i in callers:
            calls[i, j] = float(np.exp(rng.uniform(np.log(0.2), np.log(2.0)))) / (1 if shape != "mesh" else 2)
    return calls


def _wander(rng: np.random.Generator, size: int, scale: float) -> Array:
    """Noise around 1, a part of it slow."""
    quick = rng.normal(0, scale, size)
    slow = np.cumsum(rng.normal(0, scale / 12, size))
    slow -= slow.mean()
    return np.asarray(np.exp(quick + np.clip(slow, -3 * scale, 3 * scale)))


def flow(system: System, rng: np.random.Generator) -> None:
    """Fill in what everybody would measure: load, waiting, failures, and what they use up."""
    n, t = system.size, system.times.size
    load, latency, failed = np.zeros((n, t)), np.zeros((n, t)), np.zeros((n, t))
    load[0] = system.entry_load
    for i in range(n):
        through = load[i] * (1 - system.blocked[i])
        for j in range(i + 1, n):
            if system.calls[i, j] > 0:
                load[j] += through * system.calls[i, j] * system.extra_calls.get((i, j), np.ones(t))
    waited = np.zeros((n, t))
    for i in range(n - 1, -1, -1):
        well = 1 - np.clip(system.own_errors[i], 0, 1)
        for j in range(i + 1, n):
            if system.calls[i, j] > 0:
                waited[i] += system.calls[i, j] * (latency[j] + system.edge_delay[j])
                well = well * (1 - np.clip(failed[j] * min(1.0, system.calls[i, j]), 0, 0.98))
        latency[i] = np.minimum(system.own_time[i] + waited[i], 60.0)
        failed[i] = 1 - well
    noise = lambda scale: np.vstack([_wander(rng, t, scale) for _ in range(n)])  # noqa: E731
    cost = np.exp(rng.uniform(np.log(0.001), np.log(0.02), n))[:, None]
    cores = 0.01 + load * cost * noise(0.08)
    limit = np.maximum(0.25, 3 * np.median(cores, axis=1, keepdims=True))
    memory = np.exp(rng.uniform(np.log(6e7), np.log(4e9), n))[:, None] * (1 + 0.1 * (noise(0.05) - 1))
    slots = np.maximum(8, np.ceil(4 * np.median(load * waited, axis=1, keepdims=True)))
    busy = load * latency
    system.roles = {
        "requests": load,
        "error_ratio": np.clip(failed * noise(0.15), 0, 1),
        "latency_mean": latency * noise(0.04),
        "latency_p99": latency * rng.uniform(2.2, 4.5, n)[:, None] * noise(0.12),
        "client_latency": np.where(system.calls.sum(axis=1)[:, None] > 0, waited * noise(0.04), np.nan),
        "cpu_cores": cores,
        "limit": np.broadcast_to(limit, cores.shape).copy(),
        "throttled": np.abs(rng.normal(0, 0.003, (n, t))),
        "memory_bytes": memory,
        "disk_ratio": np.clip(rng.uniform(0.2, 0.7, n)[:, None] * (1 + 0.002 * (noise(0.05) - 1)), 0, 1),
        "network_in": load * np.exp(rng.uniform(np.log(800), np.log(40_000), n))[:, None] * noise(0.08),
        "retransmits": np.abs(rng.normal(0.3, 0.2, (n, t))),
        "pool_used": np.minimum(np.where(waited > 0, load * waited, 1.0) * noise(0.15), slots),
        "slots": np.broadcast_to(slots, cores.shape).copy(),
        "pool_wait": np.abs(rng.normal(0.001, 0.0005, (n, t))),
        "queue": rng.poisson(2.0, (n, t)).astype(np.float64),
        "threads": np.round(12 + busy * noise(0.1)),
        "files": np.round(60 + 2 * busy * noise(0.1)),
        "cache_hits": np.clip(rng.uniform(0.75, 0.98, n)[:, None] * (1 + 0.02 * (noise(0.1) - 1)), 0, 1),
        "locks": rng.poisson(0.5, (n, t)).astype(np.float64),
        "members": np.broadcast_to(system.replicas[:, None].astype(np.float64), (n, t)).copy(),
        "restarts": np.zeros((n, t)),
        "certificate": rng.uniform(20, 300, n)[:, None] * DAY_S - (system.times - system.times[0])[None, :],
        "clock": rng.normal(0, 0.002, (n, t)),
        "quota": np.clip(0.3 * noise(0.1), 0, 1),
        "gc": np.abs(rng.normal(0.01, 0.004, (n, t))),
        "unrelated": np.exp(rng.uniform(0, 12, n))[:, None] * noise(0.3),
    }


def settle(system: System) -> None:
    """What follows from the rest: shares of limits, and errors per second."""
    roles = system.roles
    roles["cpu_ratio"] = np.clip(roles["cpu_cores"] / roles["limit"], 0, 1)
    roles["memory_ratio"] = np.clip(
        roles["memory_bytes"] / (1.8 * np.median(roles["memory_bytes"], axis=1)[:, None]), 0, 1
    )
    roles["errors"] = roles["requests"] * roles["error_ratio"]
    roles["disk_free"] = (1 - roles["disk_ratio"]) * 2e11
