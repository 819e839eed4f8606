"""Draft the post-incident report: opens it for editing. Nothing is posted before the form is handed in."""

from agents.permission import Permission
from handlers.slack.button import Button, Click, show_form
from handlers.slack.context import HandlerContext
from handlers.slack.decision import UNKNOWN, read_approval
from handlers.slack.modal import Metadata
from handlers.slack.modals.draft_report import draft_report_view
from handlers.slack.report import draft_report
from handlers.slack.summary import read_status
from store.incidents import incident


class DraftReportButton(Button):
    name = "draft_report"
    permission = Permission.INVESTIGATE

    async def press(self, click: Click, context: HandlerContext) -> None:
        found = await read_approval(click.person, click.value, context, here=click.reply.channel_id)
        if found is None:
            await click.reply.privately(UNKNOWN)
            return
        async with context.db.tenant(click.person.tenant_id, readonly=True) as s:
            about = await incident(s, found.incident_id)
            if about is None:
                raise LookupError("an approval without its incident")
            draft = draft_report(await read_status(s, about, context.clock()))
        metadata = Metadata(subject=found.id, channel_id=about.channel_id, thread_ts=about.thread_ts)
        await show_form(click, draft_report_view(metadata, draft), context)


BUTTON = DraftReportButton()
