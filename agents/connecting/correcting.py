"""People's word on the catalog: a service added or corrected, a question answered. It stays, and is on record."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from agents.connecting.connector import Service
from agents.connecting.operator_file import ALIAS, REPOSITORY, RUNBOOK, SERVICE
from agents.permission import Person
from store import audit
from store.audit import Actor
from store.database.session import Database, TenantSession
from store.ids import ServiceId
from store.incidents import catalog

Answer = Literal["same", "own", "dismiss"]
_MOST: Final = 100


class NotUsable(ValueError):
    """What somebody wrote of a service cannot be used; the message says what to write."""


@dataclass(frozen=True, kw_only=True)
class Correction:
    """A service as a person describes it."""

    name: str
    aliases: tuple[str, ...] = ()
    depends_on: tuple[str, ...] = ()
    environment: str = "production"
    owners: tuple[str, ...] = ()
    repository: str | None = None
    runbook: str | None = None

    @classmethod
    def read(cls, values: Mapping[str, str]) -> Correction:
        """From a form's texts; lists with commas."""
        return cls(
            name=values.get("name", "").strip().lower(),
            aliases=_listed(values.get("aliases", "")),
            depends_on=tuple(one.lower() for one in _listed(values.get("depends_on", ""))),
            environment=values.get("environment", "").strip() or "production",
            owners=_listed(values.get("owners", "")),
            repository=values.get("repository", "").strip() or None,
            runbook=values.get("runbook", "").strip() or None,
        )

    def checked(self, services: Sequence[Service]) -> Correction:
        """The same. Raises NotUsable."""
        known = {one.name for one in services} | {self.name}
        if not re.fullmatch(SERVICE, self.name):
            raise NotUsable("A service's name has small letters, digits, dots, hyphens; at most 40, such as checkout.")
        for alias in self.aliases:
            if not re.fullmatch(ALIAS, alias):
                raise NotUsable(f"{alias[:40]!r} cannot be another name: write it without blanks, such as checkout-*.")
            other = next((s.name for s in services if s.name != self.name and alias in (s.name, *s.aliases)), None)
            if other is not None:
                raise NotUsable(f"{alias} is already a name of {other}: take it from there first.")
        strange = [one for one in self.depends_on if one not in known]
        if strange:
            raise NotUsable(f"{strange[0][:40]!r} is no service that I know, so nothing can call it. Add it first.")
        if self.repository is not None and not re.fullmatch(REPOSITORY, self.repository):
            raise NotUsable("A repository is written as owner/name, such as acme/shop.")
        if self.runbook is not None and not re.fullmatch(RUNBOOK, self.runbook):
            raise NotUsable("A runbook is an https address without blanks.")
        if not all(re.fullmatch(r"[!-~]{1,80}", word) for word in (self.environment, *self.owners)):
            raise NotUsable("Environment and owners are single words, such as production and @payments-team.")
        if max(len(self.aliases), len(self.depends_on), len(self.owners)) > _MOST:
            raise NotUsable(f"At most {_MOST} names each.")
        return self


async def correct(db: Database, person: Person, wanted: Correction, services: Sequence[Service], *, source: str) -> str:
    """Store it, or say why not. The caller has checked the permission."""
    try:
        one = wanted.checked(services)
    except NotUsable as exc:
        return f"{exc} Nothing was changed."
    async with db.tenant(person.tenant_id) as s:
        await catalog.decide(
            s,
            one.name,
            by=person.user_id,
            aliases=one.aliases,
            depends_on=one.depends_on,
            environment=one.environment,
            owners=one.owners,
            repository=one.repository,
            runbook=one.runbook,
        )
        await _noted(s, person, source, "changed", one.name)
    return f"{one.name} is kept as you say. I use it from now on."


async def answer(db: Database, person: Person, service: ServiceId, said: Answer, *, source: str) -> str:
    """A question about a name, answered. The caller has checked the permission."""
    async with db.tenant(person.tenant_id) as s:
        entry = await catalog.service_by_id(s, service)
        if entry is None or entry.state != "proposed":
            return "Somebody has answered that already. Thank you."
        if said == "same" and entry.same_as is not None:
            await _become(s, person, entry.same_as, entry)
        state: catalog.ServiceState = "known" if said == "own" else "dismissed"
        await catalog.decide(
            s,
            entry.name,
            by=person.user_id,
            state=state,
            same_as=entry.same_as if said == "same" else None,
            environment=entry.environment,
            aliases=entry.aliases,
            depends_on=entry.depends_on,
            repository=entry.repository,
        )
        await _noted(s, person, source, "dismissed" if said == "dismiss" else "changed", entry.name)
    if said == "same":
        return f"{entry.name} is another name for {entry.same_as} from now on."
    return f"{entry.name} is one of your services." if said == "own" else f"{entry.name} is not asked about again."


async def _become(s: TenantSession, person: Person, service: str, entry: catalog.CatalogEntry) -> None:
    """The name, and what else the source calls it, as aliases of the service."""
    there = next((one for one in await catalog.services(s, "known") if one.name == service), None)
    aliases = (*(there.aliases if there else ()), entry.name, *entry.aliases)
    if there is None or there.decided_at is None:
        told = catalog.CatalogStatement(name=service, origin="person", aliases=aliases)
        await catalog.take_in(s, [told])
        return
    await catalog.decide(
        s,
        service,
        by=person.user_id,
        aliases=aliases,
        environment=there.environment,
        owners=there.owners,
        depends_on=there.depends_on,
        repository=there.repository,
        runbook=there.runbook,
    )


async def _noted(s: TenantSession, person: Person, source: str, verb: str, name: str) -> None:
    actor = Actor(type="user", id=person.user_id)
    await audit.record(s, actor=actor, action=f"{source}.service.{verb}", target=f"service:{name}")


def _listed(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(part for part in re.split(r"[\s,]+", text) if part))
