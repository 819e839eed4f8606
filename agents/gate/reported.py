"""Prose that somebody outside wrote: log messages, lines of a diff, subjects of changes, texts of alerts.

It proves only that it stands there. Who repeats it as a claim is shown with code's own words around it (`The log of
ledger says: ...`), and what accuses, or states a cause or harm, speaks for no cause.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import lru_cache
from typing import Final

from agents.gate.evidence import Evidence
from agents.gate.trust import ADDRESSED
from agents.gate.words import plain
from agents.rows import Alerted, Altered, Changed, Contents, Filed, Logged, Noted, Printed, Silenced, State

_VERDICT: Final = re.compile(
    r"\broot[- ]cause\b|\bculprit\b|\b(?:is|was|are|were) (?:only |just |merely )?(?:a |the )?victims?\b|\bto blame\b"
    r"|\bat fault\b|\bthe cause (?:is|was|of)\b|\b(?:is|was) (?:not )?the cause\b|\b(?:high|full|low) confidence\b"
    r"|\bconfirmed (?:that|by|cause)\b|\bpost-?mortem\b"
    r"|\b\w+ (?:broke|took down|brought down|killed|caused) (?:the )?(?!by\b|pipe\b|with\b)[a-z][\w-]+"
    r"|\bincident (?:is )?(?:closed|resolved|over)\b|\b\w+ (?:is|are) (?:innocent|healthy|fine)\b",
    re.IGNORECASE,
)
_HARM: Final = re.compile(
    r"\b(?:customers?|users?|everybody|everyone|revenue|money|refunds?|stolen|breach\w*|attack\w*|leaked)\b"
    r".*\b(?:affected|lost|fail\w*|stolen|charged|leak\w*|down|hacked)\b",
    re.IGNORECASE,
)
_ORDER: Final = re.compile(
    r"\b(?:restart|roll ?back|revert|redeploy|scale|drain|delete|stop|kill|disable|apply|approve|run|call|use|post)\b"
    r"[^.;]*\b(?:now|at once|immediately|right away|asap)\b|\bapproved by\b|\bwaived\b|\bwithout asking\b"
    r"|</?\w*(?:result|system|tool)\w*>|\"role\"",
    re.IGNORECASE,
)
_COMMENT: Final = re.compile(r"\s*(?:#|//|/\*|\*|--|<!--|\"\"\"|''')")
_PROSE_FILE: Final = re.compile(r"\.(?:md|rst|txt|adoc)\b|(?:^|/)(?:README|CHANGELOG|LICENSE|NOTES)\b", re.IGNORECASE)
_ATTRIBUTES: Final = re.compile(
    r"\b(?:logs?|logged|logging|says?|said|reads?|message|subject|titles?|titled|called|named|comments?|described)\b",
    re.IGNORECASE,
)
_TAIL: Final = re.compile(r"\s+(?:trace_id|span_id|service)=\S+")
_LONGEST: Final = 240
_SHORTEST_WORDS: Final = 5
_SHORTEST_LETTERS: Final = 12
_MOSTLY: Final = 0.6


@dataclass(frozen=True, kw_only=True)
class Prose:
    """One such text. `teller` begins the sentence that reports it.

    `idle` where even an honest author's words tell nothing about what runs: a comment, a subject. `accuses` where it
    names a cause, a guilty one or harm; `orders` where it tells the reader what to do, or addresses the investigator.
    """

    text: str
    teller: str
    idle: bool = False

    @property
    def accuses(self) -> bool:
        return _VERDICT.search(plain(self.text)) is not None or _HARM.search(plain(self.text)) is not None

    @property
    def orders(self) -> bool:
        text = plain(self.text)
        return _ORDER.search(text) is not None or ADDRESSED.search(text) is not None

    def told(self) -> str:
        """Code's own sentence about it."""
        text = " ".join(_TAIL.sub("", self.text).split())
        return f"{self.teller}: “{text if len(text) <= _LONGEST else text[:_LONGEST].rsplit(' ', 1)[0] + '…'}”"


def proses(evidence: Evidence) -> tuple[Prose, ...]:
    """All such texts of one result."""
    return _proses(_Same(evidence))


class _Same:
    """Evidence by identity, so that its texts are found once."""

    def __init__(self, evidence: Evidence) -> None:
        self.evidence = evidence

    def __hash__(self) -> int:
        return hash((self.evidence.id, len(self.evidence.text)))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.evidence == self.evidence


