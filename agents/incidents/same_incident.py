"""Whether what is reported is an incident that exists: one function for every door, for people and for alerts.

Two reports are of one incident when they are of the same service, of symptoms that one fault can show, and close enough
in time. The words alone never make two reports one: "everything is down" is said of many things. In its own thread an
incident is always meant. What somebody may not see they never join.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from agents.language.alerts import read_alert, service_of
from agents.language.service_names import names_in
from agents.models.offline.steering import symptom_in
from agents.verdict import Verdict
from store import incidents
from store.database.session import TenantSession
from store.incidents import Incident, Sight, investigations
from store.incidents.investigations import Investigation

_LASTS: Final = timedelta(days=1)
"""How long after it was last looked into an open incident still takes in what is reported."""
_SPREADS: Final = timedelta(minutes=30)
"""Within this time one fault may show as errors here and as slowness there; later that is another fault."""
_RECURS: Final = timedelta(hours=1)
"""How soon after its end the same alert opens an incident again."""
_FELT: Final = {
    "errors": "errors",
    "dependency_errors": "errors",
    "latency": "latency",
    "dependency_latency": "latency",
}


@dataclass(frozen=True, kw_only=True)
class Reported:
    """What somebody or something reports. `services` are all that are named, `service` the one that is meant; `symptom`
    is `errors`, `latency` or unknown; `alert` the identity of the alert, where it is one.
    """

    services: frozenset[str]
    service: str | None
    symptom: str | None
    alert: str | None
    channel_id: str
    thread_ts: str
    at: datetime


@dataclass(frozen=True, kw_only=True)
class KnownIncident:
    """An incident with its newest run."""

    incident: Incident
    run: Investigation | None

    @property
    def is_running(self) -> bool:
        return self.run is not None and self.run.status in ("queued", "running")

    @property
    def last_at(self) -> datetime:
        return self.run.created_at if self.run is not None else self.incident.opened_at

    @property
    def symptom(self) -> str | None:
        """As it was measured, else as it was told."""
        if self.run is None:
            return None
        if self.run.verdict is not None:
            measured = Verdict.model_validate(self.run.verdict).symptom
            if measured is not None:
                return _FELT.get(measured.family)
        return symptom_in(str(self.run.question))


def read_report(
    text: str,
    services: Iterable[str],
    spellings: Mapping[str, str] | None = None,
    *,
    alert: str | None,
    channel_id: str,
    thread_ts: str,
    at: datetime,
) -> Reported:
    """`spellings` are other names of the catalog, each of a service."""
    known = list(services)
    return Reported(
        services=frozenset(names_in(text, known, spellings)),
        service=service_of(text, known, spellings),
        symptom=symptom_in(text),
        alert=alert,
        channel_id=channel_id,
        thread_ts=thread_ts,
        at=at,
    )


async def read_known(s: TenantSession, now: datetime) -> list[KnownIncident]:
    """The incidents that something reported now could be: open ones, and those that ended a short while ago."""
    found = await incidents.candidates(s, ended_since=now - _RECURS)
    runs = await investigations.newest_investigations(s, [one.id for one in found])
    return [KnownIncident(incident=one, run=runs.get(one.id)) for one in found]


def same_incident(
    reported: Reported, known: Sequence[KnownIncident], sight: Sight | None = None
) -> KnownIncident | None:
    """The incident that is meant, or None for a new one. Without a `sight` all are seen, which is for code that asks
    Slack afterwards. One that is looked into now comes before others, and a newer one before an older.
    """
    here = [one for one in known if _in_thread(reported, one.incident)]
    if here:
        return max(here, key=lambda one: one.incident.number)
    same = [
        one for one in known if (sight is None or sight.covers(one.incident.channel_id)) and _is_same(reported, one)
    ]
    return max(same, key=lambda one: (one.is_running, one.incident.number), default=None)


def _in_thread(reported: Reported, incident: Incident) -> bool:
    return (incident.channel_id, incident.thread_ts) == (reported.channel_id, reported.thread_ts)


def _is_same(reported: Reported, one: KnownIncident) -> bool:
    """Of the same thing, of a symptom that fits, and in time."""
    same_alert = _same_alert(reported, one.incident)
    if not (same_alert or _same_service(reported, one.incident)):
        return False
    if one.incident.resolved_at is not None:  # only the alert that began it says that it is there again
        return same_alert and reported.at - one.incident.resolved_at <= _RECURS
    since = reported.at - one.last_at
    if one.is_running or same_alert:
        return since <= _LASTS
    fits = reported.symptom is None or one.symptom is None or reported.symptom == one.symptom
    return since <= (_LASTS if fits else _SPREADS)


def _same_service(reported: Reported, incident: Incident) -> bool:
    if incident.service is None:
        return False
    return incident.service == reported.service or (reported.service is None and incident.service in reported.services)


def _same_alert(reported: Reported, incident: Incident) -> bool:
    """By the alert's own name or service, in the channel where it is posted."""
    if reported.alert is None or incident.channel_id != reported.channel_id:
        return False
    return reported.alert in (f"service:{incident.service}", read_alert(str(incident.title)).identity)
