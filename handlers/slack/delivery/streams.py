"""Messages that do not ring phones: started as a stream without text, then grown or edited in place.

In a channel a stream is reported to grow for its one recipient only, while the others see its beginning until it ends.
So there it is ended at once and the message is edited, which all see; in direct messages it grows. Slack ends a stream
after about five minutes (https://github.com/slackapi/python-slack-sdk/issues/1859), so at four it is ended here and the
same message goes on by `chat.update`. So it does when Slack ended the stream, and after a restart: there is always one
message.
"""

from dataclasses import dataclass, field
from typing import Any, Final

from handlers.slack.blocks.message import Message
from handlers.slack.blocks.plan import PlanView, Task, lines, plan, title_chunk, updates
from handlers.slack.delivery import STREAM_ENDED, Delivery
from handlers.slack.delivery.call import AnswerLost, SlackFailure, SlackRefused
from handlers.slack.delivery.find import marker, metadata
from store.ids import TenantId
from store.inbox.deliveries import StoredDelivery as Row

STREAM_LIFE_S: Final = 240.0
GOES_ON: Final = "processing"
"""The status of the thread's agent session: the message is whole, and the work is not."""
_STREAMING: Final = "streaming"
_QUIET: Final = "quiet"
_ENDED: Final = STREAM_ENDED | {"message_not_found", "invalid_chunks", "invalid_blocks", "msg_too_long", "no_text"}
"""It grows no more: from here on the message is edited."""
_GONE: Final = frozenset({"message_not_found", "cant_update_message", "edit_window_closed"})
"""It can be edited no more, or was deleted: its place is taken by a new one."""


@dataclass(frozen=True, kw_only=True)
class Where:
    """The thread, and the person whose question is answered: Slack wants to know for whom a stream in a channel is."""

    tenant: TenantId
    key: str
    channel: str
    thread_ts: str
    recipient: str | None

    @property
    def is_direct(self) -> bool:
        """Whether nobody but the recipient reads here."""
        return self.channel.startswith("D")


@dataclass(kw_only=True)
class _Live:
    """What an open stream shows."""

    ts: str
    started_at: float
    title: str
    shown: dict[str, Task] = field(default_factory=dict)


