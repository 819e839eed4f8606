"""What handlers are given: their context, and the way back to the person who asked.

A refusal, a help text or a status is said privately, so that a channel hears only what concerns everybody. Whatever
is said aloud goes out under a key, so that handling the same arrival twice says it once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from agents.alerting.absorber import Absorber
from agents.connecting.connecting import Connecting
from agents.connecting.disconnecting import Disconnecting
from agents.connecting.toolbox import ToolboxFor
from agents.incidents.service import IncidentService
from handlers.slack.blocks.message import Message, said
from handlers.slack.clients import SlackClients
from handlers.slack.delivery import Delivery
from handlers.slack.inbound.in_view import InView
from handlers.slack.sessions import AgentSessions
from handlers.slack.visibility import Visibility
from store.database.session import Database
from store.ids import TenantId


@dataclass(frozen=True, kw_only=True)
class HandlerContext:
    """Everything a handler may use; joined once in `bot/assemble.py`."""

    db: Database
    incident_service: IncidentService
    delivery: Delivery
    clients: SlackClients
    toolbox_for: ToolboxFor
    connecting: Connecting
    disconnecting: Disconnecting
    clock: Callable[[], datetime]
    public_url: str | None = None
    absorber: Absorber | None = None
    sessions: AgentSessions | None = None
    in_view: InView | None = None
    wanted_scopes: frozenset[str] = frozenset()
    """Of the manifest."""
    install_url: str | None = None
    """Where workspaces install the app themselves."""

    @property
    def visibility(self) -> Visibility:
        """What somebody may be shown of what happens elsewhere."""
        return Visibility(self.db, self.clients)


@dataclass(frozen=True, kw_only=True)
class Reply:
    """The way back to whoever caused one arrival. `key` is that arrival's inbox id."""

    delivery: Delivery
    tenant: TenantId
    key: str
    slack_user_id: str
    channel_id: str | None
    thread_ts: str | None
    response_url: str | None = None

    @property
    def is_direct(self) -> bool:
        return bool(self.channel_id and self.channel_id.startswith("D"))

    async def privately(self, answer: str | Message) -> None:
        """Only the person sees it. In a direct message that is an ordinary reply; without a channel it is a direct
        message.
        """
        message = said(answer) if isinstance(answer, str) else answer
        if self.response_url and await self.delivery.respond(self.response_url, message):
            return
        if self.channel_id is None or self.is_direct:
            await self.delivery.post(
                self.tenant,
                key=f"reply:{self.key}",
                channel=self.channel_id or self.slack_user_id,
                thread_ts=self.thread_ts if self.is_direct else None,
                message=message,
            )
            return
        shown = await self.delivery.ephemeral(
            self.tenant, channel=self.channel_id, user=self.slack_user_id, thread_ts=self.thread_ts, message=message
        )
        if not shown:  # not a member of the channel, for example: nobody is left without an answer
            await self.delivery.post(
                self.tenant, key=f"reply:{self.key}", channel=self.slack_user_id, thread_ts=None, message=message
            )

    async def aloud(self, answer: str | Message, *, thread_ts: str | None) -> str | None:
        """Everybody in the channel sees it. The ts, or None when it could not be posted. Needs a channel."""
        if self.channel_id is None:
            return None
        message = said(answer) if isinstance(answer, str) else answer
        return await self.delivery.post(
            self.tenant, key=f"aloud:{self.key}", channel=self.channel_id, thread_ts=thread_ts, message=message
        )


async def open_modal(client: AsyncWebClient, trigger_id: str | None, view: dict[str, object]) -> bool:
    """False when the trigger is older than three seconds or was used: the person has to click again."""
    if trigger_id is None:
        return False
    try:
        await client.views_open(trigger_id=trigger_id, view=view)
    except SlackApiError as exc:
        if exc.response.get("error") in ("expired_trigger_id", "exchanged_trigger_id", "invalid_trigger_id"):
            return False
        raise
    return True


async def thread_link(client: AsyncWebClient, *, channel_id: str, ts: str, label: str) -> str:
    """A link to a message for mrkdwn; the bare label when Slack cannot name the message."""
    try:
        answer = await client.chat_getPermalink(channel=channel_id, message_ts=ts)
    except SlackApiError:
        return label
    return f"<{answer['permalink']}|{label}>"
