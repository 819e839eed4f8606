"""What waits in the inbox is handled here: find the caller, check the permission, hand it to the one handler that it
is for.

It may run again after a crash, so everything below is idempotent: runs start by the message's own id, and
what is said aloud goes by a key. Nothing ends in silence: whoever asked hears a refusal with its reason, and of our own
failure a reference that finds it in the log.
"""

from __future__ import annotations

import asyncio
import json
import logging
import secrets

from agents.permission import Denied, Permission, Person, check
from handlers.slack import home, mentions
from handlers.slack.button import LINK_PREFIX, Click, find_button
from handlers.slack.command import CommandCall, find_command
from handlers.slack.commands.help import help_text
from handlers.slack.context import HandlerContext, Reply
from handlers.slack.inbound.arrival import (
    ARRIVAL,
    SECRETS,
    VERBATIM,
    Arrival,
    ButtonClick,
    ChannelMessage,
    ContextChanged,
    HomeOpened,
    MemberJoined,
    ModalSubmission,
    SessionRenamed,
    SessionStopped,
    SlackActor,
    SlackMessage,
    SlashCommand,
    TokensRevoked,
    Uninstalled,
)
from handlers.slack.inbound.caller import Caller, KnownWorkspace
from handlers.slack.modal import Submission, discover_modals, read_metadata
from handlers.slack.session_events import keep_session, rename_session, stop_session
from handlers.slack.uninstall import Uninstall
from store import audit, inbox
from store.database.trouble import passes
from store.errors import CrossTenantWrite, RefusedStatement
from store.ids import InboxId, TenantId
from store.inbox import StoredArrival
from store.secrets.redaction import Secret

FromPerson = SlackMessage | SlashCommand | ButtonClick | ModalSubmission | HomeOpened | SessionStopped | SessionRenamed

log = logging.getLogger("autoheal.receiver")

_OLD_BUTTON = "I do not know this button any more; it may belong to an earlier version of me."


