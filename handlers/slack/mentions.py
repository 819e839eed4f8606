"""Mentions, direct messages, replies and alerts: what is wanted is decided here, in code, before any model is asked.

While an investigation runs in the thread, a reply steers it and shows in its plan, with a mention or without one;
afterwards a mention starts a follow-up in the same conversation. A single word such as `stop` is a command. Nothing
said here is lost: the conversation keeps it.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from typing import Any, Final

import aiohttp
from slack_sdk.errors import SlackApiError

from agents.incidents.requests import Ask, DoneNow, Investigating, NothingToDo, run_asked_for
from agents.language.alerts import Alert, read_alert
from agents.language.spoken_time import told_in_utc
from agents.permission import Denied, Permission, Person, check
from agents.webhooks import Part, Status
from handlers.slack.blocks.message import said
from handlers.slack.commands.help import help_text
from handlers.slack.context import HandlerContext, Reply, thread_link
from handlers.slack.endings import end
from handlers.slack.inbound.arrival import ChannelMessage, SlackMessage
from handlers.slack.inbound.hearing import MUTE, read_hearing, read_thread, without_name
from handlers.slack.inbound.intent import read_intent
from handlers.slack.inbound.payload import read_text
from handlers.slack.investigation_lookup import run_of_thread
from handlers.slack.summary import read_status, summary
from handlers.slack.visibility import ASKED_IN_VAIN
from store.incidents import Ending, Incident, Sight, incident_for_thread, visible_incidents
from store.incidents.alerts import StoredGroup, note_decision, note_incident
from store.incidents.conversations import conversation, record_chat, was_said_by
from store.incidents.investigations import Investigation
from store.secrets.redaction import Redacted

_ADDRESS: Final = re.compile(r"<@[A-Z0-9]+(?:\|[^>]*)?>")
_THREAD_PATIENCE_S: Final = 2.0
_MOST_READ: Final = 100  # messages of a thread
MUTED: Final = "I hear only mentions in this thread now. `unmute` takes that back."
UNMUTED: Final = "I listen to replies in this thread again while I investigate."
UNHEARD: Final = "Nothing is running here, so I hear mentions only: say it again with a mention of me."
UNHEARD_MUTED: Final = "I was muted in this thread: say it again with a mention of me, or say `unmute`."
_MOST_OF_THREAD: Final = 6_000  # characters of what was said after its first message


def without_mention(text: str, bot_user_id: str) -> str:
    """The text without this app's own mention; other people's mentions stay."""
    return _ADDRESS.sub(lambda m: "" if m[0].startswith(f"<@{bot_user_id}") else m[0], text).strip()


async def answer_message(
    person: Person, message: SlackMessage, words: str, reply: Reply, context: HandlerContext
) -> None:
    """A mention, a direct message, or a reply in a thread whose channel opted in. `words` are without the mention."""
    match read_intent(words):
        case "help":
            await reply.privately(help_text(person.role))
        case "status":
            await _tell_status(person, message, reply, context)
        case "stop":
            await _stop(person, message, reply, context)
        case "resolve":
            await _end(person, message, "resolved", reply, context)
        case "false_alarm":
            await _end(person, message, "false_alarm", reply, context)
        case "nothing":
            return  # thanks and emoji need no answer
        case "ask":
            await _ask(person, message, words, reply, context)


async def hear_reply(person: Person, message: ChannelMessage, reply: Reply, context: HandlerContext) -> None:
    """A reply without a mention: it steers what runs in its thread, or is told once that a mention is needed.

    Who may not investigate is not heard, and not bothered.
    """
    async with context.db.tenant(person.tenant_id, readonly=True) as s:
        state = await read_thread(s, message.channel_id, message.thread)
    hearing = read_hearing(message.text, state) if state is not None else None
    if state is None or hearing is None or isinstance(check(person.role, Permission.INVESTIGATE), Denied):
        return
    words = without_name(message.text)
    match hearing:
        case "stop":
            await _stop(person, message, reply, context)
        case "steer":
            run = await run_of_thread(person, context, channel_id=message.channel_id, thread_ts=message.thread)
            text = await _redacted(person, words, context)
            if run is not None and isinstance(await _steer(person, run, message, text, context), DoneNow):
                await _keep(person, message, text, "steering", context)
        case "mute" | "unmute":
            await _keep(person, message, await _redacted(person, words, context), hearing, context)
            await reply.privately(MUTED if hearing == MUTE else UNMUTED)
        case "unheard":
            await _tell_unheard(person, message, words, reply, context, muted=state.muted)


async def _tell_unheard(
    person: Person, message: ChannelMessage, words: str, reply: Reply, context: HandlerContext, *, muted: bool
) -> None:
    """Once a thread and person. What was said is kept, for a later run to know."""
    async with context.db.tenant(person.tenant_id) as s:
        thread = await conversation(s, channel_id=message.channel_id, thread_ts=message.thread)
        told = thread is not None and await was_said_by(s, thread.id, "unheard", message.actor.user_id or "")
    await _keep(person, message, await _redacted(person, words, context), "unheard", context)
    if not told:
        await reply.privately(UNHEARD_MUTED if muted else UNHEARD)


async def triage_alert(person: Person, message: ChannelMessage, context: HandlerContext) -> None:
    """An alert by another bot in a triage channel starts an investigation under it, or joins its incident and is told
    so in its own thread. One that is over mitigates its incident, or ends it where a person closed it.

    What is acknowledged, a digest, a sign of life or other news starts nothing. A refusal has no reader.
    """
    question = await _redacted(person, message.text, context)
    toolbox = await context.toolbox_for(person.tenant_id)
    alert = read_alert(str(question), toolbox.service_names(), toolbox.spellings())
    if not question.strip():
        return
    await _keep(person, message, question, "alert", context)
    group = await _grouped(person, message, question, alert, context)
    ask = replace(_ask_for(message, question), alert=alert.identity)
    if alert.kind == "firing":
        answer = await context.incident_service.investigate(person, ask)
        if isinstance(answer, Investigating) and group is not None:
            async with context.db.tenant(person.tenant_id) as s:
                await note_decision(s, group.id, "investigate")
                await note_incident(s, group.id, answer.incident_id)
        if isinstance(answer, Investigating) and not _stands_in(answer.channel_id, answer.thread_ts, message):
            where = await _link_to(person, answer.channel_id, answer.thread_ts, f"#{answer.number}", context)
            await _under(message, f"This belongs to {where}, which is looked into there.", context, person)
    elif alert.kind == "resolved":
        ended = await context.incident_service.alert_ended(person, ask, by_person=alert.closed_by_person)
        if ended is not None:
            await _tell_ended(person, message, ended, context)


async def _tell_ended(person: Person, message: ChannelMessage, ended: Incident, context: HandlerContext) -> None:
    """In the incident's thread, and in the alert's own where that is another."""
    how = "was closed" if ended.status == "resolved" else "has recovered"
    await context.delivery.post(
        person.tenant_id,
        key=f"alert_ended:{message.channel_id}:{message.ts}",
        channel=ended.channel_id,
        thread_ts=ended.thread_ts,
        message=said(f"The alert {how}: this incident is *{ended.status}*."),
    )
    if not _stands_in(ended.channel_id, ended.thread_ts, message):
        where = await _link_to(person, ended.channel_id, ended.thread_ts, f"#{ended.number}", context)
        await _under(message, f"This belongs to {where}, which is {ended.status} now.", context, person)


def _stands_in(channel_id: str, thread_ts: str, message: SlackMessage) -> bool:
    return (channel_id, thread_ts) == (message.channel_id, message.thread)


async def _link_to(person: Person, channel_id: str, ts: str, label: str, context: HandlerContext) -> str:
    client = await context.clients.client_for(person.tenant_id)
    return await thread_link(client, channel_id=channel_id, ts=ts, label=label)


async def _under(message: SlackMessage, words: str, context: HandlerContext, person: Person) -> None:
    """In the thread of the message itself, once."""
    await context.delivery.post(
        person.tenant_id,
        key=f"joined:{message.channel_id}:{message.ts}",
        channel=message.channel_id,
        thread_ts=message.thread,
        message=said(words),
    )


async def _grouped(
    person: Person, message: ChannelMessage, question: Redacted, alert: Alert, context: HandlerContext
) -> StoredGroup | None:
    """An alert that another bot posted goes the way of all; one that begins a group is told under that message."""
    states: dict[str, Status] = {"firing": "firing", "resolved": "resolved", "acknowledged": "acknowledged"}
    if context.absorber is None or alert.kind not in states:
        return None
    part = Part(
        kind="alert",
        status=states[alert.kind],
        title=next(iter(question.splitlines()), alert.name)[:300],
        text=str(question),
        service=alert.service,
        key=f"slack:{message.channel_id}:{alert.identity}:{alert.name}",
    )
    return await context.absorber.take_part(
        person.tenant_id, "slack", part, channel_id=message.channel_id, thread_ts=message.thread
    )


async def thread_is_ours(person: Person, message: SlackMessage, context: HandlerContext) -> bool:
    """Whether the message stands in a thread of an incident: only there may an opted-in channel be answered unasked."""
    async with context.db.tenant(person.tenant_id, readonly=True) as s:
        return await incident_for_thread(s, message.channel_id, message.thread) is not None


async def _ask(person: Person, message: SlackMessage, words: str, reply: Reply, context: HandlerContext) -> None:
    run = await run_of_thread(person, context, channel_id=message.channel_id, thread_ts=message.thread)
    text = await _redacted(person, words, context)
    is_own = run is not None and run.id == run_asked_for(person.tenant_id, message.channel_id, message.ts)
    if run is not None and run.status in ("queued", "running") and not is_own:
        steered = await _steer(person, run, message, text, context)
        if isinstance(steered, Denied):
            await reply.privately(steered.reason)
        if not isinstance(steered, NothingToDo):  # it ended in this very moment: then this is a follow-up
            await _keep(person, message, text, "steering", context)
            return
    if clear := told_in_utc(str(text), context.clock(), person.timezone):
        text = await _redacted(person, f"{text}\n\n{clear}", context)
    question = text if run is not None and not is_own else await _with_thread(person, message, text, context)
    answer = await context.incident_service.investigate(person, _ask_for(message, question))
    if isinstance(answer, Denied):
        await reply.privately(answer.reason)
        return
    await _keep(person, message, text, "mention", context)
    if not _stands_in(answer.channel_id, answer.thread_ts, message):
        label = f"in the thread of #{answer.number}"
        link = await _link_to(person, answer.channel_id, answer.thread_ts, label, context)
        lead = "I am looking into this already" if answer.joined else "This incident is open, so I look again there"
        await reply.aloud(f"{lead}: follow it {link}.", thread_ts=message.thread)


async def _steer(
    person: Person, run: Investigation, message: SlackMessage, text: Redacted, context: HandlerContext
) -> DoneNow | NothingToDo | Denied:
    return await context.incident_service.steer(person, run.id, text=text, source_ts=message.ts)


def _ask_for(message: SlackMessage, question: Redacted) -> Ask:
    return Ask(question=question, channel_id=message.channel_id, thread_ts=message.thread, source_ts=message.ts)


async def _stop(person: Person, message: SlackMessage, reply: Reply, context: HandlerContext) -> None:
    run: Investigation | None = await run_of_thread(
        person, context, channel_id=message.channel_id, thread_ts=message.thread
    )
    if run is None:
        await reply.privately("Nothing is running in this thread.")
        return
    match await context.incident_service.stop(person, run.id):
        case DoneNow():
            await reply.privately("Stopping. What was found so far stays here.")
        case NothingToDo(reason=reason) | Denied(reason=reason):
            await reply.privately(reason)


async def _end(person: Person, message: SlackMessage, ending: Ending, reply: Reply, context: HandlerContext) -> None:
    async with context.db.tenant(person.tenant_id, readonly=True) as s:
        found = await incident_for_thread(s, message.channel_id, message.thread)
    if found is None:
        await reply.privately("No incident is handled in this thread. `/autoheal resolve <number>` ends another.")
    else:
        await reply.privately(await end(person, found, ending, context))


async def _tell_status(person: Person, message: SlackMessage, reply: Reply, context: HandlerContext) -> None:
    if isinstance(denied := check(person.role, Permission.READ), Denied):
        await reply.privately(denied.reason)
        return
    sight = Sight(channels=frozenset({message.channel_id}))
    if reply.is_direct:
        sight = await context.visibility.of_open_incidents(person, here=message.channel_id)
    async with context.db.tenant(person.tenant_id, readonly=True) as s:
        incident = await incident_for_thread(s, message.channel_id, message.thread)
        seen = await visible_incidents(s, sight)
        viewed = context.in_view and context.in_view.channel_of(person.tenant_id, person.slack_user_id)
        in_view = [one for one in seen if reply.is_direct and one.channel_id == viewed]
        incident = incident or next(iter([*in_view, *seen]), None)
        view = await read_status(s, incident, context.clock()) if incident else None
    if view is not None:
        await reply.privately(summary(view))
    else:
        await reply.privately(ASKED_IN_VAIN if sight.asked_in_vain else "No incident is open here.")


async def _with_thread(person: Person, message: SlackMessage, text: Redacted, context: HandlerContext) -> Redacted:
    """A mention under other messages is about them, often an alert without any `text` and what people said of it."""
    if message.thread_ts in (None, message.ts):
        return text
    client = await context.clients.client_for(person.tenant_id)
    try:
        async with asyncio.timeout(_THREAD_PATIENCE_S):
            answer = await client.conversations_replies(channel=message.channel_id, ts=message.thread, limit=_MOST_READ)
    except (SlackApiError, aiohttp.ClientError, TimeoutError):
        return text  # the question stands by itself
    before = [one for one in answer.get("messages") or [] if one.get("ts") != message.ts]
    told = [_read(one) for one in before if one.get("ts", "") < message.ts or one.get("ts") == message.thread]
    if not told or not any(told):
        return text
    parts = [f"{text}", f"The thread begins with: {told[0]}"]
    later = [words for words in told[1:] if words]
    while sum(map(len, later)) > _MOST_OF_THREAD:
        later.pop(0)
    parts += [f"Then it was said there: {words}" for words in later]
    return await _redacted(person, "\n\n".join(parts), context)


def _read(message: dict[str, Any]) -> str:
    return read_text(
        text=message.get("text"),
        blocks=message.get("blocks") or [],
        attachments=message.get("attachments") or [],
        files=message.get("files") or [],
    )


async def _redacted(person: Person, text: str, context: HandlerContext) -> Redacted:
    async with context.db.tenant(person.tenant_id, readonly=True) as s:
        return s.redactor.redact(text)


async def _keep(person: Person, message: SlackMessage, text: Redacted, kind: str, context: HandlerContext) -> None:
    """Into the conversation's history, once per message."""
    async with context.db.tenant(person.tenant_id) as s:
        thread = await conversation(s, channel_id=message.channel_id, thread_ts=message.thread)
        if thread is not None:
            await record_chat(
                s, thread.id, slack_ts=message.ts, slack_user_id=message.actor.user_id or None, text=text, kind=kind
            )
