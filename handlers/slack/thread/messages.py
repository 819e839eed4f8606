"""Which message a run has at each moment: its opening, its plan, its end. Rendered from what was read, by pure
functions.
"""

from collections.abc import Sequence

from handlers.slack.blocks import tasks as history
from handlers.slack.blocks import text as t
from handlers.slack.blocks.ending import Ending, ending
from handlers.slack.blocks.message import Message
from handlers.slack.blocks.opening import Opening, opening
from handlers.slack.blocks.plan import PlanView
from handlers.slack.blocks.verdict import VerdictView, verdict_message
from handlers.slack.delivery import marker
from handlers.slack.thread.reading import RunView


def opening_of(run: RunView, *, sources: Sequence[str], missing: Sequence[str]) -> Message:
    return opening(
        Opening(
            investigation_id=run.investigation.id,
            subject=run.incident.service or run.incident.title,
            symptom=run.symptom,
            sources=sources,
            missing=missing,
            attempt=run.investigation.attempt,
            ended=run.ended,
            waiting=run.investigation.status == "queued",
        )
    )


def plan_key(run: RunView) -> str:
    return f"plan:{run.investigation.id}"


def plan_view(run: RunView) -> PlanView:
    subject = t.one_line(run.incident.service or run.incident.title)
    verb = {"concluded": "Investigated", "stopped": "Stopped investigating", "failed": "Failed investigating"}
    return PlanView(
        title=f"{verb.get(run.investigation.status, 'Investigating')} {t.clamp(subject, 60)}",
        tasks=run.tasks,
        hypotheses=run.hypotheses,
        marker=marker(plan_key(run)),
        done=_done(run, subject),
    )


def _done(run: RunView, subject: str) -> str:
    """The plan in one line, once the verdict is there. Mrkdwn."""
    if run.verdict is None or run.investigation.status != "concluded":
        return ""
    considered = t.plural(len(run.hypotheses), "explanation")
    read = t.plural(run.verdict.reads, "read")
    return f"Investigated {t.prose(subject, 60)}: {read}, {considered} weighed in {t.duration(run.verdict.seconds)}."


def conclusion_of(run: RunView) -> Message:
    """The verdict; for a run that was stopped or failed, that and what was found so far. Never silence."""
    links = history.links(run.artifacts)
    if run.verdict is not None and run.investigation.status == "concluded":
        return verdict_message(
            VerdictView(
                investigation_id=run.investigation.id,
                verdict=run.verdict,
                artifacts=run.artifacts,
                links=links,
                struck=run.struck,
                card=run.has_card,
                ended=run.ended_words,
            )
        )
    return ending(
        Ending(
            investigation_id=run.investigation.id,
            stopped=run.investigation.status == "stopped",
            stopped_by=run.stopper,
            because=run.broke,
            subject=run.incident.service or run.incident.title,
            symptom=run.symptom,
            tasks=run.tasks,
            hypotheses=run.hypotheses,
        )
    )
