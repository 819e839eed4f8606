"""What was wrong with a verdict, in the person's own words. It is kept with the verdict, and its Details show it."""

from agents.incidents.requests import DoneNow
from agents.permission import Denied, Permission
from handlers.slack.context import HandlerContext
from handlers.slack.investigation_lookup import UNKNOWN, read_run
from handlers.slack.modal import Metadata, Modal, Submission

FIELD = "remark"
MOST_REMARK = 1_000


class FeedbackModal(Modal):
    name = "feedback"
    permission = Permission.READ

    async def submit(self, submission: Submission, context: HandlerContext) -> None:
        person = submission.person
        run = await read_run(person, submission.metadata.subject, context, here=None)
        if run is None:
            await submission.reply.privately(UNKNOWN)
            return
        async with context.db.tenant(person.tenant_id, readonly=True) as s:
            remark = s.redactor.redact(submission.values.get(FIELD, "").strip()[:MOST_REMARK])
        match await context.incident_service.feedback(person, run.id, positive=False, remark=remark):
            case DoneNow():
                await submission.reply.privately(
                    "Thank you, kept with the verdict. Mention me in its thread and I look again with that in mind."
                )
            case Denied(reason=reason):
                await submission.reply.privately(reason)


def feedback_view(metadata: Metadata) -> dict[str, object]:
    return MODAL.view(
        metadata,
        title="What was wrong?",
        submit="Send",
        blocks=[
            {
                "type": "input",
                "block_id": FIELD,
                "label": {"type": "plain_text", "text": "What was it really, or what is off?"},
                "element": {
                    "type": "plain_text_input",
                    "action_id": FIELD,
                    "multiline": True,
                    "min_length": 2,
                    "max_length": MOST_REMARK,
                },
            }
        ],
    )


MODAL = FeedbackModal()