class Streams:
    """Quiet messages. All methods are safe to repeat; none raises for a refusal."""

    def __init__(self, delivery: Delivery) -> None:
        self._delivery = delivery
        self._live: dict[tuple[TenantId, str], _Live] = {}
        self._replaced: set[tuple[TenantId, str]] = set()

    async def quiet(self, where: Where, message: Message, *, goes_on: bool = False) -> None:
        """Say it once without ringing a phone. Where Slack offers no streams it is posted. A stream has no text for
        where blocks are not shown: what `goes_on` gets it with its next edit, which is due in any case.
        """
        delivery = self._delivery
        try:
            async with delivery.lock(where.tenant, where.key):
                row = await delivery.claim(where.tenant, where.key, where.channel)
                if row.ts is not None:
                    return
                if await self._resumed(where, row, message):
                    return
                ts = await self._start(where, [{"type": "blocks", "blocks": [_marked(message, where.key)]}])
                if ts is not None:
                    rest = list(message.blocks[1:])
                    await delivery.stop_stream(
                        where.tenant,
                        where.channel,
                        ts,
                        blocks=rest,
                        metadata=metadata(where.key),
                        session_status=GOES_ON,
                    )
                    await delivery.complete(where.tenant, where.key, ts, _QUIET if goes_on else message.body_hash)
                    return
        except SlackFailure as failure:
            delivery.report("quiet", where.tenant, where.key, failure)
            return
        await self._post(where, message)

    async def show_plan(self, where: Where, view: PlanView) -> None:
        """Bring the plan message to this state: started, appended to, or edited."""
        delivery = self._delivery
        if not where.is_direct:
            await self.quiet(where, plan(view), goes_on=True)
            await self._edit_plan(where, view)
            return
        try:
            async with delivery.lock(where.tenant, where.key):
                if await self._shown(where, view):
                    return
        except SlackFailure as failure:
            await self._failed(where, view, failure)
            return
        await self._post(where, plan(view))

    async def finish_plan(self, where: Where, view: PlanView) -> None:
        """The last state: the stream ends, and the message gets its text. Nothing when there never was a plan."""
        self._live.pop((where.tenant, where.key), None)
        await self._edit_plan(where, view)

    async def _edit_plan(self, where: Where, view: PlanView) -> None:
        """Also where it is a stream that this or an earlier process began."""
        delivery = self._delivery
        try:
            async with delivery.lock(where.tenant, where.key):
                row = await delivery.known(where.tenant, where.key)
                if row is not None and row.ts is not None and row.body_hash == _STREAMING:
                    await delivery.stop_stream(where.tenant, where.channel, row.ts)
            await delivery.revise(where.tenant, where.key, plan(view))
        except SlackFailure as failure:
            await self._failed(where, view, failure)

    async def _failed(self, where: Where, view: PlanView, failure: SlackFailure) -> None:
        """One that somebody deleted, or that is too old to be edited, is begun once more; otherwise it is logged."""
        known = (where.tenant, where.key)
        gone = isinstance(failure, SlackRefused) and failure.code in _GONE
        if not gone or known in self._replaced:
            self._delivery.report("plan", where.tenant, where.key, failure)
            return
        self._replaced.add(known)
        self._live.pop(known, None)
        await self._delivery.lose(where.tenant, where.key)
        await self.quiet(where, plan(view), goes_on=True)
        await self._edit_plan(where, view)

    async def _shown(self, where: Where, view: PlanView) -> bool:
        """False when it must be posted as an ordinary message."""
        live = self._live.get((where.tenant, where.key))
        if live is not None:
            await self._grow(where, live, view)
            return True
        message = plan(view)
        row = await self._delivery.claim(where.tenant, where.key, where.channel)
        if row.ts is not None:
            if row.body_hash == _STREAMING:
                await self._delivery.stop_stream(where.tenant, where.channel, row.ts)
            if row.body_hash != message.body_hash:
                await self._edit(where, row.ts, message)
            return True
        if await self._resumed(where, row, message):
            return True
        return await self._begin(where, view)

    async def _begin(self, where: Where, view: PlanView) -> bool:
        ts = await self._start(where, [title_chunk(view), *updates(view, {})], task_display_mode="plan")
        if ts is None:
            return False
        self._live[where.tenant, where.key] = _Live(
            ts=ts,
            started_at=self._delivery.clock(),
            title=view.title,
            shown={task.id: task for task in lines(view)},
        )
        await self._delivery.complete(where.tenant, where.key, ts, _STREAMING)
        return True

    async def _grow(self, where: Where, live: _Live, view: PlanView) -> None:
        now = {task.id: task for task in lines(view)}
        old = self._delivery.clock() - live.started_at >= STREAM_LIFE_S
        gone = not live.shown.keys() <= now.keys()
        reworded = any(
            now[name].output != task.output for name, task in live.shown.items() if name in now and task.output
        )
        if old or gone or reworded:
            await self._leave_stream(where, live, view)
            return
        chunks = updates(view, live.shown)
        if view.title != live.title:
            chunks.insert(0, title_chunk(view))
        if not chunks:
            return
        try:
            await self._delivery.calls.call(
                where.tenant,
                "chat.appendStream",
                lambda client: client.chat_appendStream(channel=where.channel, ts=live.ts, chunks=chunks),
                channel=where.channel,
                repeatable=False,
            )
        except AnswerLost:
            await self._leave_stream(where, live, view)
        except SlackRefused as refusal:
            if refusal.code not in _ENDED:
                raise
            await self._leave_stream(where, live, view)
        else:
            live.shown, live.title = now, view.title

    async def _leave_stream(self, where: Where, live: _Live, view: PlanView) -> None:
        """From here on the message is edited."""
        self._live.pop((where.tenant, where.key), None)
        await self._delivery.stop_stream(where.tenant, where.channel, live.ts, session_status=GOES_ON)
        await self._edit(where, live.ts, plan(view))

    async def _edit(self, where: Where, ts: str, message: Message) -> None:
        await self._delivery.edit(where.tenant, where.channel, ts, where.key, message)
        await self._delivery.complete(where.tenant, where.key, ts, message.body_hash)

    async def _resumed(self, where: Where, row: Row, message: Message) -> bool:
        """Whether an earlier process had begun to send it; then it is completed."""
        if row.is_new:
            return False
        ts = await self._delivery.find(where.tenant, where.key, where.channel, where.thread_ts)
        if ts is None:
            return False
        await self._delivery.stop_stream(where.tenant, where.channel, ts)
        await self._edit(where, ts, message)
        return True

    async def _start(self, where: Where, chunks: list[dict[str, Any]], **mode: str) -> str | None:
        """The new stream's ts; None where Slack offers no stream here. Raises SlackFailure."""
        delivery = self._delivery
        if where.recipient is None and not where.is_direct:
            return None
        team = (await delivery.identity(where.tenant)).team_id
        try:
            answer = await delivery.calls.call(
                where.tenant,
                "chat.startStream",
                lambda client: client.chat_startStream(
                    channel=where.channel,
                    thread_ts=where.thread_ts,
                    recipient_team_id=team,
                    recipient_user_id=where.recipient,
                    chunks=chunks,
                    **mode,
                ),
                channel=where.channel,
                repeatable=False,
            )
        except AnswerLost:
            ts = await delivery.find(where.tenant, where.key, where.channel, where.thread_ts)
            if ts is not None:
                return ts
            return None
        except SlackRefused as refusal:
            delivery.report("stream", where.tenant, where.key, refusal)
            return None
        return str(answer["ts"])

    async def _post(self, where: Where, message: Message) -> None:
        await self._delivery.show(
            where.tenant, key=where.key, channel=where.channel, thread_ts=where.thread_ts, message=message
        )


def _marked(message: Message, key: str) -> dict[str, Any]:
    return {**message.blocks[0], "block_id": marker(key)}
