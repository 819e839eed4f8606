"""Looks at the tenants whose audit log grew, and tells their admins what looks suspicious: within a minute."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Final, Protocol

from store import audit
from store.audit import events
from store.audit.suspicion import DECISIONS, LOOK_BACK, SHORTLY, WATCHED, SecuritySuspicion, broken_glass, judge
from store.database.session import Database
from store.errors import TenantFrozen, UnknownTenant
from store.ids import TenantId
from store.upkeep.audit_heads import Head, heads

_log: Final = logging.getLogger(__name__)
MANY_UNKNOWN: Final = 20
_PATIENCE_S: Final = 10.0
"""For telling one tenant's admins: who cannot be reached keeps nobody else waiting."""


_REACH: Final = 10_000
"""So many entries back is looked: more than anybody can write between two looks."""
_MOST_ENTRIES: Final = 1_000
"""Of those that a rule is about; so many are opened at most."""


class TellsAdmins(Protocol):
    """How a tenant's admins are told; filled in from above."""

    async def tell_admins(self, tenant: TenantId, *, key: str, text: str) -> bool:
        """Once per key and admin, however often it is called. False when it must be tried again."""


class Watch:
    """One a process. `refused` counts refused requests since the start, by reason: those that no tenant can be told."""

    def __init__(self, db: Database, tells: TellsAdmins, *, refused: Callable[[], Mapping[str, int]] = dict) -> None:
        self._db = db
        self._tells = tells
        self._refused = refused
        self._seen: dict[TenantId, int] = {}
        self._told: set[tuple[TenantId, str]] = set()
        self._unknown: list[tuple[datetime, int]] = []

    async def look(self) -> int:
        """Judges what is new. Returns how many alerts were raised. A tenant that cannot be read hinders no other."""
        raised = 0
        for head in await heads(self._db):
            if self._seen.get(head.tenant_id) == head.sequence:
                continue
            try:
                raised += await self._look_at(head)
            except (TenantFrozen, UnknownTenant):  # nobody can be told; what follows once it is back is looked at
                self._seen[head.tenant_id] = head.sequence
            except Exception as exc:  # noqa: BLE001 -- the outer guard of a tenant: the others' alerts go on
                _log.warning("action=watch.failed tenant=%s kind=%s", head.tenant_id, type(exc).__name__)
        return raised

    async def _look_at(self, head: Head) -> int:
        now = self._db.now()
        async with self._db.tenant(head.tenant_id, readonly=True) as s:
            since, after = now - LOOK_BACK, head.sequence - _REACH
            entries = await audit.recent(s, since, after=after, actions=WATCHED, limit=_MOST_ENTRIES)
            decisions = await audit.recent(s, since, after=after, actions=DECISIONS, limit=_MOST_ENTRIES)
        raised, told = 0, True
        for suspicion in (*broken_glass(decisions), *judge(entries, now)):
            key = suspicion.occasion(now)
            raised += await self._raise(head.tenant_id, key, suspicion)
            told = await self._tell(head.tenant_id, key, suspicion) and told
        if told:  # otherwise the next look tries again
            self._seen[head.tenant_id] = head.sequence
        return raised

    async def _tell(self, tenant_id: TenantId, key: str, suspicion: SecuritySuspicion) -> bool:
        if (tenant_id, key) in self._told:
            return True
        text = f"*Suspicious activity.* {suspicion.sentence} The audit log has the entries."
        try:
            async with asyncio.timeout(_PATIENCE_S):
                told = await self._tells.tell_admins(tenant_id, key=f"alert:{key}", text=text)
        except TimeoutError:
            told = False
        if told:
            self._told.add((tenant_id, key))
        return told

    async def _raise(self, tenant_id: TenantId, key: str, suspicion: SecuritySuspicion) -> bool:
        async with self._db.tenant(tenant_id) as s:
            await s.head()  # the lock: two processes raise it once
            if await audit.trail(s, target=f"alert:{key}", limit=1):
                return False
            details = {"rule": suspicion.rule, "about": suspicion.about, "count": suspicion.count}
            await events.emit(s, "ai.autoheal.alert.raised.v1", f"alert:{key}", details, actor=audit.SYSTEM)
            await audit.record(
                s, actor=audit.SYSTEM, action="system.alert.raised", target=f"alert:{key}", details=details
            )
        _log.warning("action=alert.raised tenant=%s rule=%s count=%s", tenant_id, suspicion.rule, suspicion.count)
        return True

    async def look_at_door(self) -> None:
        """Forged requests name no tenant that could be believed: the operator hears of them, in the log. They are of
        this process: of several replicas each looks at its own.
        """
        now, total = self._db.now(), sum(self._refused().get(f"refused_{why}", 0) for why in _UNKNOWN)
        self._unknown = [(at, count) for at, count in self._unknown if at > now - SHORTLY] or [(now, 0)]
        since = total - self._unknown[0][1]
        self._unknown.append((now, total))
        if since >= MANY_UNKNOWN:
            _log.error("action=requests.forged count=%s minutes=%s", since, SHORTLY // timedelta(minutes=1))
            self._unknown = [(now, total)]


_UNKNOWN: Final = ("forged", "unknown_workspace")
