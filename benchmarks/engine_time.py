"""How long the engine takes beside numpy's quartiles over the same samples, told a time and asked live.

    python benchmarks/engine_time.py [--services N] [--indicators N] [--rounds N]

An hour at 15 s, one service that turns slow five minutes before the end. Both are timed on the processor in the same
run, by turns; what counts is the ratio of the medians, which a busy machine changes little.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np

sys.path[0] = str(Path(__file__).resolve().parents[1])

from agents.evidence.metrics.meaning import as_indicators
from agents.evidence.ranking.causes import rank_causes
from agents.evidence.types import Telemetry, Window, as_utc

NAMES = (
    "http_request_duration_p99_ms",
    "http_requests_per_sec",
    "http_error_rate_pct",
    "container_cpu_cores",
    "container_memory_bytes",
    "queue_depth",
)
STEP_S, SAMPLES, LATE = 15.0, 240, 20


def make_fleet(services: int, indicators: int) -> Telemetry:
    """The hour, of which nobody tells when anything began."""
    rng = np.random.default_rng(1)
    times = 1.79e9 + STEP_S * np.arange(SAMPLES)
    columns = []
    for service in range(services):
        for indicator in range(indicators):
            name = NAMES[indicator % len(NAMES)] + ("" if indicator < len(NAMES) else f"_{indicator}")
            values = np.exp(rng.uniform(0, 4)) * rng.lognormal(0, 0.08, SAMPLES)
            if service == 1:
                values[-LATE:] *= 4
            columns.append((f"svc-{service}", name, times, values))
    window = Window(start=as_utc(float(times[0])), end=as_utc(float(times[-1])))
    return Telemetry(window=window, series=tuple(as_indicators(columns)))


def timed(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--services", type=int, default=100)
    parser.add_argument("--indicators", type=int, default=30)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    live = make_fleet(options.services, options.indicators)
    told = Telemetry(window=live.window, series=live.series, reported_at=as_utc(float(live.series[0].times[-LATE])))
    values = np.vstack([s.values for s in live.series])
    spent: dict[str, list[float]] = {"numpy": [], "told": [], "live": []}
    for _ in range(options.rounds):
        spent["numpy"].append(timed(lambda: np.quantile(values, (0.25, 0.5, 0.75), axis=1)))
        spent["told"].append(timed(lambda: rank_causes(told)))
        spent["live"].append(timed(lambda: rank_causes(live)))
    usual = median(spent["numpy"])
    print(f"{len(live.series)} series of {SAMPLES} samples: numpy {1000 * usual:.0f} ms of the processor")
    for name in ("told", "live"):
        print(f"{name}: {1000 * median(spent[name]):.0f} ms, {median(spent[name]) / usual:.1f} times as long")


if __name__ == "__main__":
    main()
