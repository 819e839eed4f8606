"""What a thread is owed stays owed: a verdict, a card or an outcome is told again until Slack took it, refused it for
good, or a day has gone by. Then whoever asked is told by another way.

What is owed stands in the store as a delivery without a place; this only remembers when to try next. After a restart
it is read from there.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Final

from agents.failure import log_failure
from handlers.slack.delivery import Delivery, SlackFailure, SlackRefused
from handlers.slack.delivery.pace import Sleep, Urgency, speaking
from handlers.slack.elsewhere import Elsewhere, Letter, why
from store.database.session import Database
from store.ids import TenantId
from store.inbox import deliveries
from store.incidents import approvals
from store.tenancy import tenants

log = logging.getLogger("autoheal.due")

KINDS: Final = ("verdict", "card", "outcome", "came_back")
"""How the keys begin of what a thread is owed. Everything else says how work goes on, and is late soon."""
OWED_FOR: Final = timedelta(hours=24)
SOON_S: Final = 5.0
"""How long the agents wait for it. It is sent all the same, a little later."""
_FIRST_PAUSE_S: Final = 2.0
_LONGEST_PAUSE_S: Final = 300.0
# An operator or an admin can mend these while it is owed: the app was taken out, its token is refused.
_MENDABLE: Final = frozenset(
    {
        "account_inactive",
        "accesslimited",
        "ekm_access_denied",
        "invalid_auth",
        "missing_scope",
        "not_authed",
        "not_installed",
        "org_login_required",
        "team_access_not_granted",
        "token_expired",
        "token_revoked",
    }
)

ReadLetter = Callable[[TenantId, str], Awaitable[Letter | None]]
"""What is to be said under a key, as the store has it now; None for nothing. Raises LookupError for what is gone."""


class Due:
    """Tries again, each key by itself, at growing intervals. Close it at the end."""

    def __init__(
        self, db: Database, delivery: Delivery, read_letter: ReadLetter, elsewhere: Elsewhere, *, sleep: Sleep
    ) -> None:
        self._db = db
        self._delivery = delivery
        self._read_letter = read_letter
        self._elsewhere = elsewhere
        self._sleep = sleep
        self._owed: dict[tuple[TenantId, str], asyncio.Task[None]] = {}
        self._closed = False

    async def say(self, tenant: TenantId, key: str) -> bool:
        """Said soon, else later: the agents go on meanwhile. False when there is nothing to say. Raises LookupError.

        When this returns it is said, or stands in the store as owed.
        """
        letter = await self._read_letter(tenant, key)
        if letter is None:
            return False
        task = self._owe(tenant, key)
        if not (await asyncio.wait([task], timeout=SOON_S))[0]:
            await self._delivery.claim(tenant, key, letter.incident.channel_id)
        return True

    async def resume(self) -> None:
        """Take up what is owed in the store, for all tenants."""
        since = self._db.now() - OWED_FOR
        for tenant in await tenants.list_tenants(self._db):
            async with self._db.tenant(tenant.id, readonly=True) as s:
                owed = await deliveries.due(s, of=KINDS, since=since)
            for key in dict.fromkeys(one.partition("#")[0] for one in owed):
                self._owe(tenant.id, key)

    async def settle(self) -> None:
        """Wait until nothing is owed any more."""
        while self._owed:
            await asyncio.wait(list(self._owed.values()))

    async def close(self) -> None:
        """What is owed stays in the store, for the next start."""
        self._closed = True
        owed = list(self._owed.values())
        for task in owed:
            task.cancel()
        await asyncio.gather(*owed, return_exceptions=True)

    def _owe(self, tenant: TenantId, key: str) -> asyncio.Task[None]:
        """The task that has it said; one a key."""
        known = self._owed.get((tenant, key))
        if known is not None:
            return known
        task = asyncio.create_task(self._until_settled(tenant, key))
        self._owed[tenant, key] = task
        task.add_done_callback(lambda _: self._owed.pop((tenant, key), None))
        return task

    async def _until_settled(self, tenant: TenantId, key: str) -> None:
        pause = _FIRST_PAUSE_S
        with speaking(Urgency.FIRST):
            while not await self._tell(tenant, key):
                await self._sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE_S)

    async def _tell(self, tenant: TenantId, key: str) -> bool:
        """Whether it is settled: told there, told elsewhere, or gone. What fails by our own fault is tried again."""
        try:
            letter = await self._read_letter(tenant, key)
            return letter is None or await self._send(tenant, key, letter)
        except LookupError:
            return True
        except Exception as exc:  # noqa: BLE001 -- the outer guard of a background task
            log_failure(log, "due.failed", exc, tenant=tenant, key=key)
            return False

    async def _send(self, tenant: TenantId, key: str, letter: Letter) -> bool:
        incident = letter.incident
        try:
            ts = await self._delivery.deliver(
                tenant, key=key, channel=incident.channel_id, thread_ts=incident.thread_ts, message=letter.message
            )
        except SlackFailure as failure:
            self._delivery.report("post", tenant, key, failure)
            if not is_for_good(failure) and not await self._is_late(tenant, key):
                return False
            return await self._elsewhere.tell(tenant, key, letter, why(failure))
        if key.startswith("card:") and letter.approval is not None and ts is not None:
            await self._delivery.update(tenant, key, letter.message)  # it may have been sent before, and changed since
            async with self._db.tenant(tenant) as s:
                await approvals.set_message(s, letter.approval, incident.channel_id, ts)
        return True

    async def _is_late(self, tenant: TenantId, key: str) -> bool:
        row = await self._delivery.known(tenant, key)
        return row is not None and self._db.now() - row.claimed_at >= OWED_FOR


def is_for_good(failure: SlackFailure) -> bool:
    """Whether Slack would refuse it tomorrow too: the channel is archived, we are not in it, posting is restricted."""
    return isinstance(failure, SlackRefused) and failure.code not in _MENDABLE
