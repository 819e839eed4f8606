"""Where other systems may send webhooks: an address that names the tenant, and the secret that they must know.

A secret is shown once, when it is made. While it is rotated the one before counts too, for a day at most, so that the
sender can be changed without a gap.
"""

import json
import secrets as tokens
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import func, select

from store.database.schema import WebhookRow
from store.database.session import Database, TenantSession
from store.errors import NotFound
from store.ids import TenantId, UserId, WebhookId, new_id
from store.secrets.redaction import Secret

_TABLE: Final = "webhooks"
OVERLAP: Final = timedelta(days=1)
_QUIET: Final = timedelta(minutes=1)
MOST: Final = 200
"""Of one tenant."""


@dataclass(frozen=True, kw_only=True)
class Webhook:
    """Without its secrets."""

    id: WebhookId
    public_id: str
    provider: str
    label: str
    config: dict[str, Any]
    created_by: UserId | None
    created_at: datetime
    rotated_at: datetime | None
    accepted_at: datetime | None
    refused_at: datetime | None
    refused_reason: str | None
    refused_count: int
    told_at: datetime | None

    @property
    def path(self) -> str:
        return f"/webhooks/{self.provider}/{self.public_id}"


@dataclass(frozen=True, kw_only=True)
class KnownWebhook:
    """What the door needs of a webhook: its tenant, and the secrets that count now."""

    tenant_id: TenantId
    webhook: Webhook
    secrets: tuple[Secret, ...]


async def add_webhook(
    s: TenantSession,
    *,
    provider: str,
    label: str,
    secret: Secret,
    config: Mapping[str, Any],
    created_by: UserId | None,
) -> Webhook:
    """The secret is known to the tenant's redactor from here on. Raises ValueError above `MOST`."""
    if len(await s.all(select(WebhookRow))) >= MOST:
        raise ValueError(f"there are {MOST} webhooks already: delete one that is not used")
    row_id = new_id()
    row = WebhookRow(
        id=row_id,
        public_id=tokens.token_urlsafe(24),
        provider=provider,
        label=s.redactor.redact(label),
        secrets=s.seal_secret(_TABLE, "secrets", row_id, _written(secret, None, None)),
        config=s.seal_json(_TABLE, "config", row_id, dict(config)),
        created_by=created_by,
        created_at=s.now(),
        refused_count=0,
    )
    await s.insert(row)
    await s.secrets_changed()
    return _webhook(s, row)


async def webhooks(s: TenantSession) -> list[Webhook]:
    """All of the tenant, oldest first."""
    rows = await s.all(select(WebhookRow).order_by(WebhookRow.created_at, WebhookRow.id))
    return [_webhook(s, row) for row in rows]


async def rotate_webhook(s: TenantSession, webhook: WebhookId, secret: Secret) -> Webhook:
    """The secret before counts for a day more. Raises NotFound."""
    row = await s.one(WebhookRow, WebhookRow.id == webhook, lock=True)
    if row is None:
        raise NotFound("no such webhook")
    before = _read(s, row).get("current", "")
    until = (s.now() + OVERLAP).isoformat()
    row.secrets = s.seal_secret(_TABLE, "secrets", row.id, _written(secret, before, until))
    row.rotated_at, row.refused_at, row.refused_reason, row.told_at, row.refused_count = s.now(), None, None, None, 0
    await s.save()
    await s.secrets_changed()
    return _webhook(s, row)


async def change_config(s: TenantSession, webhook: WebhookId, config: Mapping[str, Any]) -> Webhook:
    """Raises NotFound."""
    row = await s.one(WebhookRow, WebhookRow.id == webhook, lock=True)
    if row is None:
        raise NotFound("no such webhook")
    row.config = s.seal_json(_TABLE, "config", row.id, dict(config))
    await s.save()
    return _webhook(s, row)


async def remove_webhook(s: TenantSession, webhook: WebhookId) -> bool:
    """False when it was gone already."""
    gone = await s.delete(WebhookRow, WebhookRow.id == webhook)
    if gone:
        await s.secrets_changed()
    return gone == 1


