"""`/autoheal disconnect NAME`: ends a connection by the name that people gave it, and says what was done."""

from agents.permission import Permission
from handlers.slack.blocks import text as t
from handlers.slack.command import Command, CommandCall
from handlers.slack.context import HandlerContext
from store.tenancy import connections


class DisconnectCommand(Command):
    name = "disconnect"
    usage = "name"
    summary = "end a connection and delete its credentials"
    permission = Permission.CONNECT

    async def run(self, call: CommandCall, context: HandlerContext) -> None:
        wanted = call.rest.strip().lower()
        async with context.db.tenant(call.person.tenant_id, readonly=True) as s:
            known = await connections.connections(s)
        found = next((one for one in known if one.label == wanted), None)
        done = None
        if found is not None:
            done = await context.disconnecting.disconnect(call.person, found.id, source="slack")
        if done is None:
            names = ", ".join(one.label for one in known) or "nothing"
            await call.reply.privately(f"There is no connection called {t.code(wanted, 40)}. Connected: {names}.")
            return
        await call.reply.privately(t.prose(done.in_words(), 1_000))


COMMAND = DisconnectCommand()
