"""Hands the simulated system that lies beside the tests to them, and short ways to make series."""

import importlib.util
import sys
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from agents.evidence.types import Family, RawKind, RawSeries, Series
from tests.agents.evidence.recording import record as make_recording

T0 = 1_780_000_000.0


HERE = Path(__file__).parent


def loaded(path: Path) -> ModuleType:
    """The module of a file that lies in no package."""
    name = f"{path.parent.name}_{path.stem}"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return sys.modules[name]


@pytest.fixture(scope="session")
def made() -> ModuleType:
    """The functions of `told.py`."""
    return loaded(HERE / "told.py")


@pytest.fixture(scope="session")
def benchmark() -> ModuleType:
    """`benchmarks/rca.py`, which reads the case folders."""
    return loaded(HERE.parents[2] / "benchmarks" / "rca.py")


@pytest.fixture(scope="session")
def record() -> Callable[..., Any]:
    """`record(fault, seed)` of `recording.py`; each recording is made once."""
    remembered: Callable[..., Any] = cache(make_recording)
    return remembered


@pytest.fixture(scope="session")
def simulate() -> Callable[..., Any]:
    """`simulate(fault, seed, ...)` of `simulated.py`; each incident is made once."""
    function: Callable[..., Any] = loaded(HERE / "simulated.py").simulate
    made: dict[tuple[Any, ...], Any] = {}

    def remembered(fault: str, seed: int, **settings: Any) -> Any:
        key = (fault, seed, *sorted(settings.items()))
        if key not in made:
            made[key] = function(fault, seed, **settings)
        return made[key]

    return remembered


@pytest.fixture
def raw() -> Callable[..., RawSeries]:
    """`raw(name, values, kind=..., **labels)` sampled once a second."""

    def build(name: str, values: Any, kind: RawKind = "unknown", step: float = 1.0, **labels: str) -> RawSeries:
        array = np.asarray(values, dtype=np.float64)
        times = T0 + step * np.arange(array.size, dtype=np.float64)
        return RawSeries(name=name, labels={"job": "svc", **labels}, kind=kind, times=times, values=array)

    return build


@pytest.fixture
def series() -> Callable[..., Series]:
    """`series(values, family=...)` sampled once a second."""

    def build(
        values: Any,
        family: Family = "latency",
        *,
        unit: str = "s",
        service: str = "svc",
        indicator: str = "latency mean",
        step: float = 1.0,
        labels: Mapping[str, str] | None = None,
    ) -> Series:
        array = np.asarray(values, dtype=np.float64)
        return Series(
            service=service,
            indicator=indicator,
            family=family,
            unit=unit,
            labels=labels or {},
            times=T0 + step * np.arange(array.size, dtype=np.float64),
            values=array,
        )

    return build