class SlackReceiver:
    """`agents.runtime.Receiver` for Slack."""

    def __init__(self, *, context: HandlerContext, caller: Caller, uninstall: Uninstall) -> None:
        self._context = context
        self._caller = caller
        self._uninstall = uninstall
        self._leaving = False

    def leave(self) -> None:
        """The process stops: what breaks from here on, breaks because of that, and is handled after the restart."""
        self._leaving = True

    async def receive(self, tenant: TenantId, inbox_id: InboxId) -> None:
        """Handle one arrival and mark it. Never raises for a failed handling; raises when the store does not answer."""
        async with self._context.db.tenant(tenant, readonly=True, frozen_too=True) as s:
            stored = await inbox.arrival(s, inbox_id)
        if stored is None or stored.state in ("done", "failed"):
            return
        arrival = ARRIVAL.validate_python(stored.payload)
        reference, hit_the_wall = None, False
        try:
            await self._handle(tenant, stored, arrival)
        except Exception as exc:  # the outer guard of everything that arrives: people get a reference only
            if passes(exc):
                raise  # trouble of the store: it is handled once that is over
            if self._leaving:
                raise asyncio.CancelledError from exc
            reference, hit_the_wall = secrets.token_hex(4), isinstance(exc, (CrossTenantWrite, RefusedStatement))
            log.exception(
                "not handled",
                extra={"action": "receiver.failed", "tenant": tenant, "inbox": inbox_id, "reference": reference},
            )
            await self._apologise(tenant, stored, arrival, reference)
        async with self._context.db.tenant(tenant, frozen_too=True) as s:
            if hit_the_wall:
                actor, details = audit.Actor(type="user", id=_sender(arrival)), {"reason": "wall"}
                await audit.record(s, actor=actor, action="slack.access.refused", target=stored.kind, details=details)
            await inbox.mark(s, inbox_id, "failed" if reference else "done", note=reference)
            if isinstance(arrival, ModalSubmission) and arrival.secrets:
                await inbox.forget_field(s, inbox_id, SECRETS, verbatim_keys=VERBATIM)

    async def _handle(self, tenant: TenantId, stored: StoredArrival, arrival: Arrival) -> None:
        if isinstance(arrival, ContextChanged):
            return  # used as it comes, and not written down
        if isinstance(arrival, Uninstalled):
            await self._uninstall.leave(tenant, stored)
            return
        workspace = await self._caller.workspace_of(tenant)
        if workspace is None:
            return  # uninstalled in the meantime: there is no way to answer
        if isinstance(arrival, TokensRevoked):
            if workspace.bot_user_id in arrival.bot_user_ids:
                await self._uninstall.leave(tenant, stored)
        elif isinstance(arrival, MemberJoined):
            await self._greet(workspace, stored, arrival)
        elif isinstance(arrival, SlackMessage) and arrival.actor.bot_id:
            await self._hear_bot(workspace, stored, arrival)
        else:
            await self._handle_person(workspace, stored, arrival)

    async def _hear_bot(self, workspace: KnownWorkspace, stored: StoredArrival, message: SlackMessage) -> None:
        """Other bots are heard only as alerts, in channels that an admin chose."""
        if message.channel_id not in workspace.triage_channels:
            await self._audit_refusal(workspace.tenant_id, message.actor, stored.kind)
            return
        alert = ChannelMessage.model_validate(message.model_dump(exclude={"kind"}))
        await mentions.triage_alert(await self._caller.alert_source(workspace), alert, self._context)

    async def _handle_person(
        self,
        workspace: KnownWorkspace,
        stored: StoredArrival,
        arrival: FromPerson,
    ) -> None:
        reply = self._reply_to(workspace.tenant_id, stored.id, arrival)
        decides = isinstance(arrival, ButtonClick | ModalSubmission)
        person = await self._caller.person(workspace, arrival.actor, reply.channel_id, ask_slack=decides)
        if isinstance(person, Denied):
            await self._refuse(workspace.tenant_id, stored, arrival, reply, person)
            return
        match arrival:
            case ChannelMessage() if workspace.bot_user_id not in arrival.addressed:
                await self._hear_channel(workspace, person, arrival, reply)
            case SlackMessage():
                words = mentions.without_mention(arrival.text, workspace.bot_user_id)
                await mentions.answer_message(person, arrival, words, reply, self._context)
            case SlashCommand():
                await self._command(person, stored, arrival, reply)
            case ButtonClick():
                await self._click(person, stored, arrival, reply)
            case ModalSubmission():
                await self._submission(person, stored, arrival, reply)
            case HomeOpened():
                await home.show_home(person, self._context)
            case SessionStopped():
                await stop_session(person, arrival, reply, self._context)
            case SessionRenamed():
                await rename_session(person, arrival, self._context)

    async def _hear_channel(
        self, workspace: KnownWorkspace, person: Person, message: ChannelMessage, reply: Reply
    ) -> None:
        """A reply that mentions nobody of ours."""
        if message.channel_id not in workspace.open_threads:
            await mentions.hear_reply(person, message, reply, self._context)
        elif await mentions.thread_is_ours(person, message, self._context):
            await mentions.answer_message(person, message, message.text.strip(), reply, self._context)

    async def _command(self, person: Person, stored: StoredArrival, arrival: SlashCommand, reply: Reply) -> None:
        found = find_command(arrival.text)
        if found is None:
            await reply.privately(help_text(person.role, not_understood=arrival.text.strip()))
            return
        command, rest = found
        if await self._may(person, command.permission, reply, f"command {command.name}"):
            async with self._context.db.tenant(person.tenant_id) as s:
                actor = audit.Actor(type="user", id=person.user_id)
                await audit.record(s, actor=actor, action="slack.command.used", target=f"command:{command.name}")
            call = CommandCall(
                person=person,
                channel_id=arrival.channel_id,
                rest=rest,
                reply=reply,
                trigger_id=arrival.trigger_id,
                source_id=stored.external_id,
            )
            await command.run(call, self._context)

    async def _click(self, person: Person, stored: StoredArrival, arrival: ButtonClick, reply: Reply) -> None:
        if arrival.action_id.startswith(LINK_PREFIX):
            return
        button = find_button(arrival.action_id)
        if button is None:
            await reply.privately(_OLD_BUTTON)
        elif await self._may(person, button.permission, reply, f"button {button.name}"):
            click = Click(
                person=person,
                value=arrival.value,
                reply=reply,
                trigger_id=arrival.trigger_id,
                source_id=stored.external_id,
            )
            await button.press(click, self._context)

    async def _submission(self, person: Person, stored: StoredArrival, arrival: ModalSubmission, reply: Reply) -> None:
        modal, metadata = discover_modals().get(arrival.callback_id), read_metadata(arrival.metadata)
        if modal is None or metadata is None:
            await reply.privately(_OLD_BUTTON)
        elif await self._may(person, modal.permission, reply, f"modal {modal.name}"):
            submission = Submission(
                person=person,
                metadata=metadata,
                values=arrival.values,
                reply=reply,
                source_id=stored.external_id,
                secrets={name: Secret(value) for name, value in json.loads(arrival.secrets or "{}").items() if value},
            )
            await modal.submit(submission, self._context)

    async def _may(self, person: Person, permission: Permission, reply: Reply, what: str) -> bool:
        allowed = check(person.role, permission)
        if not isinstance(allowed, Denied):
            return True
        async with self._context.db.tenant(person.tenant_id) as s:
            await audit.record(
                s,
                actor=audit.Actor(type="user", id=person.user_id),
                action="slack.command.refused" if what.startswith("command") else "slack.request.refused",
                target=what.replace(" ", ":"),
                details={"role": person.role.value, "needs": permission.value},
            )
        await reply.privately(allowed.reason)
        return False

    async def _refuse(
        self,
        tenant: TenantId,
        stored: StoredArrival,
        arrival: FromPerson,
        reply: Reply,
        denied: Denied,
    ) -> None:
        await self._audit_refusal(tenant, arrival.actor, stored.kind)
        if isinstance(arrival, SessionStopped):
            await keep_session(tenant, arrival, self._context)
        if isinstance(arrival, HomeOpened):
            await home.show_refusal(tenant, arrival.actor.user_id, denied, self._context)
        elif not isinstance(arrival, ChannelMessage) and arrival.actor.user_id:
            await reply.privately(denied.reason)

    async def _audit_refusal(self, tenant: TenantId, actor: SlackActor, kind: str) -> None:
        async with self._context.db.tenant(tenant) as s:
            await audit.record(
                s,
                actor=audit.Actor(type="user", id=actor.user_id or actor.bot_id or "unknown"),
                action="slack.command.refused" if kind == "command" else "slack.request.refused",
                target=kind,
                details={"team": actor.team_id},
            )

    async def _greet(self, workspace: KnownWorkspace, stored: StoredArrival, arrival: MemberJoined) -> None:
        """Only whoever invited the bot is told what it does; the channel hears nothing."""
        if arrival.inviter is None:
            return
        inviter = SlackActor(user_id=arrival.inviter, shared_outside=arrival.actor.shared_outside)
        person = await self._caller.person(workspace, inviter, arrival.channel_id)
        reply = Reply(
            delivery=self._context.delivery,
            tenant=workspace.tenant_id,
            key=stored.id,
            slack_user_id=arrival.inviter,
            channel_id=arrival.channel_id,
            thread_ts=None,
        )
        await reply.privately(person.reason if isinstance(person, Denied) else help_text(person.role))

    async def _apologise(self, tenant: TenantId, stored: StoredArrival, arrival: Arrival, reference: str) -> None:
        if (
            not isinstance(arrival, SlackMessage | SlashCommand | ButtonClick | ModalSubmission | SessionStopped)
            or arrival.actor.bot_id
        ):
            return
        reply = self._reply_to(tenant, stored.id, arrival)
        try:
            await reply.privately(f"Something went wrong on my side. Reference {reference}.")
        except Exception:  # the last resort of the guard above: Slack itself may be what failed
            log.exception("no apology", extra={"action": "receiver.silent", "tenant": tenant, "reference": reference})

    def _reply_to(
        self,
        tenant: TenantId,
        inbox_id: InboxId,
        arrival: FromPerson,
    ) -> Reply:
        channel_id, thread_ts, response_url = None, None, None
        match arrival:
            case SlackMessage() | SessionStopped() | SessionRenamed():
                channel_id, thread_ts = arrival.channel_id, arrival.thread_ts
            case SlashCommand():
                channel_id, response_url = arrival.channel_id, arrival.response_url
            case ButtonClick():
                channel_id, thread_ts = arrival.channel_id, arrival.thread_ts
            case ModalSubmission():
                metadata = read_metadata(arrival.metadata)
                if metadata is not None:
                    channel_id, thread_ts = metadata.channel_id, metadata.thread_ts
            case HomeOpened():
                pass
        return Reply(
            delivery=self._context.delivery,
            tenant=tenant,
            key=inbox_id,
            slack_user_id=arrival.actor.user_id,
            channel_id=channel_id,
            thread_ts=thread_ts,
            response_url=response_url,
        )


def _sender(arrival: Arrival) -> str:
    actor: SlackActor | None = getattr(arrival, "actor", None)
    return "unknown" if actor is None else actor.user_id or actor.bot_id or "unknown"
