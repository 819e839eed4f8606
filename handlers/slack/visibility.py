"""What one person may be shown elsewhere: what was said in public channels, and in private ones that they are a member
of. What was said in a direct message is shown there only.

Slack is asked each time, outside of any transaction: whoever left a channel must not read on. What Slack does not say
is hidden.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable
from typing import Any, Final

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from agents.permission import Person
from handlers.slack.clients import SlackClients
from store.database.session import Database
from store.errors import NotFound
from store.ids import TenantId
from store.incidents import Incident, Sight, channels_of_incidents
from store.tenancy import tenants

_PAGE: Final = 1000
_AT_ONCE: Final = 8
_CANNOT_SEE: Final = frozenset({"channel_not_found", "not_in_channel", "method_not_supported_for_channel_type"})
ASKED_IN_VAIN: Final = "Of some channels Slack did not say who may see them, so what is there is not listed."

log = logging.getLogger(__name__)


class VisibilityUnknown(Exception):
    """Slack did not say whether somebody may see what they act on, so nothing was done. Try again."""


class Visibility:
    """Asks Slack what people may see. Implements `agents.permission.Sees`."""

    def __init__(self, db: Database, clients: SlackClients) -> None:
        self._db = db
        self._clients = clients

    async def of_open_incidents(self, person: Person, *, here: str | None = None) -> Sight:
        """As `among`, for every channel in which an incident is open."""
        async with self._db.tenant(person.tenant_id, readonly=True) as s:
            channels = await channels_of_incidents(s)
        return await self.among(person, channels, here=here)

    async def among(self, person: Person, channels: Iterable[str | None], *, here: str | None = None) -> Sight:
        """`here` is where the person asks, as Slack said: that channel they see already."""
        return await self.readable_by(person.tenant_id, person.slack_user_id, channels, here=here)

    async def readable_by(
        self, tenant: TenantId, slack_user_id: str, channels: Iterable[str | None], *, here: str | None = None
    ) -> Sight:
        """As `among`, for somebody who is told unasked."""
        own = frozenset({here} if here else ())
        asked = sorted({channel for channel in channels if channel and not channel.startswith("D")} - own)
        if not asked:
            return Sight(channels=own)
        async with self._db.tenant(tenant, readonly=True) as s:
            install = await tenants.load_install(s)
        # What an alert began is read by everybody in its channel: Autoheal sees for them what is public.
        reader = None if install and install.bot_user_id == slack_user_id else slack_user_id
        try:
            client = await self._clients.client_for(tenant)
        except NotFound:
            return Sight(channels=own, asked_in_vain=True)
        return await _ask(client, asked, reader, own)

    async def sees(self, person: Person, incident: Incident | None, *, here: str | None) -> bool:
        """Raises VisibilityUnknown when Slack does not say."""
        if incident is None:
            return False
        sight = await self.among(person, [incident.channel_id], here=here)
        if sight.covers(incident.channel_id):
            return True
        if sight.asked_in_vain:
            raise VisibilityUnknown
        return False


async def _ask(client: AsyncWebClient, channels: list[str], reader: str | None, own: frozenset[str]) -> Sight:
    places = asyncio.Semaphore(_AT_ONCE)

    async def may_see(channel: str) -> bool | None:
        async with places:
            return await _may_see(client, channel, reader)

    in_slack = reader is not None and not reader.startswith("web:")  # those have an account of ours alone
    if in_slack and (belongs := await _belongs(client, str(reader))) is not True:
        return Sight(channels=own, asked_in_vain=belongs is None)
    answers = await asyncio.gather(*(may_see(channel) for channel in channels))
    seen = {channel for channel, answer in zip(channels, answers, strict=True) if answer}
    return Sight(channels=own | seen, asked_in_vain=None in answers)


async def members_alone(client: AsyncWebClient, channel_id: str) -> frozenset[str] | None:
    """Whom a private channel is for, by Slack id; None for a public one, of which everybody may be told.

    Not for direct messages. Raises what Slack's client raises: nobody is told of what Slack does not tell about.
    """
    if await _is_public(client, channel_id):
        return None
    return frozenset([member async for page in _members(client, channel_id) for member in page])


async def _may_see(client: AsyncWebClient, channel_id: str, reader: str | None) -> bool | None:
    """None when Slack did not answer that. `reader` None asks for what everybody may see."""
    try:
        return await _is_public(client, channel_id) or (
            reader is not None and await _is_member(client, channel_id, reader)
        )
    except SlackApiError as exc:
        code = str(exc.response.get("error"))
        if code in _CANNOT_SEE:
            return False
        log.warning("not asked who may see a channel", extra={"action": "visibility.unknown", "reason": code})
    except (aiohttp.ClientError, TimeoutError, OSError) as exc:
        facts = {"action": "visibility.unknown", "reason": type(exc).__name__}
        log.warning("not asked who may see a channel", extra=facts)
    return None


async def _belongs(client: AsyncWebClient, slack_user_id: str) -> bool | None:
    """Whether somebody is in the workspace still: a token, or a policy that they opted in to, may outlive that. None
    when Slack did not say.
    """
    try:
        found: dict[str, Any] = (await client.users_info(user=slack_user_id))["user"]
    except SlackApiError as exc:
        code = str(exc.response.get("error"))
        if code in {"user_not_found", "user_not_visible"}:
            return False
        log.warning("not asked who is here", extra={"action": "visibility.unknown", "reason": code})
    except (aiohttp.ClientError, TimeoutError, OSError) as exc:
        facts = {"action": "visibility.unknown", "reason": type(exc).__name__}
        log.warning("not asked who is here", extra=facts)
    else:
        return not found.get("deleted")
    return None


async def _is_public(client: AsyncWebClient, channel_id: str) -> bool:
    channel: dict[str, Any] = (await client.conversations_info(channel=channel_id))["channel"]
    return channel.get("is_private") is False and not channel.get("is_im") and not channel.get("is_mpim")


async def _is_member(client: AsyncWebClient, channel_id: str, slack_user_id: str) -> bool:
    async for page in _members(client, channel_id):
        if slack_user_id in page:
            return True
    return False


async def _members(client: AsyncWebClient, channel_id: str) -> AsyncIterator[list[str]]:
    cursor = ""
    while True:
        page = await client.conversations_members(channel=channel_id, limit=_PAGE, cursor=cursor)
        yield page["members"]
        rest: dict[str, Any] = page.get("response_metadata") or {}
        cursor = rest.get("next_cursor") or ""
        if not cursor:
            return
