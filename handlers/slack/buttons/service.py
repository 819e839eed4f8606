"""Add a service that no tool lists, or correct one: opens the form."""

from agents.permission import Permission
from handlers.slack.button import Button, Click, show_form
from handlers.slack.context import HandlerContext
from handlers.slack.modal import Metadata
from handlers.slack.modals.service import service_view


class ServiceButton(Button):
    name = "service"
    permission = Permission.CONNECT

    async def press(self, click: Click, context: HandlerContext) -> None:
        metadata = Metadata(subject="new", channel_id=click.reply.channel_id, thread_ts=click.reply.thread_ts)
        await show_form(click, service_view(metadata, None), context)


BUTTON = ServiceButton()
