"""Which services a tenant has, joined from all who know of them.

The operator's file declares, a connection discovers, traces and investigations come across names; a person's word wins
over all of them and stays. What looks like another name for a known service is asked, never taken for one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from difflib import get_close_matches
from typing import Final

from agents.connecting.connector import Discovered, Service
from agents.language.service_names import belongs_to
from store.incidents.catalog import CatalogEntry, CatalogStatement, Origin

_STRANGE: Final = re.compile(r"[^a-z0-9._-]+")
_ALIKE: Final = 0.8
_LONGEST: Final = 40
_MOST_ALIASES: Final = 50


def merged_services(declared: Sequence[Service], entries: Iterable[CatalogEntry]) -> tuple[Service, ...]:
    """The file's services first, then the catalog's by name. Dependencies on what is no service are left out."""
    known = [entry for entry in entries if entry.state == "known"]
    by_name = {one.name: one for one in declared}
    for entry in known:
        there = by_name.get(entry.name)
        by_name[entry.name] = _stored(entry) if there is None else _both(there, entry)
    names = set(by_name)
    return tuple(
        replace(one, depends_on=tuple(d for d in one.depends_on if d in names and d != one.name))
        for one in by_name.values()
    )


def told_by(
    found: Iterable[Discovered], services: Sequence[Service], *, connection: str, kind: str
) -> list[CatalogStatement]:
    """What a connection discovered, as the catalog takes it in. `kind` is how its names are called: job, span,
    repository.
    """
    told: dict[str, CatalogStatement] = {}
    for one in found:
        name = service_name(one.name)
        if not name:
            continue
        same = belongs_to(one.name, services, kind) or belongs_to(name, services, kind)
        aliases = [alias for alias in one.aliases if alias != name]
        if one.name != (same or name):
            aliases.append(f"{kind}:{one.name}")
        close = None if same else likely_same(name, services)
        said = same is not None and (same in (one.name, name) or _is_alias(one.name, same, services, kind))
        is_instance = same is not None and not said
        taken = name if is_instance or same is None else same
        told[taken] = CatalogStatement(
            name=taken,
            origin="connection",
            evidence=connection,
            question=is_instance or close is not None,
            same_as=same if is_instance else close,
            environment=one.environment or "production",
            depends_on=tuple(filter(None, (service_name(d) for d in one.depends_on))),
            aliases=tuple(aliases[:_MOST_ALIASES]),
            repository=one.repository,
        )
    return list(told.values())


def told_of_names(
    names: Iterable[str], services: Sequence[Service], *, origin: Origin, evidence: str, kind: str
) -> list[CatalogStatement]:
    """Names that an investigation came across and nobody declared, as questions to people."""
    told = []
    for recorded in dict.fromkeys(names):
        name = service_name(recorded)
        if not name or any(name == one.name for one in services) or _is_known(recorded, services, kind):
            continue
        same = belongs_to(recorded, services, kind) or likely_same(name, services)
        aliases = () if recorded == name else (f"{kind}:{recorded}",)
        told.append(
            CatalogStatement(name=name, origin=origin, evidence=evidence, question=True, same_as=same, aliases=aliases)
        )
    return told


def likely_same(name: str, services: Sequence[Service]) -> str | None:
    """A known service that is spelt nearly like it. A guess, to be asked."""
    close = get_close_matches(name, [one.name for one in services], n=2, cutoff=_ALIKE)
    return close[0] if len(close) == 1 else None


def service_name(recorded: str) -> str:
    """What a source calls something, as a name that a service can have; "" where nothing is left of it."""
    return _STRANGE.sub("-", recorded.lower()).strip("-._")[:_LONGEST].strip("-._")


def _is_known(recorded: str, services: Sequence[Service], kind: str) -> bool:
    return any(_is_alias(recorded, one.name, services, kind) for one in services)


def _is_alias(recorded: str, service: str, services: Sequence[Service], kind: str) -> bool:
    """Whether somebody said so, rather than that it looks like it."""
    mine = [one for one in services if one.name == service]
    return belongs_to(recorded, [replace(one, name="") for one in mine], kind) is not None


def _stored(entry: CatalogEntry) -> Service:
    return Service(
        name=entry.name,
        depends_on=entry.depends_on,
        environment=entry.environment,
        owners=entry.owners,
        aliases=entry.aliases,
        repository=entry.repository,
        runbook=entry.runbook,
    )


def _both(declared: Service, entry: CatalogEntry) -> Service:
    """Of a service that file and catalog know: what a person said of it, else the file with what it leaves open."""
    if entry.decided_at is not None:
        return replace(_stored(entry), depends_on=_union(declared.depends_on, entry.depends_on))
    return replace(
        declared,
        depends_on=_union(declared.depends_on, entry.depends_on),
        aliases=_union(declared.aliases, entry.aliases),
        owners=declared.owners or entry.owners,
        repository=declared.repository or entry.repository,
    )


def _union(*parts: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one for part in parts for one in part))
