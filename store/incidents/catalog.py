"""A tenant's services: what they are called, by whom, and who said so.

An entry is `known` (investigations look at it), `proposed` (a question to people: is this name another one for a
service that is known?) or `dismissed` (people said it is none of theirs; it is not asked about again). What a person
decided is never changed by what a source says later.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import func, select

from store.database.schema import ServiceRow
from store.database.session import TenantSession
from store.ids import ServiceId, UserId, new_id

ServiceState = Literal["known", "proposed", "dismissed"]
Origin = Literal["connection", "traces", "investigation", "person"]
MOST: int = 2_000
"""Services of one tenant: what a source lists beyond is not taken in."""


@dataclass(frozen=True, kw_only=True)
class CatalogEntry:
    id: ServiceId
    name: str
    state: ServiceState
    origin: Origin
    evidence: str | None = None
    same_as: str | None = None
    environment: str = "production"
    owners: tuple[str, ...] = ()
    depends_on: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    repository: str | None = None
    runbook: str | None = None
    created_at: datetime
    decided_by: UserId | None = None
    decided_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class CatalogStatement:
    """What a source says of a service. A `question` is not used until somebody answers it: is this one of your
    services, or, with `same_as`, another name for that one?
    """

    name: str
    origin: Origin
    question: bool = False
    evidence: str | None = None
    same_as: str | None = None
    environment: str = "production"
    owners: tuple[str, ...] = ()
    depends_on: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    repository: str | None = None


async def services(s: TenantSession, *states: ServiceState) -> list[CatalogEntry]:
    """By name; of all states without any."""
    chosen = select(ServiceRow).order_by(ServiceRow.name)
    if states:
        chosen = chosen.where(ServiceRow.state.in_(states))
    return [_entry(row) for row in await s.all(chosen)]


async def service_by_id(s: TenantSession, service: ServiceId) -> CatalogEntry | None:
    row = await s.one(ServiceRow, ServiceRow.id == service)
    return None if row is None else _entry(row)


async def take_in(s: TenantSession, told: Sequence[CatalogStatement]) -> list[CatalogEntry]:
    """Adds what is new of it, and to entries that no person decided on what they lack. Returns those added.

    Two that come together keep one of each name. What is over `MOST` is left out.
    """
    known = {row.name: row for row in await s.all(select(ServiceRow))}
    room, new, changed = MOST - len(known), [], False
    for one in told:
        row = known.get(one.name)
        if row is None:
            new.append(one)
        elif row.decided_at is None and row.state == "known":
            row.aliases = tuple(dict.fromkeys((*row.aliases, *one.aliases)))
            row.depends_on = tuple(dict.fromkeys((*row.depends_on, *one.depends_on)))
            row.repository = row.repository or one.repository
            row.owners = row.owners or one.owners
            changed = True
    added = await s.insert_if_absent(ServiceRow, *(_values(s, one) for one in new[: max(room, 0)]))
    await s.save()
    if changed or added:
        await s.sources_changed()
    return [_entry(row) for row in await s.all(select(ServiceRow).where(ServiceRow.id.in_(added)))] if added else []


async def decide(
    s: TenantSession,
    name: str,
    *,
    by: UserId | None,
    state: ServiceState = "known",
    same_as: str | None = None,
    environment: str = "production",
    owners: Sequence[str] = (),
    depends_on: Sequence[str] = (),
    aliases: Sequence[str] = (),
    repository: str | None = None,
    runbook: str | None = None,
) -> CatalogEntry:
    """A person's word on a service, which stays: it is added, or changed to exactly this."""
    row = await s.one(ServiceRow, ServiceRow.name == name, lock=True)
    if row is None:
        row = ServiceRow(id=new_id(), name=name, origin="person", created_at=s.now())
    row.state, row.same_as, row.environment = state, same_as, environment
    row.owners, row.depends_on, row.aliases = tuple(owners), tuple(depends_on), tuple(dict.fromkeys(aliases))
    row.repository, row.runbook = repository, runbook
    row.decided_by, row.decided_at = by, s.now()
    await s.insert(row)
    await s.sources_changed()
    return _entry(row)


async def count(s: TenantSession, state: ServiceState) -> int:
    return int(await s.value(select(func.count()).select_from(ServiceRow).where(ServiceRow.state == state)) or 0)


def _values(s: TenantSession, told: CatalogStatement) -> dict[str, object]:
    return {
        "id": new_id(),
        "name": told.name,
        "state": "proposed" if told.question else "known",
        "origin": told.origin,
        "evidence": told.evidence,
        "same_as": told.same_as,
        "environment": told.environment,
        "owners": told.owners,
        "depends_on": told.depends_on,
        "aliases": told.aliases,
        "repository": told.repository,
        "created_at": s.now(),
    }


def _entry(row: ServiceRow) -> CatalogEntry:
    return CatalogEntry(
        id=ServiceId(row.id),
        name=row.name,
        state=_state(row.state),
        origin=_origin(row.origin),
        evidence=row.evidence,
        same_as=row.same_as,
        environment=row.environment,
        owners=row.owners,
        depends_on=row.depends_on,
        aliases=row.aliases,
        repository=row.repository,
        runbook=row.runbook,
        created_at=row.created_at,
        decided_by=None if row.decided_by is None else UserId(row.decided_by),
        decided_at=row.decided_at,
    )


def _state(word: str) -> ServiceState:
    match word:
        case "known" | "proposed" | "dismissed":
            return word
        case _:
            raise ValueError(f"unknown state {word!r}")


def _origin(word: str) -> Origin:
    match word:
        case "connection" | "traces" | "investigation" | "person":
            return word
        case _:
            raise ValueError(f"unknown origin {word!r}")
