"""`/autoheal integrations`: what is connected, tested now: does it work, why not, what does it lack, is it silent."""

from agents.permission import Denied, Permission, check
from handlers.slack.blocks import text as t
from handlers.slack.blocks.integrations import integrations
from handlers.slack.command import Command, CommandCall
from handlers.slack.context import HandlerContext
from handlers.slack.home import check_all


class IntegrationsCommand(Command):
    name = "integrations"
    aliases = ("connections",)
    summary = "what is connected and whether it works"
    permission = Permission.READ

    async def run(self, call: CommandCall, context: HandlerContext) -> None:
        tenant = call.person.tenant_id
        stored = await context.connecting.look(tenant)
        toolbox = await context.toolbox_for(tenant)
        checked = await check_all(tuple(one for one in toolbox.connectors if not one.context.label))
        async with context.db.tenant(tenant, readonly=True) as s:
            declared = [
                f"*{t.prose(one.title, 40)}* {'works' if one.healthy else 'does not work'}"
                f": {t.prose(s.redactor.redact(f'{one.detail} {one.next_action}'.strip()), 300)}"
                for one in checked
            ]
        may = not isinstance(check(call.person.role, Permission.CONNECT), Denied)
        await call.reply.privately(integrations(stored, declared, may_connect=may))


COMMAND = IntegrationsCommand()
