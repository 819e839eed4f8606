"""What cannot be said in its thread is said to whoever asked, in a direct message; where nobody asked, as for an alert,
the admins hear that there is something. The Home tab keeps it in either case.

Somebody who may not see the channel, or of whom Slack does not say whether they may, is told that it is there, not what
it says.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Final

from handlers.slack.blocks import text as t
from handlers.slack.blocks.message import Message, said, sections
from handlers.slack.delivery import Delivery, SlackFailure, SlackRefused
from handlers.slack.visibility import Visibility
from store.database.session import Database
from store.ids import ApprovalId, TenantId, UserId
from store.inbox import deliveries
from store.incidents import Incident
from store.people import users
from store.people.users import User

log = logging.getLogger(__name__)

_WORDS: Final = {
    "is_archived": "the channel is archived",
    "channel_not_found": "I am not in the channel any more",
    "not_in_channel": "I am not in the channel any more",
    "restricted_action": "posting there is restricted",
    "restricted_action_read_only_channel": "posting there is restricted",
    "restricted_action_thread_only_channel": "posting there is restricted",
    "restricted_action_thread_locked": "the thread is locked",
}
_KINDS: Final = {
    "verdict": "what I found",
    "card": "the proposal that waits for a decision",
    "outcome": "the outcome",
    "came_back": "that it came back",
}


@dataclass(frozen=True, kw_only=True)
class Letter:
    """Something that a thread is owed. `asked_by` is whose question or decision it answers."""

    incident: Incident
    message: Message
    asked_by: UserId | None
    approval: ApprovalId | None = None


def why(failure: SlackFailure) -> str:
    if not isinstance(failure, SlackRefused):
        return "Slack did not take it for a day"
    return _WORDS.get(failure.code, f"Slack refused it ({t.code(failure.code, 60)})")


class Elsewhere:
    """Without `visibility` nobody is told what it says."""

    def __init__(self, db: Database, delivery: Delivery, visibility: Visibility | None) -> None:
        self._db = db
        self._delivery = delivery
        self._visibility = visibility

    async def tell(self, tenant: TenantId, key: str, letter: Letter, reason: str) -> bool:
        """True once that is settled too. False when Slack did not answer, so that it is tried again."""
        settled = True
        for reader in await self._readers(tenant, letter):
            settled = await self._tell_one(tenant, key, letter, reason, reader) and settled
        if settled:
            async with self._db.tenant(tenant) as s:
                await deliveries.refuse(s, key)
        return settled

    async def update(self, tenant: TenantId, key: str, letter: Letter) -> None:
        """Where it was told whole, it now says this."""
        for reader in await self._readers(tenant, letter):
            if await self._delivery.known(tenant, _dm_key(key, reader)) and await self._may_read(
                tenant, letter.incident, reader
            ):
                await self._delivery.update(tenant, _dm_key(key, reader), letter.message)

    async def _readers(self, tenant: TenantId, letter: Letter) -> list[User]:
        async with self._db.tenant(tenant, readonly=True) as s:
            asked = await users.user(s, letter.asked_by) if letter.asked_by else None
            # An alert is asked about by our own bot, which is nobody's colleague and has no direct messages.
            found = [asked] if asked and asked.id in {one.id for one in await users.people(s)} else []
            return [one for one in found or await users.admins(s) if one.is_in_slack]

    async def _tell_one(self, tenant: TenantId, key: str, letter: Letter, reason: str, reader: User) -> bool:
        whole = await self._may_read(tenant, letter.incident, reader)
        try:
            await self._delivery.deliver(
                tenant,
                key=_dm_key(key, reader),
                channel=reader.slack_user_id,
                thread_ts=None,
                message=_message(key, letter, reason, whole=whole),
            )
        except SlackRefused as refusal:
            self._delivery.report("elsewhere", tenant, key, refusal)  # the Home tab keeps it
        except SlackFailure as failure:
            self._delivery.report("elsewhere", tenant, key, failure)
            return False
        return True

    async def _may_read(self, tenant: TenantId, incident: Incident, reader: User) -> bool:
        if self._visibility is None:
            return False
        sight = await self._visibility.readable_by(tenant, reader.slack_user_id, [incident.channel_id])
        return sight.covers(incident.channel_id)


def _dm_key(key: str, reader: User) -> str:
    return f"dm:{key}:{reader.id}"


def _message(key: str, letter: Letter, reason: str, *, whole: bool) -> Message:
    what = _KINDS.get(key.partition(":")[0], "something")
    place = f"the thread of incident #{letter.incident.number}"
    lead = f"I cannot post {what} in {place}: {reason}."
    if whole:
        return Message(text=letter.message.text, blocks=(*sections(lead), *letter.message.blocks))
    return said(f"{lead} Invite me there again with `/invite @autoheal` and mention me.")
