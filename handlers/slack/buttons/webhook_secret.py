"""Enter the secret that a sender of webhooks made: opens the form."""

from agents.permission import Permission
from handlers.slack.button import Button, Click, show_form
from handlers.slack.context import HandlerContext
from handlers.slack.modal import Metadata
from handlers.slack.modals.webhook_secret import webhook_secret_view
from store.inbox import webhooks


class WebhookSecretButton(Button):
    name = "webhook_secret"
    permission = Permission.CONNECT

    async def press(self, click: Click, context: HandlerContext) -> None:
        async with context.db.tenant(click.person.tenant_id, readonly=True) as s:
            known = next((one for one in await webhooks.webhooks(s) if one.id == click.value), None)
        if known is None:
            await click.reply.privately("This webhook has been deleted.")
            return
        metadata = Metadata(subject=known.id, channel_id=click.reply.channel_id, thread_ts=click.reply.thread_ts)
        await show_form(click, webhook_secret_view(metadata, known), context)


BUTTON = WebhookSecretButton()
