"""Of several remedies that fit and can be carried out: which, and why. The one whose connection said in this run that
it runs the service comes first, then the one of which less is felt; their names decide last.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from agents.connecting.cluster import ROLLOUTS, own_name, read_of
from agents.models.offline.transcript import Result, Transcript
from agents.remediation import Remediation
from agents.remediation.workloads import WorkloadRemediation
from agents.rows import State


@dataclass(frozen=True, kw_only=True)
class ChosenRemedy:
    """`because` is a sentence for people, "" where there was nothing to choose between."""

    name: str
    because: str = ""


def choose_remedy(transcript: Transcript, service: str, fitting: Sequence[Remediation]) -> ChosenRemedy | None:
    """None where nothing fits."""
    ranked = sorted(
        fitting, key=lambda one: (not _says_it_runs(transcript, service, one), not one.is_gradual, one.name)
    )
    if not ranked:
        return None
    best, *others = ranked
    return ChosenRemedy(name=best.name, because=_because(transcript, service, best, others))


def _because(transcript: Transcript, service: str, best: Remediation, others: Sequence[Remediation]) -> str:
    if not others:
        return ""
    lead = f"{best.title} rather than {others[0].title[:1].lower()}{others[0].title[1:]}"
    runs, other_runs = (_says_it_runs(transcript, service, one) for one in (best, others[0]))
    if runs and not other_runs:
        return f"{lead}: what it acts on showed {service} in this run."
    if best.is_gradual and not others[0].is_gradual:
        return f"{lead}: it takes one instance after another."
    return f"{lead}: both would do, and it is the first by name."


def _says_it_runs(transcript: Transcript, service: str, remediation: Remediation) -> bool:
    """Whether what it acts through told of this service in this run: a cluster of objects, a command of its state."""
    in_cluster = isinstance(remediation, WorkloadRemediation)
    return any(
        row.service == service
        for result in transcript.results
        if not result.is_error and _is_of_cluster(result) == in_cluster
        for row in (result.rows if in_cluster else result.of(State))
    )


def _is_of_cluster(result: Result) -> bool:
    return own_name(result.tool) == ROLLOUTS or read_of(result.tool, result.arguments) is not None
