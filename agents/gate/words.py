"""Words as they are compared: one script of letters and digits, lower case, without endings.

Deliberately small: endings are cut the same way on both sides, so that `refused` meets `refusal` and `deployed` meets
`deployment`; identifiers fall into their parts.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from typing import Final

_TYPOGRAPHY: Final = str.maketrans(
    {
        "‘": "'",
        "’": "'",
        "“": '"',
        "”": '"',
        "–": "-",
        "—": "-",
        "−": "-",
        "\u2011": "-",
        "\u00a0": " ",
        "\u2009": " ",
        "\u202f": " ",
        "→": "->",
        "⇒": "->",
        "×": "x",
        "≈": "~",
        "…": "...",
    }
)
_WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+(?:'[a-z]+)?|[^\W\d_]+")
_IRREGULAR: Final = {
    word: base
    for base, words in {
        "rise": "rose risen",
        "fall": "fell fallen",
        "grow": "grew grown growth",
        "sink": "sank sunk",
        "shrink": "shrank shrunk",
        "go": "went gone goes",
        "take": "took taken",
        "run": "ran",
        "hold": "held",
        "keep": "kept",
        "begin": "began begun",
        "come": "came",
        "find": "found",
        "lose": "lost loss",
        "give": "gave given",
        "leave": "left",
        "spend": "spent",
        "make": "made",
        "send": "sent",
        "build": "built",
        "hit": "hits",
        "break": "broke broken",
        "freeze": "froze frozen",
        "say": "said says",
        "see": "saw seen",
        "show": "shown",
        "stand": "stood",
        "write": "wrote written",
        "know": "knew known",
        "throw": "threw thrown",
        "die": "died dying",
        "less": "least lesser",
        "latency": "latencies",
        "memory": "memories",
        "query": "queries queried",
        "retry": "retries retried",
        "library": "libraries",
        "deny": "denied denies denial",
        "empty": "emptied",
        "busy": "busier",
        "config": "configuration configured configure configurations conf",
        "time": "times timing",
        "timeout": "timeouts",
        "database": "db databases",
        "percentile": "percentiles",
        "repli": "reply replies replied",
        "cache": "caches cached caching",
        "bytes": "byte",
        "do": "did done does",
        "have": "had has",
        "be": "is are was were been being am",
        "slow": "slower slowly slowest slowness slowed",
        "fast": "faster fastest",
        "high": "higher highest",
        "low": "lower lowest lowered",
        "long": "longer longest",
        "short": "shorter shortest",
        "refuse": "refusal refusals refused refuses refusing",
        "fail": "failure failures failed fails failing failings",
        "exist": "existence",
        "delete": "deletion deletions deleted",
        "insert": "insertion insertions inserted",
        "exhaust": "exhaustion exhausted",
        "connect": "connection connections connecting connected",
        "allocate": "allocation allocations allocated",
        "saturate": "saturation saturated",
        "expire": "expiration expiry expired",
        "request": "requests requested",
        "authenticate": "authentication authenticated",
        "migrate": "migration migrations migrated",
        "replicate": "replication replicated",
        "revert": "reverted reversion",
        "miss": "missing missed",
        "decline": "declined declines",
    }.items()
    for word in (base, *words.split())
}
_ENDINGS: Final = (
    ("ization", "ize"),
    ("ments", ""),
    ("ment", ""),
    ("nesses", ""),
    ("ness", ""),
    ("ies", "y"),
    ("ings", ""),
    ("ing", ""),
    ("edly", ""),
    ("ied", "y"),
    ("ed", ""),
    ("ally", ""),
    ("ly", ""),
    ("sses", "ss"),
    ("shes", "sh"),
    ("ches", "ch"),
    ("xes", "x"),
    ("es", "e"),
    ("s", ""),
)
_SHORTEST: Final = 3


def plain(text: str) -> str:
    """One kind of quotes, dashes, blanks, arrows and digits; full width letters and superscripts resolved."""
    spread = unicodedata.normalize("NFKC", text.translate(_TYPOGRAPHY)).translate(_TYPOGRAPHY)
    kept = (c for c in spread if unicodedata.category(c) not in ("Cf", "Mn", "Cc") or c in "\n\t")
    return "".join(str(unicodedata.digit(c)) if c.isdigit() and not c.isascii() else c for c in kept)


@cache
def stem(word: str) -> str:
    """A word without its ending, lower case."""
    bare = word.lower().removesuffix("'s").strip("'")
    if bare in _IRREGULAR:
        return _IRREGULAR[bare]
    for ending, instead in _ENDINGS:
        if bare.endswith(ending) and not bare.endswith("ss") and len(bare) - len(ending) >= _SHORTEST:
            bare = bare[: len(bare) - len(ending)] + instead
            break
    if bare in _IRREGULAR:
        return _IRREGULAR[bare]
    if len(bare) > _SHORTEST and bare[-1] == bare[-2] and bare[-1] not in "lsz":
        bare = bare[:-1]
    return bare[:-1] if len(bare) > _SHORTEST + 1 and bare.endswith("e") else bare


def words_in(text: str) -> list[str]:
    """The words in their order, as they are written; identifiers fall into their parts."""
    return _WORD.findall(text.replace("_", " "))


def stems(text: str) -> list[str]:
    """The stems of all words, in their order."""
    return [stem(word) for word in words_in(plain(text))]


def stem_set(text: str) -> frozenset[str]:
    return frozenset(stems(text))
