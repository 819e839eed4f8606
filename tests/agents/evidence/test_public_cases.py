"""A sanity check on recorded incidents of real test systems, where the data lies beside the repository.

The floor is modest on purpose: the engine's rules must not be tuned to these cases.
"""

import csv
import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agents.evidence.causes import rank_causes
from agents.evidence.types import Edge, Family, Series, Telemetry, Window, as_utc

DATA = Path(__file__).parents[4] / "shared" / "data" / "rca"
FAMILIES: tuple[tuple[tuple[str, ...], Family], ...] = (
    (("cpu",), "cpu"),
    (("mem",), "memory"),
    (("err",), "errors"),
    (("lat",), "latency"),
    (("load", "request"), "traffic"),
)


def load(case: Path) -> Telemetry:
    told = json.loads((case / "case.json").read_text())
    with gzip.open(case / "metrics.csv.gz", "rt") as lines:
        names, *rows = csv.reader(lines)
    cells = np.array([[float(cell) if cell else np.nan for cell in row] for row in rows])
    times = cells[:, 0]
    return Telemetry(
        window=Window(start=as_utc(times[0]), end=as_utc(times[-1])),
        series=tuple(as_series(name, times, cells[:, column]) for column, name in enumerate(names) if column),
        edges=tuple(Edge(caller=a, callee=b) for a, b in told["edges"]),
        reported_at=as_utc(told["incident_time"]),
    )


def as_series(name: str, times: Any, values: Any) -> Series:
    service, indicator = name.split("|", 1)
    family: Family = next((f for words, f in FAMILIES if any(w in indicator.lower() for w in words)), "other")
    return Series(service=service, indicator=indicator, family=family, unit="", labels={}, times=times, values=values)


def test_most_recorded_resource_faults_are_placed() -> None:
    cases = sorted((DATA / "rcd").glob("rcd-*"))
    if not cases:
        pytest.skip("the public cases are not beside this checkout")
    truth = json.loads((DATA / "rcd" / "truth.json").read_text())
    right = 0
    for case in cases:
        causes = rank_causes(load(case)).causes
        right += bool(causes) and causes[0].service == truth[case.name]["service"]
    assert right >= 0.8 * len(cases)
