"""Whether what a change touches is what broke: by the words of both, and by what it cannot have done.

Nearness in time proves little where many deploy often: of several changes before an onset most are innocent. A change
that speaks of the very thing that the evidence names fits; the rarer the shared word among the changes, the more it
says. Style sheets, wording, documents and tests do not run where requests are handled, so they fit no fault of it.

A stack trace names the file that failed: who changed it fits before all others. What ran out on its own clock, as a
certificate does, was set when it was issued; only a change of such material fits it. What callers say of a service
names what they asked for and not what broke in it, so a service's own words count where it has any.
"""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta

from agents.evidence.logs.templates import is_error_like
from agents.evidence.metrics.meaning import read_name
from agents.evidence.metrics.meaning.words import split_words
from agents.evidence.types import Anomaly, Change, LogLine

LEAST_WORDS = 2  # of a change, from which its words say what it touches
STEM = 5  # letters by which `serialize` and `serialization` are one
SHORTEST = 3
ROUGHLY_S = 120.0  # by which an onset may be late
_HARMLESS = re.compile(
    r"(\.(css|scss|less|svg|png|ico|md|rst|txt|html?|po|pot)$)|(^|/)(docs?|tests?|locales?|i18n|translations|__tests__)/"
    r"|(^|/)(readme|license|changelog|copying)",
    re.IGNORECASE,
)
_SOURCE = re.compile(
    r"(?<![\w./-])[\w./-]*?([\w-]+\.(?:py|js|ts|tsx|jsx|mjs|go|java|kt|scala|rb|rs|cs|fs|php|swift|cpp|cc|c|ex|erl|pl))"
    r"(?=[\"':,)\]\s(]|$)"
)
_RAN_OUT = re.compile(
    r"(certificate|x509|\bcert\b).{0,80}(expired|not yet valid)|(expired|not yet valid).{0,30}certificate",
    re.IGNORECASE,
)
_ISSUED = re.compile(
    r"(\.(pem|crt|cer|key|p12|pfx|jks)$)|certificates?\b|\bcerts?\b|\bissuers?\b|secret|keystore|truststore",
    re.IGNORECASE,
)
_PLAIN_TEXT = (
    "error request service http server the and for with from not after before new old more gone line log fix feat "
    "chore refactor add tidy simplify adjust update bump extract helper main internal pkg src service app lib module "
    "package src com org test code file path warn info msg failure latency count ratio second mean total rate call "
    "this that was"
)
_PLAIN = frozenset(_PLAIN_TEXT.split())


def weigh_changes(
    changes: Sequence[Change], anomalies: Iterable[Anomaly], failed_in: Collection[str] = ()
) -> list[float | None]:
    """Per change 0..1; None where too little is known of the change or of what broke to tell.

    A change is compared with what its own service shows, and with what others do where that shows nothing.
    `failed_in` are names of source files in which something failed, as stack traces tell.
    """
    anomalies = list(anomalies)
    contradicted = cannot_have_done_it(changes, anomalies)
    evidence = {change.service: _evidence(a for a in anomalies if a.service == change.service) for change in changes}
    anywhere = _evidence(anomalies)
    names = {word for change in changes for word in _stems(change.service)}
    touched = [_touched(change) - names for change in changes]
    common = Counter(word for words in touched for word in words)
    found: list[float | None] = []
    for change, words, out in zip(changes, touched, contradicted, strict=True):
        shown = evidence[change.service] or anywhere
        if out:
            found.append(0.0)
        elif failed_in and any(path.rsplit("/", 1)[-1] in failed_in for path in change.paths):
            found.append(1.0)
        elif len(words) < LEAST_WORDS or not shown:
            found.append(None)
        else:
            found.append(min(1.0, sum(1.0 / common[word] for word in words & shown)))
    return found


def _harmless(change: Change) -> bool:
    return bool(change.paths) and all(_HARMLESS.search(path) for path in change.paths)


def _issued(change: Change) -> bool:
    """Whether it touches certificates or the like."""
    return any(_ISSUED.search(text) for text in (change.summary, *change.paths))


def cannot_have_done_it(changes: Sequence[Change], anomalies: Iterable[Anomaly]) -> list[bool]:
    """Per change whether it touches only what does not run, or another thing than what ran out by itself."""
    ran_out = any(_ran_out(a) for a in anomalies)
    return [_harmless(change) or (ran_out and not _issued(change)) for change in changes]


def source_files(lines: Iterable[LogLine], onset: datetime) -> frozenset[str]:
    """Names of source files that errors since the onset name, in their text or fields, and none well before it did."""
    before, after = set[str](), set[str]()
    since = onset - timedelta(seconds=ROUGHLY_S)
    for line in lines:
        if is_error_like(line.level, line.text):
            named = {m.group(1) for text in (line.text, *line.fields.values()) for m in _SOURCE.finditer(text)}
            (after if line.time >= since else before).update(named)
    return frozenset(after - before)


def _ran_out(anomaly: Anomaly) -> bool:
    """Whether it tells of a certificate past its end: by its words, or by the time that is left of it."""
    if anomaly.exemplar and _RAN_OUT.search(anomaly.exemplar):
        return True
    return anomaly.source == "metrics" and anomaly.current <= 0 and read_name(anomaly.indicator).kind == "certificate"


def _evidence(anomalies: Iterable[Anomaly]) -> frozenset[str]:
    return frozenset(w for a in anomalies for w in _stems(f"{a.indicator} {a.exemplar or ''}"))


def _touched(change: Change) -> frozenset[str]:
    return frozenset(w for text in (change.summary, *change.paths) for w in _stems(text))


def _stems(text: str) -> set[str]:
    return {w[:STEM] for w in split_words(text) if len(w) >= SHORTEST and w not in _PLAIN and not w.isdigit()}
