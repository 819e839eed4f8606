"""Whether what a change touches is what broke: by the words of both, and by what it cannot have done.

Nearness in time proves little where many deploy often: of several changes before an onset most are innocent. A change
that speaks of the very thing that the evidence names fits; the rarer the shared word among the changes, the more it
says. Style sheets, wording, documents and tests do not run where requests are handled, so they fit no fault of it.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence

from agents.evidence.metrics.meaning.words import split_words
from agents.evidence.types import Anomaly, Change

LEAST_WORDS = 2  # of a change, from which its words say what it touches
STEM = 5  # letters by which `serialize` and `serialization` are one
SHORTEST = 3
_HARMLESS = re.compile(
    r"(\.(css|scss|less|svg|png|ico|md|rst|txt|html?|po|pot)$)|(^|/)(docs?|tests?|locales?|i18n|translations|__tests__)/"
    r"|(^|/)(readme|license|changelog|copying)",
    re.IGNORECASE,
)
_PLAIN_TEXT = (
    "error request service http server the and for with from not after before new old more gone line log fix feat "
    "chore refactor add tidy simplify adjust update bump extract helper main internal pkg src service app lib module "
    "package src com org test code file path warn info msg failure latency count ratio second mean total rate call "
    "this that was"
)
_PLAIN = frozenset(_PLAIN_TEXT.split())


def change_fits(changes: Sequence[Change], anomalies: Iterable[Anomaly]) -> list[float | None]:
    """Per change 0..1; None where too little is known of the change or of what broke to tell.

    Pass the anomalies of all suspects: a change is compared with what its own service and the plainest ones show.
    """
    evidence = _evidence(anomalies)
    names = {word for change in changes for word in _stems(change.service)}
    touched = [_touched(change) - names for change in changes]
    common = Counter(word for words in touched for word in words)
    found: list[float | None] = []
    for change, words in zip(changes, touched, strict=True):
        if change.paths and all(_HARMLESS.search(path) for path in change.paths):
            found.append(0.0)
        elif len(words) < LEAST_WORDS or not evidence:
            found.append(None)
        else:
            found.append(min(1.0, sum(1.0 / common[word] for word in words & evidence)))
    return found


def _evidence(anomalies: Iterable[Anomaly]) -> frozenset[str]:
    return frozenset(w for a in anomalies for w in _stems(f"{a.indicator} {a.exemplar or ''}"))


def _touched(change: Change) -> frozenset[str]:
    return frozenset(w for text in (change.summary, *change.paths) for w in _stems(text))


def _stems(text: str) -> set[str]:
    return {w[:STEM] for w in split_words(text) if len(w) >= SHORTEST and w not in _PLAIN and not w.isdigit()}
