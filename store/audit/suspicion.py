"""What looks like an attack or an accident in a tenant's audit log: pure rules over its recent entries.

A rule that strikes is raised once an hour: an alert event and an audit entry in one transaction, then a message to the
tenant's admins. Counts are low on purpose: an alert that was nothing costs an admin a minute.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from store.audit import AuditEntry
from store.audit.vocabulary import ACTIONS, SOURCES

Rule = Literal[
    "bad_signatures", "bad_logins", "probes", "mass_export", "role_used_at_once", "many_remediations", "break_glass"
]

LOOK_BACK: Final = timedelta(hours=1)
SHORTLY: Final = timedelta(minutes=10)
MANY_BAD_SIGNATURES: Final = 5
MANY_BAD_LOGINS: Final = 5
MANY_PROBES: Final = 3
MANY_EXPORTS: Final = 3
MANY_REMEDIATIONS: Final = 5

_BAD_SIGNATURE: Final = frozenset({"forged", "stale", "replayed", "bad_signature"})
_EXPORTS: Final = frozenset({"export.created", "export.requested", "events.exported", "audit.exported"})
_NEEDS_A_ROLE: Final = frozenset({"approval", "connection", "export", "invitation", "role", "settings", "token"})
_PROBES: Final = frozenset({"unknown_id", "wall"})
_REFUSALS: Final = frozenset({"refused", "failed"})
_ALONE: Final = _EXPORTS | {"request.refused", "login.refused", "token.refused", "access.refused", "effect.started"}
WATCHED: Final = frozenset(
    f"{source}.{subject}.{verb}"
    for source in SOURCES
    for subject, verbs in ACTIONS.items()
    for verb in verbs
    if subject in _NEEDS_A_ROLE or f"{subject}.{verb}" in _ALONE
)
"""The actions that a rule is about. Others, such as calls of tools, need not be read."""
DECISIONS: Final = frozenset(
    f"{source}.{what}" for source in SOURCES for what in ("approval.approved", "undo.requested")
)
"""By which a plan is carried out. They are read by themselves, so that a flood of others hides none."""


@dataclass(frozen=True, kw_only=True)
class SecuritySuspicion:
    """`about` is whom or what it concerns, as an id; `count` how often it happened; `which` tells two of one rule
    apart.
    """

    rule: Rule
    about: str
    count: int
    which: str = ""

    def occasion(self, now: datetime) -> str:
        """What is told once: a rule once an hour, a single deed once."""
        return f"{self.rule}:{self.which or now.strftime('%Y%m%dT%H')}"

    @property
    def sentence(self) -> str:
        """For the admins, in plain words and ids only."""
        return _SENTENCES[self.rule].format(about=self.about, count=self.count)


_SENTENCES: Final[dict[Rule, str]] = {
    "bad_signatures": "{count} requests with a wrong, old or repeated signature within 10 minutes.",
    "bad_logins": "{count} failed sign-ins within 10 minutes, most of them for account {about}.",
    "probes": "{count} tries within 10 minutes to reach what does not belong to this organisation, by {about}.",
    "mass_export": "{count} exports within an hour by {about}.",
    "role_used_at_once": "{about} was given a new role and used it within 10 minutes.",
    "many_remediations": "{count} remediations were started within 10 minutes.",
    "break_glass": "{about} approved a plan of high risk without a second person (break-glass).",
}


def judge(entries: Sequence[AuditEntry], now: datetime) -> list[SecuritySuspicion]:
    """What the entries of the last hour, oldest first, show. Pure."""
    shortly = [entry for entry in entries if entry.at > now - SHORTLY]
    found = (rule(entries if rule is _mass_export else shortly) for rule in _RULES)
    return [suspicion for suspicion in found if suspicion is not None]


def _bad_signatures(entries: Sequence[AuditEntry]) -> SecuritySuspicion | None:
    bad = [e for e in entries if _is(e, {"request.refused"}) and e.details.get("reason") in _BAD_SIGNATURE]
    return _many("bad_signatures", (entry.target for entry in bad), MANY_BAD_SIGNATURES)


def _bad_logins(entries: Sequence[AuditEntry]) -> SecuritySuspicion | None:
    bad = [entry for entry in entries if _is(entry, {"login.refused", "token.refused"})]
    return _many("bad_logins", (entry.target for entry in bad), MANY_BAD_LOGINS)


def _probes(entries: Sequence[AuditEntry]) -> SecuritySuspicion | None:
    """One write past the tenant wall is enough; an id that is nobody's may be an old link."""
    tries = [e for e in entries if _is(e, {"access.refused"}) and e.details.get("reason") in _PROBES]
    walls = [entry.actor.id for entry in tries if entry.details.get("reason") == "wall"]
    if walls:
        return SecuritySuspicion(rule="probes", about=walls[0], count=len(walls))
    return _many_of_one("probes", (entry.actor.id for entry in tries), MANY_PROBES)


def _mass_export(entries: Sequence[AuditEntry]) -> SecuritySuspicion | None:
    return _many_of_one("mass_export", (entry.actor.id for entry in entries if _is(entry, _EXPORTS)), MANY_EXPORTS)


def _role_used_at_once(entries: Sequence[AuditEntry]) -> SecuritySuspicion | None:
    """Roles that the system gives at an installation do not count: there, somebody must begin."""
    granted: set[str] = set()
    for entry in entries:
        _, subject, verb = entry.action.split(".")
        if entry.actor.id in granted and subject in _NEEDS_A_ROLE and verb not in _REFUSALS:
            return SecuritySuspicion(rule="role_used_at_once", about=entry.actor.id, count=1)
        if (subject, verb) == ("role", "granted") and entry.actor.type == "user":
            granted.add(entry.target)
    return None


def _many_remediations(entries: Sequence[AuditEntry]) -> SecuritySuspicion | None:
    started = [entry.target for entry in entries if _is(entry, {"effect.started"})]
    return _many("many_remediations", started, MANY_REMEDIATIONS)


def broken_glass(entries: Sequence[AuditEntry]) -> list[SecuritySuspicion]:
    """Of entries of the actions `DECISIONS`: each use is told by itself, however many there are. Pure."""
    return [
        SecuritySuspicion(rule="break_glass", about=entry.actor.id, count=1, which=f"{entry.target}:{entry.sequence}")
        for entry in entries
        if entry.action in DECISIONS and "break_glass" in entry.details
    ]


_RULES: Final[tuple[Callable[[Sequence[AuditEntry]], SecuritySuspicion | None], ...]] = (
    _bad_signatures,
    _bad_logins,
    _probes,
    _mass_export,
    _role_used_at_once,
    _many_remediations,
)


def _is(entry: AuditEntry, actions: Iterable[str]) -> bool:
    return entry.action.partition(".")[2] in actions


def _many(rule: Rule, abouts: Iterable[str], enough: int) -> SecuritySuspicion | None:
    """Counts all of them, and names the most frequent."""
    counts = Counter(abouts)
    if counts.total() < enough:
        return None
    return SecuritySuspicion(rule=rule, about=counts.most_common(1)[0][0], count=counts.total())


def _many_of_one(rule: Rule, abouts: Iterable[str], enough: int) -> SecuritySuspicion | None:
    most = Counter(abouts).most_common(1)
    return SecuritySuspicion(rule=rule, about=most[0][0], count=most[0][1]) if most and most[0][1] >= enough else None
