"""Withdrawing the consent to a connection: revoked at the vendor where it can be, deleted here, and its work stopped.

The vendor is asked first, while there still is a credential to revoke, and for a few seconds only: whatever it answers,
the credential is deleted and nothing uses it from then on. Runs and proposals of the workspace stop too, since any of
them may rest on that source; whoever asked can ask again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from pydantic import ValidationError

from agents.connecting.connector import ConnectorContext, Revocable, discover_connectors
from agents.connecting.fields import split
from agents.connecting.outbound import EgressPolicy, Outbound
from agents.errors import AgentError
from agents.failure import log_failure
from agents.permission import Person
from store import audit
from store.audit import Actor, events
from store.database.session import Database, TenantSession
from store.errors import NotFound, UnreadableConnection
from store.ids import ConnectionId, TenantId
from store.incidents import approvals, investigations
from store.incidents.approvals import ApprovalState
from store.secrets.redaction import Secret
from store.tenancy import connections
from store.tenancy.connections import Connection

log = logging.getLogger("autoheal.consent")

REVOKE_S: Final = 10.0
Upstream = Literal["revoked", "refused", "not_offered", "unreadable"]


@dataclass(frozen=True, kw_only=True)
class Disconnected:
    """What was done. `runs` were asked to stop, `proposals` were cancelled."""

    label: str
    title: str
    upstream: Upstream
    runs: int = 0
    proposals: int = 0
    leaves_behind: str = ""

    def in_words(self) -> str:
        """For the person who asked."""
        vendor = {
            "revoked": f"Its credential was revoked at {self.title}.",
            "refused": f"{self.title} did not revoke its credential when asked: revoke it there by hand.",
            "not_offered": self.leaves_behind or f"{self.title} cannot be asked to revoke it: do that there by hand.",
            "unreadable": f"Its stored credential was damaged, so {self.title} could not be asked: revoke it by hand.",
        }[self.upstream]
        if self.upstream == "revoked" and self.leaves_behind:
            vendor = f"{vendor} {self.leaves_behind}"
        stopped = []
        if self.runs:
            stopped.append(f"{self.runs} running investigation{'s' if self.runs > 1 else ''} asked to stop")
        if self.proposals:
            stopped.append(f"{self.proposals} open proposal{'s' if self.proposals > 1 else ''} cancelled")
        work = f" {' and '.join(stopped)}: they may have rested on it." if stopped else ""
        return f"{self.label} is disconnected and what was stored of it is deleted. {vendor}{work}"


class Disconnecting:
    """`egress_of` says where a connection of a tenant, by its label, may go: so it reaches its vendor to revoke."""

    def __init__(
        self, *, db: Database, egress_of: Callable[[TenantId, str], EgressPolicy], now: Callable[[], datetime]
    ) -> None:
        self._db = db
        self._egress_of = egress_of
        self._now = now

    async def disconnect(self, person: Person, connection: ConnectionId, *, source: str) -> Disconnected | None:
        """None when there is no such connection. The caller has checked the permission."""
        async with self._db.tenant(person.tenant_id, readonly=True) as s:
            known = {one.id: one for one in await connections.connections(s)}.get(connection)
            try:
                credentials = await connections.credentials(s, connection)
            except NotFound:
                return None
            except UnreadableConnection:
                credentials = None  # it goes all the same; at the vendor the grant must be taken back by hand
        upstream: Upstream = "unreadable"
        if known is not None and known.readable and credentials is not None:
            upstream = await self._revoke(person.tenant_id, known, credentials)
        actor = Actor(type="user", id=person.user_id)
        async with self._db.tenant(person.tenant_id) as s:
            if not await connections.disconnect(s, connection):
                return None
            runs, proposals = await _stop_work(s, actor, source)
            await events.emit(s, "ai.autoheal.connection.removed.v1", connection, actor=actor)
            if upstream in {"revoked", "refused"}:
                word = "connection.revoked" if upstream == "revoked" else "connection.failed"
                await audit.record(s, actor=actor, action=f"{source}.{word}", target=connection)
            await audit.record(
                s,
                actor=actor,
                action=f"{source}.connection.removed",
                target=connection,
                details={"upstream": upstream},
            )
        kind = None if known is None else discover_connectors().get(known.connector)
        return Disconnected(
            label=known.label if known else connection,
            title=known.connector if known and kind is None else getattr(kind, "title", "the vendor"),
            upstream=upstream,
            runs=runs,
            proposals=proposals,
            leaves_behind="" if kind is None else kind.leaves_behind,
        )

    async def _revoke(self, tenant: TenantId, known: Connection, credentials: Mapping[str, Secret]) -> Upstream:
        kind = discover_connectors().get(known.connector)
        if kind is None or not issubclass(kind, Revocable):
            return "not_offered"
        settings, beside = split(kind.form, known.config)
        outbound = Outbound(self._egress_of(tenant, known.label))
        context = ConnectorContext(
            services=(),
            outbound=outbound,
            now=self._now,
            credentials={**beside, **credentials},
            label=known.label,
        )
        try:
            connector = kind(kind.config_model.model_validate(settings), context)
            async with asyncio.timeout(REVOKE_S):
                await connector.revoke()
        except (AgentError, ValidationError, TimeoutError) as exc:
            log_failure(log, "consent.not_revoked", exc, connector=known.connector)
            return "refused"
        finally:
            await outbound.close()
        return "revoked"


async def _stop_work(s: TenantSession, actor: Actor, source: str) -> tuple[int, int]:
    """Runs end before their next turn; proposals that nobody began are cancelled. An effect under way goes on. How many
    of each.
    """
    runs = proposals = 0
    for run in await investigations.running_investigations(s):
        if await investigations.request_stop(s, run.id, None):
            runs += 1
            await audit.record(s, actor=actor, action=f"{source}.investigation.stop_requested", target=run.id)
    waiting = (ApprovalState.PROPOSED, ApprovalState.APPROVED)
    for found in await approvals.open_approvals(s):
        if await approvals.advance(s, found.id, to=ApprovalState.CANCELLED, expect=waiting, finished_at=s.now()):
            proposals += 1
            await events.emit(s, "ai.autoheal.approval.cancelled.v1", found.id, actor=actor)
            await audit.record(s, actor=actor, action=f"{source}.approval.cancelled", target=found.id)
    return runs, proposals
