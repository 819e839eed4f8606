"""Which alerts cost attention and give nothing: counts over a period, pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from store.incidents.alerts import StoredAlert, StoredGroup

FLAPS: int = 3


@dataclass(frozen=True, kw_only=True)
class Counted:
    """One kind of alert: how many there were of it, how often they were sent, and how often one began to fire."""

    name: str
    alerts: int
    sent: int
    turns: int
    services: int


@dataclass(frozen=True, kw_only=True)
class Hygiene:
    """Each list begins with the worst. `never_actionable`: fired and led to nothing that anybody looked into."""

    alerts: int
    sent: int
    groups: int
    incidents: int
    never_actionable: tuple[Counted, ...]
    flapping: tuple[Counted, ...]
    without_owner: tuple[Counted, ...]
    duplicates: tuple[Counted, ...]


def judge(
    alerts: Iterable[StoredAlert], groups: Iterable[StoredGroup], *, owned: Collection[str], most: int = 5
) -> Hygiene:
    """`owned`: the services for which somebody is responsible."""
    found, home = list(alerts), {one.id: one for one in groups}
    by_name: defaultdict[str, list[StoredAlert]] = defaultdict(list)
    for one in found:
        by_name[str(one.facts.get("name") or one.facts.get("title") or "unnamed")].append(one)
    acted = Counter(name for name, of in by_name.items() for one in of if _was_looked_into(one, home))
    counted = {name: _counted(name, of) for name, of in by_name.items()}

    def worst(chosen: Iterable[Counted], key: str) -> tuple[Counted, ...]:
        return tuple(sorted(chosen, key=lambda one: (-getattr(one, key), one.name))[:most])

    flapping = [name for name, of in by_name.items() if any(one.turns >= FLAPS for one in of)]
    unowned = [name for name, of in by_name.items() if all((one.service or "") not in owned for one in of)]
    return Hygiene(
        alerts=len(found),
        sent=sum(one.occurrences for one in found),
        groups=sum(one.merged_into is None and not one.quiet for one in home.values()),
        incidents=len({one.incident_id for one in home.values() if one.incident_id is not None}),
        never_actionable=worst((counted[name] for name in by_name if not acted[name]), "turns"),
        flapping=worst((counted[name] for name in flapping), "turns"),
        without_owner=worst((counted[name] for name in unowned), "alerts"),
        duplicates=worst((one for one in counted.values() if one.sent > 2 * one.turns), "sent"),
    )


def _was_looked_into(alert: StoredAlert, groups: Mapping[Any, StoredGroup]) -> bool:
    group = groups.get(alert.group_id)
    return group is not None and group.incident_id is not None


def _counted(name: str, of: Iterable[StoredAlert]) -> Counted:
    listed = list(of)
    return Counted(
        name=name,
        alerts=len(listed),
        sent=sum(one.occurrences for one in listed),
        turns=sum(one.turns for one in listed),
        services=len({one.service for one in listed if one.service}),
    )
