"""`/autoheal investigate <what is wrong>`: starts a thread in the channel and answers in it.

A slash command is not a message, so there is nothing to answer under: the request is posted first, under a key, and
its thread carries the investigation.
"""

from agents.incidents.requests import Ask
from agents.permission import Denied, Permission
from handlers.slack.blocks import text as t
from handlers.slack.command import Command, CommandCall
from handlers.slack.context import HandlerContext, thread_link


class InvestigateCommand(Command):
    name = "investigate"
    usage = "<what is wrong>"
    summary = "find out what broke, with proofs"
    permission = Permission.INVESTIGATE

    async def run(self, call: CommandCall, context: HandlerContext) -> None:
        if not call.rest:
            await call.reply.privately("Say what is wrong, for example `/autoheal investigate checkout is failing`.")
            return
        async with context.db.tenant(call.person.tenant_id, readonly=True) as s:
            question = s.redactor.redact(call.rest)
        asked = f"{t.mention(call.person.slack_user_id)} asks: {t.prose(question, 600)}"
        ts = await call.reply.aloud(asked, thread_ts=None)
        if ts is None:
            await call.reply.privately(
                "I cannot write in this channel. Invite me with `/invite @autoheal`, then try again."
            )
            return
        ask = Ask(question=question, channel_id=call.channel_id, thread_ts=ts, source_ts=ts)
        answer = await context.incident_service.investigate(call.person, ask)
        if isinstance(answer, Denied):
            await call.reply.privately(answer.reason)
        elif answer.joined and answer.thread_ts != ts:
            client = await context.clients.client_for(call.person.tenant_id)
            link = await thread_link(
                client, channel_id=answer.channel_id, ts=answer.thread_ts, label="the thread where I am on it"
            )
            await call.reply.privately(f"I am looking into this already: {link}.")


COMMAND = InvestigateCommand()
