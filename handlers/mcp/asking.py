"""Puts a question where colleagues see it, has it looked into, and waits a moment for the conclusion.

What a program asks is said in Slack first, as a slash command is: the investigation lives in that thread, where people
follow it, steer it and decide.
"""

from __future__ import annotations

import asyncio
from typing import Final
from uuid import uuid4

from agents.incidents.requests import Ask, DoneNow, Investigating
from agents.permission import Denied, Person
from agents.verdict import Verdict
from handlers.mcp.telling import tell_verdict
from handlers.mcp.tool import McpAnswer, McpContext, RefusedCall
from handlers.slack.blocks import text as t
from handlers.slack.blocks.message import said
from handlers.slack.delivery import SlackFailure
from store.ids import InvestigationId
from store.incidents import conversations, incident, investigations
from store.secrets.redaction import Redacted

LONGEST_WAIT_S: Final = 50
_LOOK_EVERY_S: Final = 0.5
_SHOWN: Final = 600  # characters of a question in Slack


async def redacted(person: Person, text: str, context: McpContext) -> Redacted:
    async with context.db.tenant(person.tenant_id, readonly=True) as s:
        return s.redactor.redact(text)


async def say_question(
    person: Person, question: Redacted, context: McpContext, *, channel: str, thread_ts: str | None, request: str
) -> str:
    """The ts of the message. The same `request` of the same person is said once in a place. Raises RefusedCall."""
    words = f"{t.mention(person.slack_user_id)} asks through a coding agent: {t.prose(question, _SHOWN)}"
    key = f"mcp:{person.user_id}:{channel}:{thread_ts or ''}:{request or uuid4()}"
    try:
        ts = await context.posts.deliver(
            person.tenant_id, key=key, channel=channel, thread_ts=thread_ts, message=said(words)
        )
    except SlackFailure:
        ts = None
    if ts is None:
        raise RefusedCall(
            "Autoheal cannot write in that channel. Invite it there with /invite @autoheal, or try again."
        )
    return ts


async def look_into(person: Person, ask: Ask, context: McpContext, *, wait_s: int) -> McpAnswer:
    """Starts or joins the run, then waits for what it concludes."""
    started = await context.incident_service.investigate(person, ask)
    if isinstance(started, Denied):
        raise RefusedCall(started.reason)
    await _keep(person, ask, context)
    return await concluded(person, started, context, wait_s=wait_s)


async def concluded(person: Person, started: Investigating, context: McpContext, *, wait_s: int) -> McpAnswer:
    """The conclusion, or that it is not there yet. Whoever asked sees the thread of the run that they started; one that
    they joined was found by what they may see.
    """
    loop = asyncio.get_running_loop()
    until = loop.time() + wait_s
    while True:
        async with context.db.tenant(person.tenant_id, readonly=True) as s:
            run = await investigations.investigation(s, started.investigation_id)
            about = await incident(s, started.incident_id)
        if run is None or about is None:
            raise RefusedCall("This investigation is gone.")
        ended = run.status not in ("queued", "running")
        if ended or loop.time() >= until:
            break
        await asyncio.sleep(_LOOK_EVERY_S)
    data = {
        "incident": about.id,
        "number": about.number,
        "investigation": run.id,
        "state": run.status,
        "joined": started.joined,
    }
    joined = "It joined an investigation that was under way. " if started.joined else ""
    if run.verdict is not None and ended:
        return McpAnswer(text=f"{joined}{tell_verdict(about, Verdict.model_validate(run.verdict))}", data=data)
    if ended:
        return McpAnswer(text=f"The investigation of #{about.number} {run.status} without a conclusion.", data=data)
    return McpAnswer(
        text=f"{joined}#{about.number} is being investigated. Call the tool incidents with incident "
        f"{about.id} in half a minute for the conclusion.",
        data=data,
    )


async def steered(person: Person, run: InvestigationId, ask: Ask, context: McpContext) -> bool:
    """Whether a run that goes on took the words; false where it has just ended. Raises RefusedCall."""
    done = await context.incident_service.steer(person, run, text=ask.question, source_ts=ask.source_ts)
    if isinstance(done, Denied):
        raise RefusedCall(done.reason)
    await _keep(person, ask, context)
    return isinstance(done, DoneNow)


async def _keep(person: Person, ask: Ask, context: McpContext) -> None:
    """Into the conversation's history, once per message."""
    async with context.db.tenant(person.tenant_id) as s:
        thread = await conversations.conversation(s, channel_id=ask.channel_id, thread_ts=ask.thread_ts)
        if thread is not None:
            await conversations.record_chat(
                s,
                thread.id,
                slack_ts=ask.source_ts,
                slack_user_id=person.slack_user_id,
                text=ask.question,
                kind="mention",
            )
