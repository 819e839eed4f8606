"""From a run's stored history to the plan in the thread: each read a task, each explanation a line, each note heard."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, ValidationError

from agents.verdict import Symptom, Verdict
from handlers.slack.blocks import text as t
from handlers.slack.blocks.plan import HypothesisLine, HypothesisState, Task, TaskStatus
from store.incidents.artifacts import Artifact
from store.incidents.model_messages import ModelMessage

# Tools by which the investigator speaks instead of reading.
_SPEECH: Final = frozenset({"state_hypotheses", "conclude", "answer"})


class _Stated(BaseModel):
    """One explanation as the model sent it: untrusted."""

    model_config = ConfigDict(extra="ignore", frozen=True)
    id: str
    text: str
    state: HypothesisState = "open"
    reason: str = ""


class _Statement(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)
    hypotheses: list[_Stated]


def tasks(history: Sequence[ModelMessage], artifacts: Sequence[Artifact], *, ended: bool) -> list[Task]:
    """In the order of the history. What was not answered is under way, or broken off when the run has ended."""
    read = {artifact.tool_use_id: artifact for artifact in artifacts}
    answered = dict(_answers(history))
    told: list[Task] = []
    for message in history:
        if heard := _heard(message):
            told.append(Task(id=f"note:{message.seq}", title=f"Heard: {heard}", status="complete"))
        reads = [use for use in _uses(message) if use.get("name") not in _SPEECH]
        told += [_task(use, read, answered, ended=ended) for use in reads]
    return told


def stated(history: Sequence[ModelMessage], *, ended: bool = False) -> list[HypothesisLine]:
    """The explanations as the model last stated them. Once it has `ended`, nobody looks into the open ones any more."""
    for message in reversed(history):
        for use in reversed(list(_uses(message))):
            if use.get("name") != "state_hypotheses":
                continue
            try:
                statement = _Statement.model_validate(use.get("input") or {})
            except ValidationError:
                continue
            return [
                HypothesisLine(id=h.id, text=h.text, state=h.state, reason=h.reason, settled=ended)
                for h in statement.hypotheses
            ]
    return []


def concluded(verdict: Verdict, *, struck: bool = False) -> list[HypothesisLine]:
    """The explanations as the verdict holds them; `struck` when the remedy for the supported ones did not heal."""
    return [
        HypothesisLine(
            id=h.id,
            text=h.text,
            state=h.state,
            reason=h.reason,
            struck=struck and h.state == "supported",
            settled=True,
        )
        for h in verdict.hypotheses
    ]


def symptom(artifacts: Sequence[Artifact]) -> Symptom | None:
    """The symptom as the first artifact that measured one holds it."""
    for artifact in artifacts:
        given = artifact.facts.get("symptom")
        if not isinstance(given, dict):
            continue
        try:
            return Symptom.model_validate(given)
        except ValidationError:
            continue
    return None


def links(artifacts: Sequence[Artifact]) -> dict[str, str]:
    """Addresses that connectors gave, by artifact number."""
    found = {f"A{artifact.number}": artifact.facts.get("link") for artifact in artifacts}
    return {number: link for number, link in found.items() if isinstance(link, str)}


def _task(use: Mapping[str, Any], read: Mapping[str, Artifact], answered: Mapping[str, bool], *, ended: bool) -> Task:
    use_id = str(use.get("id", ""))
    title = _title(str(use.get("name", "")), use.get("input"))
    artifact = read.get(use_id)
    if artifact is not None:
        return Task(id=use_id, title=title, status=_done(failed=artifact.is_error), output=_output(artifact))
    if use_id in answered:
        return Task(id=use_id, title=title, status=_done(failed=answered[use_id]))
    if ended:
        return Task(id=use_id, title=title, status="error", output="Not finished")
    return Task(id=use_id, title=title, status="in_progress")


def _done(*, failed: bool) -> TaskStatus:
    return "error" if failed else "complete"


def _title(name: str, given: object) -> str:
    words = t.one_line(name.replace("_", " ")).capitalize()
    values = given.values() if isinstance(given, dict) else ()
    said = [t.clamp(t.one_line(value), 40) for value in values if isinstance(value, str) and value.strip()]
    return f"{words}: {', '.join(said[:2])}" if said else words


def _output(artifact: Artifact) -> str:
    summary = artifact.facts.get("summary")
    if isinstance(summary, str) and summary.strip():
        return t.one_line(summary)
    return t.one_line(next((line for line in artifact.text.splitlines() if line.strip()), ""))


def _heard(message: ModelMessage) -> str:
    if message.meta.get("kind") != "steering":
        return ""
    said = message.meta.get("text")
    return t.one_line(said) if isinstance(said, str) else ""


def broke(history: Sequence[ModelMessage]) -> str | None:
    """Why the run ended without a verdict, where it noted that."""
    said = next((m.meta.get("because") for m in reversed(history) if m.meta.get("kind") == "ended"), None)
    return said if isinstance(said, str) else None


def _uses(message: ModelMessage) -> Iterator[Mapping[str, Any]]:
    yield from _blocks(message, "assistant", "tool_use")


def _answers(history: Sequence[ModelMessage]) -> Iterator[tuple[str, bool]]:
    for message in history:
        for block in _blocks(message, "user", "tool_result"):
            yield str(block.get("tool_use_id", "")), bool(block.get("is_error"))


def _blocks(message: ModelMessage, role: str, kind: str) -> Iterator[Mapping[str, Any]]:
    if message.role == role and not isinstance(message.content, str):
        yield from (block for block in message.content if block.get("type") == kind)
