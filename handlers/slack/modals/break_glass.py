"""Why it cannot wait for a second person. Handing it in approves the plan that the card showed; the other admins are
told, and the audit log keeps the words.
"""

from agents.permission import LEAST_REASON, Permission
from handlers.slack.context import HandlerContext
from handlers.slack.decision import UNKNOWN, answer_decision, read_approval
from handlers.slack.modal import Metadata, Modal, Submission

FIELD = "reason"
MOST_REASON = 500
TOLD = "Every use is told to the admins within a minute, and kept in the audit log with your reason."


class BreakGlassModal(Modal):
    name = "break_glass"
    permission = Permission.APPROVE_HIGH

    async def submit(self, submission: Submission, context: HandlerContext) -> None:
        found = await read_approval(submission.person, submission.metadata.subject, context, here=None)
        if found is None:
            await submission.reply.privately(UNKNOWN)
            return
        answer = await context.incident_service.decide(
            submission.person,
            found.id,
            plan_hash=submission.metadata.fingerprint,
            decision="break_glass",
            reason=submission.values.get(FIELD, "")[:MOST_REASON],
        )
        await answer_decision(submission.person, submission.reply, answer, context)


def break_glass_view(metadata: Metadata) -> dict[str, object]:
    return MODAL.view(
        metadata,
        title="Break glass",
        submit="Approve alone",
        blocks=[
            {"type": "section", "text": {"type": "plain_text", "text": TOLD}},
            {
                "type": "input",
                "block_id": FIELD,
                "label": {"type": "plain_text", "text": "Why can it not wait for another admin?"},
                "element": {
                    "type": "plain_text_input",
                    "action_id": FIELD,
                    "multiline": True,
                    "min_length": LEAST_REASON,
                    "max_length": MOST_REASON,
                },
            },
        ],
    )


MODAL = BreakGlassModal()
