"""Changes that webhooks told of, as rows of the change log."""

from __future__ import annotations

from datetime import datetime

from agents.webhooks import Part
from store.ids import TenantId, stable_id
from store.incidents.alerts import StoredChange


def change_row(tenant: TenantId, provider: str, part: Part, now: datetime) -> StoredChange | None:
    """None for what is no change. One row a thing, however often a source tells of it."""
    if part.kind != "change" or part.change is None:
        return None
    change = part.change
    return StoredChange(
        id=stable_id("change", tenant, part.key),
        provider=provider,
        kind=change.kind,
        service=part.service,
        environment=part.environment,
        facts={
            "title": part.title,
            "text": part.text[:1000],
            "url": part.source_url,
            "outcome": change.outcome,
            "repository": change.repository,
            "version": change.version,
            "author": change.author,
        },
        occurred_at=min(part.occurred_at or now, now),
        received_at=now,
    )
