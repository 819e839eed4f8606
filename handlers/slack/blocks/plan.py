"""The plan message: what is being read, which explanations stand, what a person said on the way. Edited in place."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from handlers.slack.blocks import text as t
from handlers.slack.blocks.message import Json, Message, context, sections

TaskStatus = Literal["pending", "in_progress", "complete", "error"]
HypothesisState = Literal["open", "supported", "refuted"]

MOST_TASKS: Final = 50
TITLE_LIMIT: Final = 120
OUTPUT_LIMIT: Final = 240


@dataclass(frozen=True, kw_only=True)
class Task:
    """One line of the plan. `id` stays the same as long as the line means the same."""

    id: str
    title: str
    status: TaskStatus
    output: str = ""


@dataclass(frozen=True, kw_only=True)
class HypothesisLine:
    """One explanation. `struck` when the remedy that followed from it did not heal, `settled` when nobody looks into it
    any more.
    """

    id: str
    text: str
    state: HypothesisState
    reason: str = ""
    struck: bool = False
    settled: bool = False


@dataclass(frozen=True, kw_only=True)
class PlanView:
    """All that the plan message shows. `title` says where the run stands; `done` is all that is left to say of it once
    the verdict is there.
    """

    title: str
    tasks: Sequence[Task] = ()
    hypotheses: Sequence[HypothesisLine] = ()
    marker: str = field(default="plan")
    done: str = ""


def lines(view: PlanView) -> list[Task]:
    """Hypotheses first, then tasks; the oldest tasks give way when there are more than Slack takes."""
    told = [_hypothesis(line) for line in view.hypotheses[:10]]
    room = MOST_TASKS - len(told) - 1
    kept = list(view.tasks)
    if len(kept) > room:
        earlier = len(kept) - room
        kept = [Task(id="earlier", title=f"{t.plural(earlier, 'earlier read')}", status="complete"), *kept[-room:]]
    return [*told, *kept]


def updates(view: PlanView, shown: Mapping[str, Task]) -> list[Json]:
    """Chunks that turn what a stream shows into `view`. Slack appends outputs, so each is sent once."""
    chunks: list[Json] = []
    for task in lines(view):
        before = shown.get(task.id)
        if before == task:
            continue
        chunk: Json = {
            "type": "task_update",
            "id": slack_id(view.marker, task.id),
            "title": _title(task),
            "status": task.status,
        }
        if task.output and (before is None or not before.output):
            chunk["output"] = t.plain(task.output, OUTPUT_LIMIT)
        chunks.append(chunk)
    return chunks


def title_chunk(view: PlanView) -> Json:
    """The chunk that names the plan."""
    return {"type": "plan_update", "title": _plan_title(view)}


def plan(view: PlanView) -> Message:
    """The same as a whole message, for `chat.update`: also after a restart. One line, once the verdict is there."""
    struck = [line for line in view.hypotheses if line.struck]
    if view.done:
        return Message(text=t.push(_summary(view)), blocks=(*context(view.done), *_struck(struck)))
    block: Json = {
        "type": "plan",
        "title": _plan_title(view),
        "tasks": [_card(task, view.marker) for task in lines(view)],
    }
    return Message(text=t.push(_summary(view)), blocks=(block, *_struck(struck)))


def slack_id(marker: str, task_id: str) -> str:
    """The task's id in Slack. It carries the message's marker, by which the message is found after a crash."""
    return f"{marker}:{hashlib.sha256(task_id.encode()).hexdigest()[:12]}"


def _plan_title(view: PlanView) -> str:
    return t.plain(view.title, TITLE_LIMIT) or "Plan"


def _title(task: Task) -> str:
    return t.plain(task.title, TITLE_LIMIT) or "Read"


def _card(task: Task, marker: str) -> Json:
    card: Json = {
        "type": "task_card",
        "task_id": slack_id(marker, task.id),
        "title": _title(task),
        "status": task.status,
    }
    output = t.plain(task.output, OUTPUT_LIMIT)
    if output:
        text = {"type": "text", "text": output}
        card["output"] = {"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": [text]}]}
    return card


def _hypothesis(line: HypothesisLine) -> Task:
    state = _state(line)
    reason = f", {t.one_line(line.reason)}" if line.reason and not line.struck else ""
    title = f"{t.clamp(t.one_line(f'{line.id} {line.text}'), 70)}: {state}{reason}"
    looking: TaskStatus = "pending" if line.settled else "in_progress"
    settled: TaskStatus = "complete" if line.state == "supported" else "pending"  # no check beside what is ruled out
    status: TaskStatus = "error" if line.struck else looking if line.state == "open" else settled
    return Task(id=f"hypothesis:{line.id}", title=title, status=status)


def _state(line: HypothesisLine) -> str:
    return "did not heal" if line.struck else {"refuted": "ruled out"}.get(line.state, line.state)


def _struck(lines: Iterable[HypothesisLine]) -> list[Json]:
    told = [
        f"~{t.prose(f'{line.id} {line.text}', 160).replace('~', '-')}~ The remedy for it did not heal."
        for line in lines
    ]
    return sections("\n".join(told)) if told else []


def _summary(view: PlanView) -> str:
    told = [f"{line.id} {t.one_line(line.text)}: {_state(line)}." for line in view.hypotheses]
    return " ".join(told) or view.title
