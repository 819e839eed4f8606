"""A typed row as a colleague says it: one sentence, with units, in mrkdwn. The row's own line stands in Details.

What is shown of a finding is made here from the row that code stored, never from the line that a model read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from agents.english import possessive
from agents.rows import (
    Alerted,
    Altered,
    Began,
    Changed,
    Filed,
    Logged,
    Moved,
    Row,
    Searched,
    Silenced,
    Spent,
    State,
    Suspect,
    Traced,
)
from agents.rows.stored import rows_of
from agents.verdict import Claim, Symptom
from handlers.slack.blocks import text as t
from store.incidents.artifacts import Artifact

_UNITS: Final[Mapping[str, t.Unit]] = {"ratio": "ratio", "s": "seconds", "bytes": "bytes", "seconds": "seconds"}
_STATISTIC: Final = re.compile(r"\s*\b(mean|p\d{2}|q0\.\d+)$")
_ERRORS: Final = re.compile(r"^error (?:ratio|rate)\s*")
_LATENCY: Final = re.compile(r"^latency\s*")
_TRACE: Final = re.compile(r"^(?:trace|log):\s*")
_AT: Final = {"mean": "on average", "p95": "at the 95th percentile", "p99": "at the 99th percentile"}
_NEW: Final = {"new": "a new error", "grown": "an error more often", "vanished": "no more", "seen": ""}
_PLUS: Final = re.compile(r"^\+\+\+ (?:b/)?(.+)$")
_LOUD: Final = frozenset(("error", "critical", "fatal", "alert", "emergency", "severe", "panic"))


@dataclass(frozen=True, kw_only=True)
class ClaimWithRow:
    """A claim with the row that it stands on. `row` is None where its artifact has no such row."""

    claim: Claim
    row: Row | None
    link: str | None

    @property
    def genuine(self) -> str:
        """A line that a program or a person wrote, to the letter: of a log or of a diff."""
        if isinstance(self.row, Logged):
            return self.row.example
        return self.claim.quote or "" if isinstance(self.row, Altered) else ""


def trace_back(claims: Iterable[Claim], artifacts: Sequence[Artifact], links: Mapping[str, str]) -> list[ClaimWithRow]:
    """Each claim with its row; `links` are addresses of whole artifacts."""
    rows = {f"A{artifact.number}": rows_of(artifact.facts) for artifact in artifacts}
    found = []
    for claim in claims:
        row = next((one for one in rows.get(claim.artifact or "", ()) if _bears(one, claim.quote or "")), None)
        link = (row.link if row else None) or links.get(claim.artifact or "")
        found.append(ClaimWithRow(claim=claim, row=row, link=link))
    return found


def changes_in(artifacts: Sequence[Artifact]) -> list[Changed]:
    """Every change that was related to the onset, the newest result first."""
    return [row for one in reversed(artifacts) for row in rows_of(one.facts) if isinstance(row, Changed)]


def say(row: Row) -> str:  # noqa: PLR0911 - one sentence a kind of row
    """Mrkdwn without a full stop; empty where a row of this kind is no sentence of its own."""
    match row:
        case Moved():
            return measured(row.service, row.indicator, _unit(row.unit), row.before, row.now, peer=row.peer)
        case Logged():
            return _logged(row)
        case Changed():
            return f"{change_name(row)} was deployed{_age(row)}" if row.kind == "deployment" else _changed(row)
        case Spent():
            return _spent(row)
        case Began():
            return f"It began at {t.clock(row.at)}, give or take {t.duration(row.within_s)}"
        case Suspect():
            return _suspect(row)
        case State() | Alerted() | Silenced() | Filed():
            return _stood(row)
        case Traced():
            failed = f", failed in {t.listing(row.failed_in, most=3)}" if row.failed_in else ""
            return f"One {t.prose(row.operation, 80)} took {t.measure(row.lasted_s, 'seconds')}{failed}"
        case Searched() if not row.found:
            return _absent(row)
        case _:
            return ""


def _stood(row: State | Alerted | Silenced | Filed) -> str:
    """What was so at the moment of the look."""
    match row:
        case Alerted():
            kept = "" if row.state == "firing" else f", {t.prose(row.state, 20)}"
            return f"{t.prose(row.name, 80)} of {t.prose(row.service, 60)} fires since {t.clock(row.since)}{kept}"
        case Silenced():
            return f"{t.prose(', '.join(row.matchers), 120)} is silenced until {t.day_minute(row.until)}"
        case Filed():
            times = f", {t.plural(row.count, 'time')}" if row.count else ""
            since = f" since {t.clock(row.first)}" if row.first else ""
            return f"{t.prose(f'{row.kind} {row.title}', 120)} of {t.prose(row.service, 60)}: {row.state}{since}{times}"
        case _:
            return f"{t.prose(f'{row.service} {row.name}'.strip(), 80)}: {t.prose(row.value, 80)}"


def say_symptom(symptom: Symptom, *, whose: str = "") -> str:
    """What customers suffer, in the present tense: `52% of checkout's /pay requests fail (0% before)`.

    `whose` may be `its`, where the service is named just before.
    """
    indicator, _, peer = symptom.indicator.partition("->")
    said = measured(symptom.service, indicator, symptom.unit, symptom.before, symptom.now, peer=peer)
    return said.replace(t.prose(possessive(symptom.service), 60), whose, 1) if whose else said


def measured(service: str, indicator: str, unit: t.Unit, before: float, now: float, *, peer: str = "") -> str:
    """An indicator that moved, as people say it. Mrkdwn."""
    name, statistic = _split(indicator)
    whose = t.prose(possessive(service), 60)
    was, at = t.measure(before, unit), t.measure(now, unit)
    if unit == "ratio" and _ERRORS.match(name):
        route = t.prose(_ERRORS.sub("", name), 60)
        what = f"calls to {t.prose(peer, 60)}" if peer else f"{route} requests" if route else "requests"
        return f"{at} of {whose} {what} fail ({was} before)"
    if unit == "seconds" and _LATENCY.match(name):
        route = t.prose(_LATENCY.sub("", name), 60)
        what = f"{whose} calls to {t.prose(peer, 60)}" if peer else f"{whose} {route or 'answers'}"
        how = f" {_AT.get(statistic, statistic)}" if statistic else ""
        return f"{what} take{'' if peer or not route else 's'} {at}{how} ({was} before)"
    if name in ("requests rate", "calls rate") and unit in ("per_second", "count"):
        to = f"{whose} calls to {t.prose(peer, 60)}" if peer else f"{whose} requests"
        return f"{to}: {t.measure(now, 'per_second')} ({t.measure(before, 'per_second')} before)"
    if name == "restarts":
        return f"{t.prose(service, 60)} restarted {_times(now)} ({t.number(before)} before)"
    of = f" of calls to {t.prose(peer, 60)}" if peer else ""
    return f"{whose} {t.prose(_TRACE.sub('', indicator).replace('_', ' '), 80)}{of}: {at} ({was} before)"


def measured_thing(service: str, indicator: str, unit: t.Unit) -> str:
    """The name of an indicator, for a change from one value to another: `checkout /pay errors`. Without a `service` it
    stands where that was named before.
    """
    indicator, _, peer = indicator.partition("->")
    name, statistic = _split(indicator)
    to = f" calls to {t.prose(peer, 60)}" if peer else ""
    where = f"{t.prose(service, 60)}{to}".strip()
    if unit == "ratio" and _ERRORS.match(name):
        return " ".join(filter(None, (where, t.prose(_ERRORS.sub("", name), 60), "errors")))
    if unit == "seconds" and _LATENCY.match(name):
        return " ".join(filter(None, (where, t.prose(_LATENCY.sub("", name), 60), "latency", statistic)))
    return f"{where} {t.prose(indicator.replace('_', ' '), 60)}".strip()


def change_name(row: Changed) -> str:
    """`4f2a91c of checkout`."""
    version = t.prose(t.version(row.version) or row.change, 40)
    return f"{version} of {t.prose(row.service, 60)}" if row.service else version


def ahead(row: Changed) -> str:
    """How long before it began, or that it came after. Empty where that is not known."""
    if row.before_onset_s is None:
        return ""
    seconds = round(row.before_onset_s)
    if seconds == 0:
        return "as it began"
    return f"{t.duration(abs(seconds))} {'before' if seconds > 0 else 'after'} it began"


def diff_line(row: Altered, line: str, *, quoted: bool = True) -> str:
    """`15de768 added to services/pay/config.toml`, for the line that is quoted after it; else what it changed."""
    path = _path_of(row.diff, line)
    if not quoted:
        return f"{t.prose(t.version(row.to_version), 40) or 'The change'} changed {t.prose(path, 80) or 'it'}"
    verb = "removed from" if line.startswith("-") else "added to"
    version = t.prose(t.version(row.to_version), 40) or "the change"
    return f"{version} {verb} {t.prose(path, 80)}" if path else f"{version} {verb[:-3].strip()}"


def _bears(row: Row, quote: str) -> bool:
    if not quote:
        return False
    if isinstance(row, Logged) and (quote in row.example or (row.example and row.example.rstrip("…") in quote)):
        return True
    if isinstance(row, Altered) and quote in row.diff:
        return True
    return bool(row.line) and (row.line == quote or row.line in quote or (len(quote) > 20 and quote in row.line))


def _unit(unit: str) -> t.Unit:
    return _UNITS.get(unit, "per_second" if unit.endswith("/s") else "count")


def _split(indicator: str) -> tuple[str, str]:
    """Its name and, where it ends with one, the statistic."""
    words = " ".join(indicator.replace("_", " ").split())
    found = _STATISTIC.search(words)
    return (words[: found.start()], found[1]) if found else (words, "")


def _times(count: float) -> str:
    return "once" if count == 1 else f"{t.number(count, digits=0)} times"


def _logged(row: Logged) -> str:
    who = t.prose(row.service, 60) or "A program"
    since = f" since {t.clock(row.first)}" if row.first and row.shift == "new" else ""
    often = f", {_times(row.count)}" if row.count > 1 else ""
    if row.shift == "vanished":
        return f"{who} stopped logging what it logged before"
    what = (
        _NEW[row.shift]
        if row.level.lower() in _LOUD or row.shift == "seen"
        else _NEW[row.shift].replace("error", "line")
    )
    return f"{who} logs {what}{since}{often}" if what else f"{who} logged{often}"


def _changed(row: Changed) -> str:
    return f"{t.prose(row.kind, 30)} {change_name(row)} was changed{_age(row)}"


def _age(row: Changed) -> str:
    told = ahead(row)
    return f" {told}" if told else f" at {t.clock(row.at)}"


def _suspect(row: Suspect) -> str:
    words = {"errors": "errors", "latency": "slow answers", "dependency latency": "slow calls"}
    family = row.family.replace("_", " ")
    words_of = {**words, "dependency errors": "failing calls", "traffic": "more requests"}
    return f"{t.prose(row.service, 60)} has {words_of.get(family, t.prose(family, 40))} too"


def _spent(row: Spent) -> str:
    if row.now_s is None:
        return ""
    whose = f"{t.prose(possessive(row.service), 60)} requests" if row.service else "Requests"
    before = f" ({t.measure(row.before_s, 'seconds')} before)" if row.before_s is not None else ""
    most = ", most of the time that was added" if row.most else ""
    part = t.prose(row.part, 60)
    return f"{whose} spend {t.measure(row.now_s, 'seconds')} on {part}{before}{most}"


def _absent(row: Searched) -> str:
    asked = f" with {t.listing([f'{k} {v}' for k, v in row.wanted.items()], most=3, limit=60)}" if row.wanted else ""
    where = f" of {t.prose(row.service, 60)}" if row.service else ""
    between = f" between {t.minute(row.start)} and {t.minute(row.end)}" if row.start and row.end else ""
    return f"No {t.prose(row.what, 80)}{where}{asked}{between}"


def _path_of(diff: str, line: str) -> str:
    path = ""
    for one in diff.splitlines():
        if found := _PLUS.match(one):
            path = found[1]
        elif one == line or (line and line in one):
            return path
    return ""
