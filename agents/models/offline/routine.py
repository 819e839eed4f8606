"""The investigator's routine: rank, read what the first suspects did and which change touches it, conclude.

`next_calls` answers the tool calls of the turn that is due, from the transcript alone. Three or four turns end a run; a
run that somebody else began is taken over where it stands.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError

from agents.gate.draft import check_draft
from agents.models.offline import cluster, database
from agents.models.offline.draft import draft_conclusion, hypotheses
from agents.models.offline.findings import FoundChange
from agents.models.offline.judgement import (
    CollectedFindings,
    diffs_to_read,
    explain,
    explains_itself,
    open_suspects,
    read_case,
)
from agents.models.offline.steering import read_steering
from agents.models.offline.transcript import Result, Transcript
from agents.verdict import read_draft

_MOST_TURNS: Final = 5  # own turns, after which the conclusion is due whatever is missing
_MOST_CONCLUSIONS: Final = 3
_WAIT_S: Final = 6
_WAITED: Final = ("latency", "dependency_latency")
_RAISED: Final = "Traceback|Exception|[a-z]Error"


@dataclass(frozen=True, kw_only=True)
class PlannedCall:
    tool: str
    arguments: Mapping[str, Any]


def next_calls(transcript: Transcript) -> tuple[str, list[PlannedCall]]:
    """One sentence for the people who watch, and the calls; no calls when nothing is left to do."""
    told = max((note.place for note in transcript.notes), default=-1)
    concluded = [r for r in transcript.results if r.tool == "conclude" and r.place > told]
    if "conclude" not in transcript.tools:
        return "I have no tools here, so I can read nothing and draw no conclusion.", []
    if any(not r.is_error for r in concluded) or len(concluded) >= _MOST_CONCLUSIONS:
        return "The conclusion is handed in.", []
    if concluded:
        return "Mending the conclusion.", [PlannedCall(tool="conclude", arguments=_mended(transcript, concluded[-1]))]
    if states := _states(transcript):
        return states
    case = read_case(transcript, read_steering(transcript))
    most = _MOST_TURNS + (cluster.MOST_TURNS if cluster.is_there(transcript) else 0)
    reading = [] if transcript.hurried or transcript.own_turns >= most else _reading(case)
    if reading:
        return _says(reading), reading
    return "That is enough to conclude.", _conclusion(case)


def first_calls(transcript: Transcript) -> list[PlannedCall]:
    """What code reads before the first turn; nothing where a cluster or a database tells its state outright."""
    if cluster.is_there(transcript) or database.is_there(transcript):
        return []
    return _first_look(read_case(transcript, read_steering(transcript)))


def _states(transcript: Transcript) -> tuple[str, list[PlannedCall]] | None:
    """The next turn over sources that tell their state outright; None where there are none, or they explain nothing."""
    for what, source in (("cluster", cluster), ("database", database)):
        if not source.is_there(transcript):
            continue
        if wanted := source.reads(transcript):
            return f"Reading the {what}.", [PlannedCall(tool=tool, arguments=arguments) for tool, arguments in wanted]
        if draft := source.conclusion(transcript):
            if measuring := _measuring(transcript):
                return "Measuring what is felt of it.", measuring
            return "That is enough to conclude.", [PlannedCall(tool="conclude", arguments=draft)]
    return None


def _measuring(transcript: Transcript) -> list[PlannedCall]:
    """What is felt of a fault whose state was told outright: whether a remedy healed is judged by that."""
    if transcript.hurried or "metrics" in transcript.missing:
        return []
    return [c for c in _first_look(read_case(transcript, read_steering(transcript))) if c.tool == "rank_causes"]


def _reading(case: CollectedFindings) -> list[PlannedCall]:
    if first := _first_look(case):
        return first
    second = [call for call in _second_look(case) if not case.transcript.was_asked(call.tool, call.arguments)]
    doubtful = not second and not explains_itself(explain(case))
    if doubtful or not open_suspects(case):
        second += _later_look(case)
    if not second:
        return []
    return [*_shown(case, hypotheses(case, None)), *second]


def _first_look(case: CollectedFindings) -> list[PlannedCall]:
    """The ranking, and again when a person in the thread named another place to look at."""
    transcript, steering = case.transcript, case.steering
    arguments = _told(case)
    asked = [given for name, given in transcript.asked if name == "rank_causes"]
    moved = steering.note_focus is not None and not any(a.get("symptom_service") == steering.note_focus for a in asked)
    if asked and not moved:
        return []
    calls = [PlannedCall(tool=tool, arguments=arguments) for tool in ("rank_causes", "what_changed")]
    return [c for c in calls if c.tool in transcript.tools and not transcript.was_asked(c.tool, c.arguments)]


def _told(case: CollectedFindings) -> dict[str, Any]:
    """What people said of the incident, as all tools that look at a window take it."""
    steering = case.steering
    said = {
        "symptom_service": steering.focus,
        "symptom": steering.symptom,
        "since_minutes": steering.since_minutes,
    }
    return {k: v for k, v in said.items() if v and case.transcript.takes("rank_causes", k)}


def _later_look(case: CollectedFindings) -> list[PlannedCall]:
    """Once more after some seconds: a report may come before the data that shows its cause."""
    transcript = case.transcript
    told = _told(case)
    if any("wait_s" in given for _, given in transcript.asked):
        return []
    tools = [tool for tool in ("rank_causes", "what_changed") if transcript.takes(tool, "wait_s")]
    return [PlannedCall(tool=tool, arguments={**told, "wait_s": _WAIT_S}) for tool in tools]


def _second_look(case: CollectedFindings) -> list[PlannedCall]:
    transcript = case.transcript
    suspects = open_suspects(case)
    told = _told(case)
    calls = []
    if suspects and transcript.takes("log_patterns", "service"):
        calls.append(PlannedCall(tool="log_patterns", arguments={"service": suspects[0].service, **told}))
    elif "log_patterns" in transcript.tools:
        calls.append(PlannedCall(tool="log_patterns", arguments=told))
    if suspects and suspects[0].family in _WAITED and transcript.takes("trace_breakdown", "service"):
        calls.append(PlannedCall(tool="trace_breakdown", arguments={"service": suspects[0].service, **told}))
    if suspects and suspects[0].family != "traffic" and transcript.takes("search_logs", "service", "grep", "limit"):
        calls.append(
            PlannedCall(tool="search_logs", arguments={"service": suspects[0].service, "grep": _RAISED, "limit": 5})
        )
    calls += [call for change in diffs_to_read(case) if (call := _diff(transcript, change))]
    return calls


def _diff(transcript: Transcript, change: FoundChange) -> PlannedCall | None:
    return (
        PlannedCall(tool="read_diff", arguments={"change": change.id})
        if transcript.takes("read_diff", "change")
        else None
    )


def _conclusion(case: CollectedFindings) -> list[PlannedCall]:
    explanation = explain(case)
    draft = draft_conclusion(case, explanation)
    return [*_shown(case, draft["hypotheses"]), PlannedCall(tool="conclude", arguments=draft)]


def _shown(case: CollectedFindings, rows: list[dict[str, Any]]) -> list[PlannedCall]:
    arguments = {"hypotheses": rows}
    if "state_hypotheses" not in case.transcript.tools or not rows:
        return []
    return (
        []
        if case.transcript.was_asked("state_hypotheses", arguments)
        else [PlannedCall(tool="state_hypotheses", arguments=arguments)]
    )


def _mended(transcript: Transcript, refusal: Result) -> dict[str, Any]:
    """The draft that was refused, as far as the gate lets it through; what cannot be read is drafted anew."""
    try:
        draft = read_draft(dict(refusal.arguments))
    except ValidationError:
        case = read_case(transcript, read_steering(transcript))
        own = draft_conclusion(case, explain(case))
        return own if dict(refusal.arguments) != own else draft_conclusion(case, None)
    checked = check_draft(draft, transcript.evidence(), transcript.calls)
    kept = {claim.text for claim in checked.taken}
    mended = draft.model_dump(mode="json")
    mended["claims"] = [claim for claim in mended["claims"] if claim["text"] in kept]
    mended["confidence"] = checked.confidence
    mended["proposal"] = checked.proposal.model_dump(mode="json") if checked.proposal else None
    if checked.cause is None:
        mended["cause"] = None
    elif checked.cause.change_verdict != "cause" and mended["cause"]["change"]:
        what = f"{checked.cause.service}: {checked.cause.kind}."
        mended["cause"] |= {"change": None, "statement": what}
        mended["headline"] = f"{what} {checked.confidence.capitalize()}."
    return dict(mended)


def _says(calls: Iterable[PlannedCall]) -> str:
    words = {
        "rank_causes": "ranking what is abnormal",
        "what_changed": "looking for changes",
        "log_patterns": "reading the suspect's logs",
        "search_logs": "reading the suspect's logs",
        "trace_breakdown": "looking where its requests' time goes",
        "read_diff": "reading the diffs of the changes in question",
    }
    said = list(dict.fromkeys(words[c.tool] for c in calls if c.tool in words))
    text = ", ".join(said) or "going on"
    return f"{text[0].upper()}{text[1:]}."
