"""The one way out to Slack: every message once, in order, at Slack's pace, and nothing lost to a crash.

A message has a key. Its row in `deliveries` is claimed before it is sent and completed afterwards; after a crash in
between, the thread is searched for a message that carries the key's marker before it is sent again. Refusals that
cannot be mended are logged with a reference and answered with None or False, never raised.
"""

import asyncio
import logging
import secrets
import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import aiohttp
from slack_sdk.webhook.async_client import AsyncWebhookClient

from handlers.slack.blocks.message import PICTURES, Json, Message, fit, flattened, without_pictures
from handlers.slack.delivery.call import (
    ATTEMPTS,
    AnswerLost,
    ClientFor,
    SlackCalls,
    SlackFailure,
    SlackRefused,
    Unreachable,
    backoff,
)
from handlers.slack.delivery.find import Self, find_message, marker, metadata
from handlers.slack.delivery.pace import Clock, SendingPace, Sleep
from store.database.session import Database
from store.ids import TenantId
from store.inbox import deliveries
from store.inbox.deliveries import StoredDelivery as Row

__all__ = ["Delivery", "SlackFailure", "SlackRefused", "Unreachable", "marker"]

_log = logging.getLogger(__name__)
STREAM_ENDED = frozenset({"message_not_in_streaming_state", "stopped_by_user"})
"""Slack's time limit, or its Stop button; the message is there and can be edited."""
_BAD_BLOCKS = frozenset({"invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long", "invalid_chunks"})


