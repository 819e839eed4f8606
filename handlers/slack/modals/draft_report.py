"""The report as somebody edited it: posted in the incident's thread, under that person's name."""

from agents.permission import Permission
from handlers.slack.blocks import text as t
from handlers.slack.blocks.message import Message, sections
from handlers.slack.blocks.message import context as small_print
from handlers.slack.context import HandlerContext
from handlers.slack.decision import UNKNOWN, read_approval
from handlers.slack.modal import Metadata, Modal, Submission
from handlers.slack.report import MOST
from store.incidents import incident

FIELD = "report"


class DraftReportModal(Modal):
    name = "draft_report"
    permission = Permission.INVESTIGATE

    async def submit(self, submission: Submission, context: HandlerContext) -> None:
        person = submission.person
        found = await read_approval(person, submission.metadata.subject, context, here=None)
        if found is None:
            await submission.reply.privately(UNKNOWN)
            return
        async with context.db.tenant(person.tenant_id, readonly=True) as s:
            about = await incident(s, found.incident_id)
            words = s.redactor.redact(submission.values.get(FIELD, "")[:MOST])
        if about is None or not words.strip():
            await submission.reply.privately("The report was empty, so nothing was posted.")
            return
        posted = await context.delivery.post(
            person.tenant_id,
            key=f"report:{submission.source_id}",
            channel=about.channel_id,
            thread_ts=about.thread_ts,
            message=Message(
                text=t.push(f"Report of incident #{about.number}"),
                blocks=(
                    *sections(f"*Report of incident #{about.number}*\n{t.escape(words)}"),
                    *small_print(f"Drafted by Autoheal, edited and posted by {t.mention(person.slack_user_id)}."),
                ),
            ),
        )
        if posted is None:
            await submission.reply.privately("Slack did not take the report in its thread. Please hand it in again.")


def draft_report_view(metadata: Metadata, draft: str) -> dict[str, object]:
    return MODAL.view(
        metadata,
        title="Draft report",
        submit="Post in the thread",
        blocks=[
            {
                "type": "input",
                "block_id": FIELD,
                "label": {"type": "plain_text", "text": "Edit it: nobody has seen it yet"},
                "element": {
                    "type": "plain_text_input",
                    "action_id": FIELD,
                    "multiline": True,
                    "initial_value": draft,
                    "max_length": MOST,
                },
            }
        ],
    )


MODAL = DraftReportModal()
