"""The change log that webhooks fill, as a source of changes for investigations.

A change of a repository counts for the services that are named like it; what belongs to no known service is said as a
gap, for a change that nobody can place may still be the cause. There is no diff here: the vendor's link leads to it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar, Final, Literal

from agents.connecting.connector import ChangesRead, Check, Connector, ConnectorConfig, Diff
from agents.errors import BadArguments
from agents.evidence.types import Change, Window
from agents.language.service_names import names_in
from agents.tool import Tool
from store.database.session import Database
from store.ids import TenantId
from store.incidents import alerts
from store.incidents.alerts import StoredChange

_KINDS: Final[dict[str, Literal["deployment", "config", "other"]]] = {
    "deployment": "deployment",
    "release": "deployment",
    "flag": "config",
}
_FAILED: Final = frozenset({"failure", "failed", "error", "cancelled", "canceled", "inactive", "skipped"})


class WebhookChanges(Connector):
    """Made for each tenant; it needs no settings and no credentials."""

    name = "change_log"
    title = "changes by webhook"
    config_model = ConnectorConfig
    shows: ClassVar[frozenset[str]] = frozenset({"deployment", "release", "flag", "merge", "package"})
    """Pushes, branches and runs of pipelines change no running system by themselves."""

    def __init__(self, db: Database, tenant: TenantId, services: Callable[[], Sequence[str]]) -> None:  # no settings
        self._db, self._tenant, self._services = db, tenant, services

    async def check(self) -> Check:
        return Check(ok=True, detail="filled by webhooks")

    def tools(self) -> list[Tool]:
        return []

    async def read_changes(self, window: Window) -> ChangesRead:
        async with self._db.tenant(self._tenant, readonly=True) as s:
            found = await alerts.changes_between(s, window.start, window.end)
        found = [one for one in found if one.kind in self.shows and str(one.facts.get("outcome")) not in _FAILED]
        services = list(self._services())
        placed = [(one, _services_of(one, services)) for one in reversed(found)]
        homeless = [one for one, names in placed if not names]
        return ChangesRead(
            changes=[_change(one, name) for one, names in placed for name in names],
            gaps=(_gap(homeless),) if homeless else (),
        )

    async def read_diff(self, service: str, from_version: str, to_version: str) -> Diff:
        raise BadArguments(f"the change log has no diff of {service} {from_version}..{to_version}: follow its link")


def _services_of(change: StoredChange, services: Sequence[str]) -> list[str]:
    if change.service:
        return names_in(change.service, services) or ([change.service] if change.service in services else [])
    repository = str(change.facts.get("repository") or "").rpartition("/")[2]
    return names_in(repository, services) if repository else []


def _change(stored: StoredChange, service: str) -> Change:
    facts = stored.facts
    link = f" {facts['url']}" if facts.get("url") else ""
    by = f" by {facts['author']}" if facts.get("author") else ""
    return Change(
        id=f"{stored.provider}-{stored.id[:8]}",
        service=service,
        at=stored.occurred_at,
        kind=_KINDS.get(stored.kind, "other"),
        version=str(facts.get("version") or "") or None,
        summary=f"{stored.kind}: {facts.get('title')}{by}{link}",
    )


def _gap(homeless: Sequence[StoredChange]) -> str:
    named = "; ".join(f"{one.facts.get('title')} at {one.occurred_at:%H:%M} UTC" for one in homeless[-3:])
    return f"{len(homeless)} changes belong to no known service: {named}"