class Delivery:
    """`clock` is monotonic seconds, `sleep` waits seconds; both for pacing only."""

    def __init__(
        self,
        client_for: ClientFor,
        db: Database,
        *,
        clock: Clock,
        sleep: Sleep = asyncio.sleep,
        session: Callable[[], aiohttp.ClientSession | None] = lambda: None,
    ) -> None:
        """`session` gives the shared aiohttp session for response addresses; without one each answer opens its own."""
        self.db = db
        self.clock = clock
        self.calls = SlackCalls(client_for, pace=SendingPace(clock=clock, sleep=sleep), sleep=sleep)
        self._sleep, self._session = sleep, session
        self._locks: weakref.WeakValueDictionary[tuple[str, str], asyncio.Lock] = weakref.WeakValueDictionary()
        self._selves: dict[TenantId, Self] = {}
        self._without_pictures: set[TenantId] = set()
        """Workspaces that Slack has not given the new blocks yet, learned once in the life of the process."""

    # What handlers say

    async def post(
        self, tenant: TenantId, *, key: str, channel: str, thread_ts: str | None, message: Message
    ) -> str | None:
        """Post once per key; the first part's ts, or None when Slack refused it. What is there already stays as it
        is.
        """
        try:
            return await self.deliver(tenant, key=key, channel=channel, thread_ts=thread_ts, message=message)
        except SlackFailure as failure:
            self.report("post", tenant, key, failure)
            return None

    async def deliver(
        self, tenant: TenantId, *, key: str, channel: str, thread_ts: str | None, message: Message
    ) -> str | None:
        """As `post`, for whoever tries again or says it elsewhere. Raises SlackFailure."""
        return await self._post_parts(tenant, key, channel, thread_ts, message)

    async def update(self, tenant: TenantId, key: str, message: Message) -> bool:
        """Edit what was posted under the key. True also when it says this already; False when it was never posted."""
        try:
            return await self.revise(tenant, key, message)
        except SlackFailure as failure:
            self.report("update", tenant, key, failure)
            return False

    async def revise(self, tenant: TenantId, key: str, message: Message) -> bool:
        """As `update`, for whoever helps themselves where Slack refuses. Raises SlackFailure."""
        return await self._update_parts(tenant, key, message)

    async def show(
        self, tenant: TenantId, *, key: str, channel: str, thread_ts: str | None, message: Message
    ) -> str | None:
        """Post it, or edit it where it stands. Its ts, or None when Slack refused it."""
        ts = await self.post(tenant, key=key, channel=channel, thread_ts=thread_ts, message=message)
        if ts is not None:
            await self.update(tenant, key, message)
        return ts

    async def ephemeral(
        self, tenant: TenantId, *, channel: str, user: str, thread_ts: str | None, message: Message
    ) -> bool:
        """Show it to one person. False when Slack refused it."""
        given: dict[str, Any] = {"thread_ts": thread_ts} if thread_ts else {}
        try:
            for part in fit(message):
                await self._with_fallback(
                    tenant,
                    part,
                    lambda body: self.calls.call(
                        tenant,
                        "chat.postEphemeral",
                        lambda client: client.chat_postEphemeral(channel=channel, user=user, **given, **body),
                        channel=channel,
                    ),
                )
        except SlackFailure as failure:
            self.report("ephemeral", tenant, channel, failure)
            return False
        return True

    async def respond(self, response_url: str, message: Message) -> bool:
        """Answer a command or click privately by its response address. False when that failed."""
        webhook = AsyncWebhookClient(response_url, session=self._session(), retry_handlers=[])
        for part in fit(message):
            if not await self._respond_part(webhook, part):
                return False
        return True

    # What the streams build on

    def lock(self, tenant: TenantId, key: str) -> asyncio.Lock:
        """One sender a key in this process."""
        return self._locks.setdefault((tenant, key), asyncio.Lock())

    async def claim(self, tenant: TenantId, key: str, channel: str) -> Row:
        """The key's row, created when absent."""
        async with self.db.tenant(tenant) as s:
            return await deliveries.claim(s, key, channel)

    async def known(self, tenant: TenantId, key: str) -> Row | None:
        """The key's row, if there is one."""
        async with self.db.tenant(tenant, readonly=True) as s:
            return await deliveries.delivery(s, key)

    async def complete(
        self, tenant: TenantId, key: str, ts: str, body_hash: str, *, channel: str | None = None
    ) -> None:
        """Note where the message is and what it says."""
        async with self.db.tenant(tenant) as s:
            await deliveries.complete(s, key, ts=ts, body_hash=body_hash, channel_id=channel)

    async def lose(self, tenant: TenantId, key: str) -> None:
        """Forget where the message stood, because it stands there no more."""
        async with self.db.tenant(tenant) as s:
            await deliveries.lose(s, key)

    async def identity(self, tenant: TenantId) -> Self:
        """Who we are in this workspace; asked once. Raises SlackFailure."""
        if tenant not in self._selves:
            answer = await self.calls.call(tenant, "auth.test", lambda client: client.auth_test())
            self._selves[tenant] = Self(
                team_id=str(answer.get("team_id", "")),
                user_id=str(answer.get("user_id", "")),
                bot_id=str(answer.get("bot_id", "")),
            )
        return self._selves[tenant]

    async def find(self, tenant: TenantId, key: str, channel: str, thread_ts: str | None) -> str | None:
        """The ts of our message with this key's marker. Raises SlackFailure."""
        if channel.startswith(("U", "W")):
            return None
        own = await self.identity(tenant)
        return await find_message(self.calls, tenant, own, channel=channel, thread_ts=thread_ts, wanted=marker(key))

    async def edit(self, tenant: TenantId, channel: str, ts: str, key: str, message: Message) -> None:
        """`chat.update`; ends a stream that is still open first. Raises SlackFailure."""
        try:
            await self._with_fallback(tenant, message, lambda body: self._chat_update(tenant, channel, ts, key, body))
        except SlackRefused as refusal:
            if refusal.code != "streaming_state_conflict":
                raise
            await self.stop_stream(tenant, channel, ts)
            await self._with_fallback(tenant, message, lambda body: self._chat_update(tenant, channel, ts, key, body))

    async def stop_stream(self, tenant: TenantId, channel: str, ts: str, **content: Any) -> bool:
        """False when it had ended already. Raises SlackFailure."""
        try:
            await self.calls.call(
                tenant,
                "chat.stopStream",
                lambda client: client.chat_stopStream(channel=channel, ts=ts, **content),
                channel=channel,
            )
        except SlackRefused as refusal:
            if refusal.code not in STREAM_ENDED:
                raise
            return False
        return True

    def report(self, action: str, tenant: TenantId, key: str, failure: SlackFailure) -> None:
        """Log what could not be delivered, with a reference."""
        reference = secrets.token_hex(4)
        kind = type(failure).__name__
        _log.error(
            "action=slack.%s.failed tenant=%s key=%s kind=%s reason=%s reference=%s",
            action,
            tenant,
            key,
            kind,
            failure,
            reference,
        )

    async def _post_parts(
        self, tenant: TenantId, key: str, channel: str, thread_ts: str | None, message: Message
    ) -> str | None:
        first: str | None = None
        for part_key, part in _parts(key, message):
            async with self.lock(tenant, part_key):
                ts = await self._post_one(tenant, part_key, channel, thread_ts or first, part)
            first = first or ts
        return first

    async def _post_one(self, tenant: TenantId, key: str, channel: str, thread_ts: str | None, message: Message) -> str:
        row = await self.claim(tenant, key, channel)
        if row.ts is not None:
            return row.ts
        place, ts = channel, None if row.is_new else await self.find(tenant, key, channel, thread_ts)
        if ts is None:
            place, ts = await self._send(tenant, key, channel, thread_ts, message)
        await self.complete(tenant, key, ts, message.body_hash, channel=place)
        return ts

    async def _send(
        self, tenant: TenantId, key: str, channel: str, thread_ts: str | None, message: Message
    ) -> tuple[str, str]:
        """Where it stands: a person's direct messages have a channel of their own."""
        for attempt in range(ATTEMPTS):
            try:
                answer = await self._with_fallback(
                    tenant, message, lambda body: self._chat_post(tenant, channel, thread_ts, key, body)
                )
                return str(answer.get("channel") or channel), str(answer["ts"])
            except AnswerLost:
                await self._sleep(backoff(attempt))
                if ts := await self.find(tenant, key, channel, thread_ts):
                    return channel, ts
        raise Unreachable("chat.postMessage")

    async def _chat_post(
        self, tenant: TenantId, channel: str, thread_ts: str | None, key: str, body: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        given: dict[str, Any] = {"thread_ts": thread_ts} if thread_ts else {}
        return await self.calls.call(
            tenant,
            "chat.postMessage",
            lambda client: client.chat_postMessage(
                channel=channel, metadata=metadata(key), unfurl_links=False, unfurl_media=False, **given, **body
            ),
            channel=channel,
            repeatable=False,
        )

    async def _chat_update(
        self, tenant: TenantId, channel: str, ts: str, key: str, body: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        return await self.calls.call(
            tenant,
            "chat.update",
            lambda client: client.chat_update(channel=channel, ts=ts, metadata=metadata(key), **body),
            channel=channel,
        )

    async def _with_fallback(
        self, tenant: TenantId, message: Message, send: Callable[[Mapping[str, Any]], Any]
    ) -> Mapping[str, Any]:
        """With its blocks; when Slack refuses those, with words in place of its pictures, else all words alone."""
        pictures = [block for block in message.blocks if block.get("type") in PICTURES]
        if pictures and tenant not in self._without_pictures:
            try:
                return await self._sent(send, message.text, message.blocks)
            except SlackRefused as refusal:
                self._judge_blocks(refusal, message)
        try:
            answer = await self._sent(send, message.text, without_pictures(message.blocks))
        except SlackRefused as refusal:
            self._judge_blocks(refusal, message)
            return await self._sent(send, flattened(message), ())
        if pictures:
            self._without_pictures.add(tenant)
        return answer

    async def _sent(
        self, send: Callable[[Mapping[str, Any]], Any], text: str, blocks: Sequence[Json]
    ) -> Mapping[str, Any]:
        answer: Mapping[str, Any] = await send({"text": text, "blocks": list(blocks)})
        return answer

    def _judge_blocks(self, refusal: SlackRefused, message: Message) -> None:
        """Raises what is not about the blocks."""
        if refusal.code not in _BAD_BLOCKS:
            raise refusal
        _log.error("action=slack.blocks.refused code=%s hash=%s", refusal.code, message.body_hash[:12])

    async def _update_parts(self, tenant: TenantId, key: str, message: Message) -> bool:
        row = await self.known(tenant, key)
        if row is None or row.ts is None:
            return False
        for place, (part_key, part) in enumerate(_parts(key, message)):
            if place and not await self.known(tenant, part_key):
                await self.post(tenant, key=part_key, channel=row.channel_id, thread_ts=row.ts, message=part)
                continue
            async with self.lock(tenant, part_key):
                await self._update_one(tenant, part_key, part)
        return True

    async def _update_one(self, tenant: TenantId, key: str, message: Message) -> None:
        row = await self.known(tenant, key)
        if row is None or row.ts is None or row.body_hash == message.body_hash:
            return
        await self.edit(tenant, row.channel_id, row.ts, key, message)
        await self.complete(tenant, key, row.ts, message.body_hash)

    async def _respond_part(self, webhook: AsyncWebhookClient, part: Message) -> bool:
        for attempt in range(ATTEMPTS):
            try:
                answer = await webhook.send(
                    text=part.text, blocks=list(part.blocks), response_type="ephemeral", replace_original=False
                )
            except (aiohttp.ClientError, TimeoutError, OSError):
                await self._sleep(backoff(attempt))
                continue
            if answer.status_code < 400:
                return True
            if answer.status_code != 429 and answer.status_code < 500:
                _log.error("action=slack.respond.failed status=%s", answer.status_code)
                return False
            await self._sleep(backoff(attempt))
        return False


def _parts(key: str, message: Message) -> list[tuple[str, Message]]:
    return [(key if not place else f"{key}#{place + 1}", part) for place, part in enumerate(fit(message))]
