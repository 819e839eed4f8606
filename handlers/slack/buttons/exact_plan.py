"""Exactly what will run, or ran: the whole stored plan of a card, to the letter, as a modal."""

from agents.permission import Permission
from agents.remediation import Plan
from handlers.slack.blocks.card import Card
from handlers.slack.blocks.exact_plan import exact_plan
from handlers.slack.blocks.message import Message
from handlers.slack.blocks.tasks import links
from handlers.slack.button import Button, Click
from handlers.slack.context import HandlerContext, open_modal
from handlers.slack.decision import UNKNOWN, read_approval
from store.incidents.artifacts import artifacts


class ExactPlanButton(Button):
    name = "exact_plan"
    permission = Permission.READ

    async def press(self, click: Click, context: HandlerContext) -> None:
        found = await read_approval(click.person, click.value, context, here=click.reply.channel_id)
        if found is None:
            await click.reply.privately(UNKNOWN)
            return
        async with context.db.tenant(click.person.tenant_id, readonly=True) as s:
            read = await artifacts(s, found.investigation_id) if found.investigation_id else []
        blocks = exact_plan(Card(approval=found, plan=Plan.model_validate(found.plan), links=links(read)))
        view: dict[str, object] = {
            "type": "modal",
            "title": {"type": "plain_text", "text": "The whole plan"},
            "close": {"type": "plain_text", "text": "Close"},
            "blocks": blocks,
        }
        client = await context.clients.client_for(click.person.tenant_id)
        if not await open_modal(client, click.trigger_id, view):
            await click.reply.privately(Message(text="The whole plan", blocks=tuple(blocks)))


BUTTON = ExactPlanButton()
