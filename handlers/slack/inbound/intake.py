"""The front door for everything from Slack: parse, find the tenant, write it down, and only then acknowledge.

Slack delivers again when it is not acknowledged in three seconds, and nothing else remembers an event: whatever is
lost after the acknowledgement is lost for good. So the durable row comes first; it goes to the inbox and the work is
queued after. A crash in between is mended by the sweep. A delivery that carries a retry header is treated like any
other, because the first may never have arrived.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, Protocol

from agents.workflow import workflow_id
from handlers.slack.inbound.arrival import VERBATIM, Arrival, ChannelMessage, ContextChanged, MemberJoined, SlackMessage
from handlers.slack.inbound.caller import KnownWorkspace
from handlers.slack.inbound.hearing import may_be_for_us, read_hearing, read_thread
from handlers.slack.inbound.in_view import InView
from handlers.slack.inbound.payload import InstallationOrigin, ParsedPayload, Unreadable, parse
from store import audit, inbox
from store.database.session import Database
from store.errors import TenantFrozen
from store.ids import InboxId, TenantId
from store.secrets.redaction import RedactionFailed

log = logging.getLogger("autoheal.intake")

Refusal = Literal["forged", "stale", "replayed", "unreadable", "unredactable", "unknown_workspace"]
SOURCE: Final = "slack"
RECEIVE: Final = "receive"


class Enqueues(Protocol):
    """What the front door needs of the engine."""

    async def enqueue(self, workflow: str, *, workflow_id: str, arguments: tuple[str, ...]) -> None: ...


class Workspaces(Protocol):
    """Finds the tenant behind an installation; cached."""

    async def workspace(self, origin: InstallationOrigin) -> KnownWorkspace | None: ...


@dataclass(frozen=True)
class Recorded:
    inbox_id: InboxId


@dataclass(frozen=True)
class Repeated:
    """It was written down before."""


@dataclass(frozen=True)
class Nothing:
    """It concerns nobody; it was not kept."""


@dataclass(frozen=True)
class ArrivalRefused:
    reason: Refusal


_COUNTED: Final[Mapping[type[object], str]] = {Recorded: "recorded", Repeated: "repeated", Nothing: "nothing"}


class Intake:
    """One per process. `counts` are totals since the start, by outcome."""

    def __init__(self, *, db: Database, workspaces: Workspaces, queue: Enqueues, in_view: InView | None = None) -> None:
        self._db = db
        self._in_view = in_view
        self._workspaces = workspaces
        self._inbox = inbox.Inbox(db)
        self._queue = queue
        self._queueing: set[asyncio.Task[None]] = set()
        self.counts: Counter[str] = Counter()

    async def take(
        self, body: Mapping[str, Any], *, over_http: bool, is_retry: bool
    ) -> Recorded | Repeated | Nothing | ArrivalRefused:
        """Take one authentic payload. Raises what the store raises: then nothing was promised and Slack delivers again.

        The same signed request a second time without Slack's retry header is a replay (the header itself is not
        signed, but either way nothing is done twice).
        """
        parsed = parse(body)
        if parsed is None:
            return self._count(Nothing())
        if isinstance(parsed, Unreadable):
            return self._refuse("unreadable", detail=parsed.reason)
        workspace = await self._workspaces.workspace(parsed.origin)
        if workspace is None:
            return self._refuse("unknown_workspace", team=parsed.origin.team_id)
        if isinstance(parsed.arrival, ContextChanged):
            if self._in_view is not None:
                self._in_view.note(workspace.tenant_id, parsed.arrival.actor.user_id, parsed.arrival.viewed)
            return self._count(Nothing())
        if not concerns_us(parsed.arrival, workspace) and not await self._is_heard(parsed.arrival, workspace):
            return self._count(Nothing())
        return await self._keep(workspace.tenant_id, parsed, is_replay_if_known=over_http and not is_retry)

    async def _is_heard(self, arrival: Arrival, workspace: KnownWorkspace) -> bool:
        """A plain reply where an investigation runs, or one that names this app where an incident is handled."""
        if not isinstance(arrival, ChannelMessage) or not may_be_for_us(arrival):
            return False
        if f"<@{workspace.bot_user_id}>" in arrival.text or arrival.actor.user_id == workspace.bot_user_id:
            return False  # Slack sends the mention itself as well
        try:
            async with self._db.tenant(workspace.tenant_id, readonly=True) as s:
                state = await read_thread(s, arrival.channel_id, arrival.thread)
        except TenantFrozen:
            return False
        return state is not None and read_hearing(arrival.text, state) is not None

    async def _keep(
        self, tenant: TenantId, parsed: ParsedPayload, *, is_replay_if_known: bool
    ) -> Recorded | Repeated | Nothing | ArrivalRefused:
        try:
            written = await self._write_down(tenant, parsed)
        except TenantFrozen:  # uninstalled in this moment: what was known of the workspace is out of date
            return self._refuse("unknown_workspace", tenant=tenant)
        except RedactionFailed:
            await self._audit_refusal(tenant, "unredactable")
            return self._refuse("unredactable", tenant=tenant)
        if written.is_new:
            self._enqueue_later(tenant, written.inbox_id)
            return self._count(Recorded(written.inbox_id))
        if is_replay_if_known:
            await self._audit_refusal(tenant, "replayed")
            return self._refuse("replayed", tenant=tenant)
        return self._count(Repeated())

    async def accept(self, tenant: TenantId, arrival: inbox.Arrival) -> inbox.RecordedArrival:
        """Returns once something of another source than Slack is durable. Raises as `Inbox.accept`."""
        return await self._inbox.accept(tenant, arrival)

    async def deliver(self, tenant: TenantId, inbox_id: InboxId) -> None:
        """Returns when what was accepted here is in the inbox."""
        await self._inbox.deliver(tenant, inbox_id)

    async def refuse_unverified(self, reason: Literal["forged", "stale"], body: Mapping[str, Any] | None) -> None:
        """Record a request that failed verification. `body` only where its signature was right, as in a stale one:
        what a stranger wrote must not fill a tenant's log.
        """
        parsed = parse(body) if body is not None else None
        workspace = await self._workspaces.workspace(parsed.origin) if isinstance(parsed, ParsedPayload) else None
        if workspace is not None:
            await self._audit_refusal(workspace.tenant_id, reason)
        self._refuse(reason, tenant=workspace.tenant_id if workspace else "unknown")

    def refuse_unreadable(self) -> None:
        """Record a signed request that is no payload."""
        self._refuse("unreadable", detail="not a document of Slack's")

    async def settle(self) -> None:
        """Wait until everything taken so far is queued. For an orderly stop."""
        await asyncio.gather(*self._queueing)

    async def _write_down(self, tenant: TenantId, parsed: ParsedPayload) -> inbox.RecordedArrival:
        return await self._inbox.accept(
            tenant,
            inbox.Arrival(
                source=SOURCE,
                external_id=parsed.external_id,
                kind=parsed.arrival.kind,
                payload=parsed.arrival.model_dump(mode="json", exclude_none=True),
                verbatim_keys=VERBATIM,
            ),
        )

    async def _audit_refusal(self, tenant: TenantId, reason: Refusal) -> None:
        async with self._db.tenant(tenant) as s:
            await audit.record(
                s, actor=audit.SYSTEM, action="slack.request.refused", target=SOURCE, details={"reason": reason}
            )

    def _enqueue_later(self, tenant: TenantId, inbox_id: InboxId) -> None:
        task = asyncio.create_task(self._enqueue(tenant, inbox_id))
        self._queueing.add(task)
        task.add_done_callback(self._queueing.discard)

    async def _enqueue(self, tenant: TenantId, inbox_id: InboxId) -> None:
        try:
            await self._inbox.deliver(tenant, inbox_id)
            await self._queue.enqueue(
                RECEIVE, workflow_id=workflow_id(tenant, RECEIVE, inbox_id), arguments=(tenant, inbox_id)
            )
        except Exception:  # outer guard of a background task: the row is safe, and the sweep queues it again
            self.counts["enqueue_failed"] += 1
            log.exception("not queued", extra={"action": "intake.enqueue_failed", "tenant": tenant, "inbox": inbox_id})

    def _refuse(self, reason: Refusal, **facts: str) -> ArrivalRefused:
        self.counts[f"refused_{reason}"] += 1
        log.warning("refused: %s", reason, extra={"action": "intake.refused", "reason": reason, **facts})
        return ArrivalRefused(reason)

    def _count(self, outcome: Recorded | Repeated | Nothing) -> Recorded | Repeated | Nothing:
        self.counts[_COUNTED[type(outcome)]] += 1
        return outcome


def concerns_us(arrival: Arrival, workspace: KnownWorkspace) -> bool:
    """Whether the arrival is for this app. Channel talk that is not for it is never kept."""
    if isinstance(arrival, MemberJoined):
        return arrival.actor.user_id == workspace.bot_user_id
    if isinstance(arrival, SlackMessage) and arrival.actor.user_id == workspace.bot_user_id:
        return False
    return _concerns_channel(arrival, workspace) if isinstance(arrival, ChannelMessage) else True


def _concerns_channel(message: ChannelMessage, workspace: KnownWorkspace) -> bool:
    is_addressed = workspace.bot_user_id in message.addressed
    if is_addressed and not message.actor.bot_id:
        return True  # in an attachment, a group message or by an edit: Slack sends no mention of its own for those
    if f"<@{workspace.bot_user_id}>" in message.text and not is_addressed:
        return False  # Slack sends the mention itself as well
    if message.actor.bot_id:
        return message.channel_id in workspace.triage_channels and message.thread_ts in (None, message.ts)
    return message.channel_id in workspace.open_threads and message.thread_ts not in (None, message.ts)
