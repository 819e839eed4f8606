"""Pick the service that the incident is really about. A running investigation is steered there, an ended one begins
anew.
"""

from collections.abc import Sequence

from agents.incidents.requests import Ask, DoneNow, NothingToDo
from agents.permission import Denied, Permission
from handlers.slack.context import HandlerContext
from handlers.slack.investigation_lookup import UNKNOWN, read_run, thread_of_run
from handlers.slack.modal import Metadata, Modal, Submission
from store.secrets.redaction import Redacted

FIELD = "service"
MOST_OPTIONS = 100  # of a static select


class WrongServiceModal(Modal):
    name = "wrong_service"
    permission = Permission.INVESTIGATE

    async def submit(self, submission: Submission, context: HandlerContext) -> None:
        person, reply = submission.person, submission.reply
        run = await read_run(person, submission.metadata.subject, context, here=None)
        if run is None:
            await reply.privately(UNKNOWN)
            return
        service = submission.values.get(FIELD, "")
        if service not in (await context.toolbox_for(person.tenant_id)).service_names():
            await reply.privately("That is not a declared service.")
            return
        source = submission.source_id
        match await context.incident_service.correct_service(person, run.id, service=service, source_ts=source):
            case Denied(reason=reason):
                await reply.privately(reason)
            case NothingToDo():  # it has ended
                thread = await thread_of_run(person, context, run)
                if thread is None:
                    await reply.privately(UNKNOWN)
                    return
                ask = Ask(
                    question=Redacted.ours(f"The affected service is {service}. {run.question}"),
                    channel_id=thread.channel_id,
                    thread_ts=thread.thread_ts,
                    source_ts=source,
                )
                answer = await context.incident_service.investigate(person, ask)
                await reply.privately(
                    answer.reason if isinstance(answer, Denied) else f"Looking at {service} now, in the thread."
                )
            case DoneNow():
                await reply.privately(f"Looking at {service} from now on.")


def wrong_service_view(metadata: Metadata, services: Sequence[str]) -> dict[str, object]:
    options = [{"text": {"type": "plain_text", "text": s[:75]}, "value": s[:150]} for s in services[:MOST_OPTIONS]]
    return MODAL.view(
        metadata,
        title="Wrong service",
        submit="Look there",
        blocks=[
            {
                "type": "input",
                "block_id": FIELD,
                "label": {"type": "plain_text", "text": "Which service is it about?"},
                "element": {"type": "static_select", "action_id": FIELD, "options": options},
            }
        ],
    )


MODAL = WrongServiceModal()
