"""Of several remedies that fit and can be carried out: which, and why. The one whose connection said in this run that
it runs the service comes first, then the one of which less is felt; their names decide last.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from agents.connecting.cluster import ROLLOUTS, own_name, read_of
from agents.evidence.kubernetes.types import What
from agents.models.offline.transcript import Result, Transcript
from agents.remediation import Remediation, discover_remediations
from agents.remediation.workloads import WorkloadRemediation
from agents.rows import Printed, Row, State

_WORKLOADS: Final = frozenset({"pods", "deployments", "statefulsets", "daemonsets"})


@dataclass(frozen=True, kw_only=True)
class ChosenRemedy:
    """`because` is a sentence for people, "" where there was nothing to choose between."""

    name: str
    because: str = ""


class _Runs(IntEnum):
    """What the place where a remedy acts told of a service in this run, the best first."""

    SHOWN = 0
    NOT_READ = 1
    NOT_THERE = 2


def fitting_remedies(
    connected: Sequence[str], fault: str, *, by_change: bool = False, external: str = ""
) -> list[Remediation]:
    """What clears a kind of fault, or takes the change back that brought it, and can be carried out; else what would
    and is worth naming all the same.
    """
    fitting = [
        one
        for one in discover_remediations().values()
        if one.is_cure and one.needs_change == by_change and (one.needs_change or (not external and fault in one.cures))
    ]
    possible = [one for one in fitting if one.name in connected]
    return possible or [one for one in fitting if one.named_where_impossible]


def choose_remedy(transcript: Transcript, service: str, fitting: Sequence[Remediation]) -> ChosenRemedy | None:
    """None where nothing fits."""
    ranked = sorted(fitting, key=lambda one: (_runs(transcript, service, one), not one.is_gradual, one.name))
    if not ranked:
        return None
    best, *others = ranked
    return ChosenRemedy(name=best.name, because=_because(transcript, service, best, others))


def _because(transcript: Transcript, service: str, best: Remediation, others: Sequence[Remediation]) -> str:
    if not others:
        return ""
    lead = f"{best.title} rather than {others[0].title[:1].lower()}{others[0].title[1:]}"
    runs, other_runs = (_runs(transcript, service, one) for one in (best, others[0]))
    if runs is _Runs.SHOWN and other_runs is not _Runs.SHOWN:
        return f"{lead}: what it acts on showed {service} in this run."
    if other_runs is _Runs.NOT_THERE and runs is not _Runs.NOT_THERE:
        return f"{lead}: what that acts on was read in this run, and did not show {service}."
    if best.is_gradual and not others[0].is_gradual:
        return f"{lead}: it takes one instance after another."
    return f"{lead}: both would do, and it is the first by name."


def _runs(transcript: Transcript, service: str, remediation: Remediation) -> _Runs:
    """By a cluster's workloads for what acts on those; by what a status command told for the others."""
    in_cluster = isinstance(remediation, WorkloadRemediation)
    about = [
        result
        for result in transcript.results
        if not result.is_error and (_lists_workloads(result) if in_cluster else bool(result.of(State)))
    ]
    if not about:
        return _Runs.NOT_READ
    shown = any(_shows(row, service) for result in about for row in result.rows)
    return _Runs.SHOWN if shown else _Runs.NOT_THERE if in_cluster else _Runs.NOT_READ


def _lists_workloads(result: Result) -> bool:
    if own_name(result.tool) == ROLLOUTS:
        return True
    read = read_of(result.tool, result.arguments)
    return read is not None and read.what is What.LIST and read.kind in _WORKLOADS


def _shows(row: Row, service: str) -> bool:
    """A listing is of a whole namespace, so its words are asked; a service is named as a whole there."""
    if row.service == service:
        return True
    named = re.compile(rf"(?<![\w.-]){re.escape(service)}(?![\w.])")
    return isinstance(row, Printed) and named.search(row.text) is not None
