"""How a run ends without a verdict: somebody stopped it, or it failed. With what was found so far; never silence."""

from collections.abc import Sequence
from dataclasses import dataclass

from agents.verdict import Symptom
from handlers.slack.blocks import text as t
from handlers.slack.blocks.message import Message, context, sections
from handlers.slack.blocks.opening import suffered
from handlers.slack.blocks.plan import HypothesisLine, Task


@dataclass(frozen=True, kw_only=True)
class Ending:
    """`stopped_by` is a Slack id. `stopped` is False for a run that failed; its id is the reference in the log, and
    `because` says what happened where that is known.
    """

    investigation_id: str
    stopped: bool
    stopped_by: str | None
    subject: str
    symptom: Symptom | None
    tasks: Sequence[Task]
    hypotheses: Sequence[HypothesisLine]
    because: str | None = None


def ending(view: Ending) -> Message:
    """Who stopped it or what to look for in the log, then what was found."""
    subject = t.prose(view.subject, 80)
    if view.stopped:
        lead = f"*Stopped* by {t.mention(view.stopped_by)}: {subject} was not concluded."
        short = f"Stopped: {t.one_line(view.subject)} was not concluded"
    else:
        reference = t.code(view.investigation_id, 60)
        why = f": {t.prose(view.because, 160)}" if view.because else ""
        lead = f"*Failed*: investigating {subject} broke off{why}. Reference {reference}."
        short = f"Failed: investigating {t.one_line(view.subject)} broke off"
    found = _found(view)
    body = "\n".join([lead, "*Found so far*", *found]) if found else f"{lead} Nothing was found so far."
    return Message(
        text=t.push(short),
        blocks=(
            *sections(body),
            *context("Mention me to investigate again."),
        ),
    )


def _found(view: Ending) -> list[str]:
    told: list[str] = []
    if view.symptom is not None:
        told.append(f"• {suffered(view.symptom)}")
    told += [f"• {t.prose(f'{line.id} {line.text}', 160)} _{line.state}_" for line in view.hypotheses[:4]]
    done = [task for task in view.tasks if task.status == "complete" and task.output]
    told += [f"• {t.prose(task.title, 80)}: {t.prose(task.output, 160)}" for task in done[-4:]]
    return told