async def find_webhook(db: Database, public_id: str) -> KnownWebhook | None:
    """Of whichever tenant. Raises TenantFrozen, UnknownTenant."""
    async with db.across_tenants("route a webhook", readonly=True) as session:
        tenant = await session.scalar(select(WebhookRow.tenant_id).where(WebhookRow.public_id == public_id))
    if tenant is None:
        return None
    async with db.tenant(TenantId(tenant), readonly=True) as s:
        row = await s.one(WebhookRow, WebhookRow.public_id == public_id)
        if row is None:
            return None
        return KnownWebhook(tenant_id=TenantId(tenant), webhook=_webhook(s, row), secrets=_secrets(s, row))


async def note_accepted(s: TenantSession, webhook: WebhookId, at: datetime) -> None:
    """A delivery that was believed ends the news of those that were not."""
    await s.update(WebhookRow, WebhookRow.id == webhook, values={"accepted_at": at})


async def note_refused(s: TenantSession, webhook: WebhookId, *, reason: str, count: int, at: datetime) -> bool:
    """False when it is gone."""
    row = await s.one(WebhookRow, WebhookRow.id == webhook, lock=True)
    if row is None:
        return False
    row.refused_at, row.refused_reason, row.refused_count = at, reason, row.refused_count + count
    await s.save()
    return True


async def note_told(s: TenantSession, webhook: WebhookId) -> None:
    await s.update(WebhookRow, WebhookRow.id == webhook, values={"told_at": s.now()})


async def note_silent(s: TenantSession, webhook: WebhookId, since: datetime) -> bool:
    """False where this silence was noted before."""
    new = WebhookRow.silent_since.is_(None) | (WebhookRow.silent_since != since)
    return await s.update(WebhookRow, WebhookRow.id == webhook, new, values={"silent_since": since}) == 1


async def tenants_with_refusals(db: Database) -> list[TenantId]:
    """Whose webhooks were refused and nobody was told since."""
    async with db.across_tenants("find refused webhooks", readonly=True) as session:
        untold = WebhookRow.told_at.is_(None) | (WebhookRow.refused_at > WebhookRow.told_at)
        found = select(WebhookRow.tenant_id).where(WebhookRow.refused_at.is_not(None), untold).distinct()
        return [TenantId(one) for one in await session.scalars(found)]


async def tenants_with_quiet_webhooks(db: Database) -> list[TenantId]:
    """Who have one where nothing was accepted in the last minute."""
    async with db.across_tenants("find silent webhooks", readonly=True) as session:
        last = func.coalesce(WebhookRow.accepted_at, WebhookRow.created_at)
        found = select(WebhookRow.tenant_id).where(last < db.now() - _QUIET).distinct()
        return [TenantId(one) for one in await session.scalars(found)]


def _written(current: Secret, previous: str | None, until: str | None) -> Secret:
    return Secret(json.dumps({"current": current.reveal(), "previous": previous or "", "until": until or ""}))


def _read(s: TenantSession, row: WebhookRow) -> dict[str, str]:
    stored = s.credential(_TABLE, "secrets", row.id, row.secrets)
    return {} if stored is None else dict(json.loads(stored.reveal()))


def _secrets(s: TenantSession, row: WebhookRow) -> tuple[Secret, ...]:
    stored = _read(s, row)
    counts = [stored.get("current", "")]
    if stored.get("until") and s.now() < datetime.fromisoformat(stored["until"]):
        counts.append(stored.get("previous", ""))
    return tuple(Secret(value) for value in counts if value)


def _webhook(s: TenantSession, row: WebhookRow) -> Webhook:
    return Webhook(
        id=WebhookId(row.id),
        public_id=row.public_id,
        provider=row.provider,
        label=str(row.label),
        config=s.open_json(_TABLE, "config", row.id, row.config),
        created_by=None if row.created_by is None else UserId(row.created_by),
        created_at=row.created_at,
        rotated_at=row.rotated_at,
        accepted_at=row.accepted_at,
        refused_at=row.refused_at,
        refused_reason=row.refused_reason,
        refused_count=row.refused_count,
        told_at=row.told_at,
    )
