"""Hands the simulated system that lies beside the tests to them, and short ways to make series."""

import importlib.util
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from agents.evidence.types import Family, RawKind, RawSeries, Series

T0 = 1_780_000_000.0


def beside(file: str) -> ModuleType:
    """The module of that file in this folder, which is no package."""
    name = f"evidence_{Path(file).stem}"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(file))
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return sys.modules[name]


@pytest.fixture(scope="session")
def made() -> ModuleType:
    """The functions of `told.py`."""
    return beside("told.py")


@pytest.fixture(scope="session")
def simulate() -> Callable[..., Any]:
    """`simulate(fault, seed, ...)` of `simulated.py`; each incident is made once."""
    function: Callable[..., Any] = beside("simulated.py").simulate
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
