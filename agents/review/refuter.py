"""An adversary: code that tries to refute the cause of a checked draft before anybody is shown it.

One file each in `agents/review/refuters/`, found by its `REFUTER` name. A refuter reads only what the run has stored.
Its answer is one of four: the cause is refuted, it is doubtful, nothing was found against it, it could not be tried.
Doubt lowers the confidence; a refutation returns the draft to the model once.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import ClassVar, Final, TypeVar

from agents.gate.claims import Run
from agents.gate.evidence import Evidence
from agents.review import refuters
from agents.rows import Began, Changed, Moved, Row
from agents.trace import Objection, Outcome
from agents.verdict import Cause, Claim, Confidence, Hypothesis

R = TypeVar("R", bound=Row)
AT_MOST: Final[Mapping[Outcome, Confidence]] = {"refuted": "low", "doubtful": "medium"}
"""How sure a verdict may be that met this; the others leave it alone."""
_ORDER: Final[tuple[Confidence, ...]] = ("none", "low", "medium", "high")


@dataclass(frozen=True, kw_only=True)
class RefuterFinding:
    """`reason` is a sentence for people and for the model: what speaks against the cause, or why it was not tried."""

    outcome: Outcome
    reason: str


def refuted(reason: str) -> RefuterFinding:
    return RefuterFinding(outcome="refuted", reason=reason)


def doubtful(reason: str) -> RefuterFinding:
    return RefuterFinding(outcome="doubtful", reason=reason)


def held(reason: str) -> RefuterFinding:
    return RefuterFinding(outcome="held", reason=reason)


def not_judged(reason: str) -> RefuterFinding:
    return RefuterFinding(outcome="not_judged", reason=reason)


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A draft that passed the gate, with all that was read. `calls` go from caller to callees, as declared."""

    cause: Cause
    confidence: Confidence
    claims: tuple[Claim, ...] = ()
    hypotheses: tuple[Hypothesis, ...] = ()
    run: Run
    calls: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def results(self) -> Iterator[Evidence]:
        """What was read and not failed, oldest first."""
        return (item for item in self.run.evidence.values() if not item.is_error)

    def rows(self, kind: type[R]) -> list[R]:
        """All rows of a kind, oldest result first."""
        return [row for item in self.results for row in item.rows if isinstance(row, kind)]

    @cached_property
    def ranking(self) -> tuple[Row, ...]:
        """The newest ranking that saw when it began; empty without one."""
        seen = [i for i in self.results if i.tool == "rank_causes" and any(isinstance(r, Began) for r in i.rows)]
        return tuple(seen[-1].rows) if seen else ()

    def ranked(self, kind: type[R]) -> list[R]:
        return [row for row in self.ranking if isinstance(row, kind)]

    @property
    def began(self) -> Began | None:
        return next(iter(self.ranked(Began)), None)

    @property
    def symptom(self) -> Moved | None:
        return next((row for row in self.ranked(Moved) if row.role == "symptom"), None)

    @property
    def change(self) -> Changed | None:
        """The change that is named as the cause, as it was last read."""
        if self.cause.change is None or self.cause.change_verdict != "cause":
            return None
        return next((row for row in reversed(self.rows(Changed)) if row.change == self.cause.change), None)

    def own(self) -> list[Moved]:
        """What moved at the service of the cause, or in calls to its outside dependency."""
        mine = {self.cause.service, self.cause.external}
        return [row for row in self.ranked(Moved) if row.service in mine or row.peer in mine - {None}]

    def reach(self, service: str) -> set[str]:
        """The service and all that it calls, directly or not, as declared."""
        found, due = set[str](), [service]
        while due:
            one = due.pop()
            if one not in found:
                found.add(one)
                due.extend(self.calls.get(one, ()))
        return found

    def entries(self) -> set[str]:
        """The services that no other declared one calls: where load comes in."""
        called = {callee for caller, callees in self.calls.items() for callee in callees if callee != caller}
        return set(self.calls) - called


class Refuter:
    """Base of all refuters; stateless and pure. `title` says what is asked, for people."""

    name: ClassVar[str]
    title: ClassVar[str]

    def judge(self, subject: Subject) -> RefuterFinding:
        raise NotImplementedError


@cache
def discover_refuters() -> dict[str, Refuter]:
    """All refuters by name. Raises TypeError for a module without `REFUTER` or with a foreign name."""
    found: dict[str, Refuter] = {}
    for module_info in pkgutil.iter_modules(refuters.__path__):
        module = importlib.import_module(f"{refuters.__name__}.{module_info.name}")
        refuter: Refuter | None = getattr(module, "REFUTER", None)
        if refuter is None or refuter.name != module_info.name:
            raise TypeError(f"{module.__name__} must set REFUTER to a Refuter named {module_info.name!r}")
        found[refuter.name] = refuter
    return found


def review(subject: Subject) -> tuple[Objection, ...]:
    """What each refuter found, in the order of their names."""
    found = [(name, refuter.judge(subject)) for name, refuter in sorted(discover_refuters().items())]
    return tuple(Objection(by=name, outcome=one.outcome, reason=one.reason) for name, one in found)


def at_most(confidence: Confidence, objections: Sequence[Objection]) -> Confidence:
    """The confidence that is left after the objections."""
    bounds = [AT_MOST[one.outcome] for one in objections if one.outcome in AT_MOST]
    return min((confidence, *bounds), key=_ORDER.index)


def is_load(cause: Cause) -> bool:
    """Whether the cause is demand rather than a fault."""
    words = f"{cause.kind} {cause.statement}".lower()
    return any(word in words for word in ("surge", "more requests", "overload", "traffic spike", "too much load"))