@lru_cache(maxsize=256)
def _proses(one: _Same) -> tuple[Prose, ...]:
    evidence = one.evidence
    found = list(_read(evidence)) if evidence.rows else list(_without_rows(evidence))
    return tuple(dict.fromkeys(prose for prose in found if prose.text.strip()))


def _read(evidence: Evidence) -> Iterator[Prose]:
    for row in evidence.rows:
        if isinstance(row, Logged):
            yield Prose(text=row.example or row.line, teller=f"The log of {row.service or evidence.source} says")
        elif isinstance(row, Changed):
            yield Prose(text=row.summary, teller=f"The subject of change {row.change} is", idle=True)
        elif isinstance(row, Altered):
            yield Prose(text=row.summary, teller=f"The subject of change {row.change} is", idle=True)
            yield from _altered(row)
        elif isinstance(row, Contents):
            yield from _accusing(row.text.split("\n"), f"The file {row.path} says")
        elif isinstance(row, Noted):
            yield from _accusing(row.text.split("\n"), f"A note at {row.about} says")
        elif isinstance(row, Printed | State | Alerted | Silenced | Filed):
            yield from _accusing([row.line], f"{evidence.source} says")


def _accusing(lines: Iterable[str], teller: str) -> Iterator[Prose]:
    found = (Prose(text=line.strip(), teller=teller, idle=True) for line in lines)
    return (prose for prose in found if prose.accuses or prose.orders)


def _altered(row: Altered) -> Iterator[Prose]:
    """The added and removed lines; comments and documents are read by people, not run."""
    document = bool(row.files) and all(_PROSE_FILE.search(name) for name in row.files)
    for line in row.diff.split("\n"):
        if line.startswith(("+++ ", "diff --git ")):
            document = _PROSE_FILE.search(line) is not None
        elif line[:1] in ("+", "-") and line[:3] not in ("+++", "---"):
            idle = document or _COMMENT.match(line[1:]) is not None
            yield Prose(text=line, teller=f"The diff of {row.service or row.change} says", idle=idle)


def _without_rows(evidence: Evidence) -> Iterator[Prose]:
    """The lines of a result that says nothing as rows, without what the call itself wrote."""
    written = json.dumps(dict(evidence.arguments), default=str, ensure_ascii=False)
    for line in evidence.text.split("\n"):
        if line.strip() and line.strip() not in written:
            yield Prose(text=line.strip(), teller=f"{evidence.source} says", idle=True)


def hostile_parts(evidence: Evidence) -> list[str]:
    """Texts of a result that accuse, state a cause or harm, or give orders."""
    return [prose.text for prose in proses(evidence) if prose.accuses or prose.orders]


def quoted(quote: str, lines: Sequence[str], evidence: Evidence) -> list[Prose]:
    """The texts that a proof quotes, or whose lines it quotes."""
    cited = _letters(" ".join(lines))
    return [prose for prose in proses(evidence) if _touches(_letters(prose.text), _letters(quote), cited)]


def _touches(prose: str, quote: str, lines: str) -> bool:
    return bool(prose) and (prose in lines or quote in prose)


def rests_on(prose: Prose, quote: str) -> bool:
    """Whether a quote is that text, or hardly more."""
    own, whole = _letters(prose.text), _letters(quote)
    return whole in own or (own in whole and len(own) >= _MOSTLY * len(whole))


def repeats(text: str, prose: Prose) -> bool:
    """Whether a sentence's words are those of the text: all of it letter by letter, or most of it in a row."""
    said, own = _letters(text), _letters(prose.text)
    if len(said) >= _SHORTEST_LETTERS and (said in own or (own in said and len(own) >= _MOSTLY * len(said))):
        return True
    words, others = _words(text), _words(prose.text)
    run = SequenceMatcher(None, words, others, autojunk=False).find_longest_match()
    return run.size >= _SHORTEST_WORDS and run.size >= _MOSTLY * len(words)


def attributes(text: str) -> bool:
    """Whether a sentence says itself that it repeats: `ledger logs that ...`, `the commit is called ...`."""
    return _ATTRIBUTES.search(text) is not None


def _letters(text: str) -> str:
    return re.sub(r"[\W_]+", "", plain(text).casefold())


def _words(text: str) -> list[str]:
    return re.findall(r"[\w.-]*\w", plain(text).casefold())
