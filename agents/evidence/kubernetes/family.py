"""The contract of a family of faults, and their discovery: one module a family in `families/`."""

from __future__ import annotations

import pkgutil
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from typing import Protocol, cast

from agents.evidence.kubernetes import families
from agents.evidence.kubernetes.labels import MEANING, Label
from agents.evidence.kubernetes.snapshot import Snapshot
from agents.evidence.kubernetes.types import ClusterHypothesis, ObjectKind, Quote, Read


class Family(Protocol):
    """A module of rules. Both functions are pure and never raise on odd readings."""

    def hypotheses(self, seen: Snapshot) -> Iterator[ClusterHypothesis]:
        """What the rules of this family conclude from what was read so far."""

    def reads(self, seen: Snapshot) -> Iterator[Read]:
        """What they would have to read next to conclude more, most telling first."""


@cache
def all_families() -> tuple[Family, ...]:
    names = sorted(module.name for module in pkgutil.iter_modules(families.__path__))
    return tuple(cast("Family", import_module(f"{families.__name__}.{name}")) for name in names)


def fault(label: Label, name: str, score: float, *quotes: Quote | None, kind: ObjectKind = "app") -> ClusterHypothesis:
    """A hypothesis in the label's own words."""
    return ClusterHypothesis(
        kind=kind,
        name=name,
        label=label,
        score=score,
        because=f"{name}: {MEANING[label]}",
        quotes=tuple(dict.fromkeys(q for q in quotes if q is not None and q.line)),
    )
