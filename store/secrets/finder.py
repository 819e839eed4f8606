"""Finds secrets and personal numbers in a text. Spans hold the secret alone, so that the text around stays readable.

One pass for the cues of all rules tells which of them can apply; only those are then run. A long text is looked at in
blocks, each with its surroundings, so that a rule costs where it applies and nowhere else. The set always matches its
empty expression: an answer without it means that the pass itself failed, and then nothing passes.
"""

from collections.abc import Iterable, Iterator
from typing import Final

import re2

from store.secrets import carriers, commands, encoded, neighbours, numbers, pairs, people, private_keys, vendors
from store.secrets import contacts as secret_contacts
from store.secrets.cue import cue_of
from store.secrets.formats import CUES, DRAWN, FORMATS
from store.secrets.pairs import SecretRule, TextSpan

_BLOCK: Final = 2_048
_LONGEST_CUE: Final = 128


def find_secrets(text: str, *, contacts: bool = False) -> list[TextSpan]:
    """All that is found, in no order; spans may overlap. `contacts` are people's addresses and telephone numbers.

    Raises RuntimeError when it could not look.
    """
    if len(text) <= 2 * _BLOCK:
        return [span for rule in _rules_for(text, contacts=contacts) for span in rule.find(text)]
    spans: list[TextSpan] = []
    at = 0
    while at < len(text):
        cut = text.rfind("\n", at, at + _BLOCK) + 1
        until = cut or at + _BLOCK
        found = [
            span
            for rule in _rules_for(text[at : until if cut else until + _LONGEST_CUE], contacts=contacts)
            for span in _find_around(rule, text, at, until)
        ]
        spans += found
        at = max([until, *(span.end for span in found if span.start < until)])
    return spans


def _find_plain(text: str) -> Iterator[TextSpan]:
    """Without another look into base64."""
    return (span for rule in _rules_for(text) if rule is not _DECODING for span in rule.find(text))


def _find_around(rule: SecretRule, text: str, at: int, until: int) -> list[TextSpan]:
    """What the rule finds in a block and its surroundings. What reaches the end of these is looked at again in wider
    ones; what seems to begin where they begin was cut, and is found from the block before.
    """
    start = max(0, at - rule.reach)
    reach = rule.reach
    while True:
        stop = until + reach
        spans = [TextSpan(start + span.start, start + span.end, span.kind) for span in rule.find(text[start:stop])]
        if stop >= len(text) or all(span.end < stop for span in spans):
            return [span for span in spans if span.start > start or not start]
        reach *= 4


def _rules_for(text: str, *, contacts: bool = False) -> list[SecretRule]:
    """In their order, so that the more telling kind comes first."""
    hits = _SET.Match(text.encode())
    if _ALWAYS not in hits:
        raise RuntimeError("the pass over the text failed")
    last = _ALWAYS if contacts else _ALWAYS - len(secret_contacts.RULES)
    return [_RULES[hit] for hit in sorted(hits) if hit < last]


def _of_format(kind: str, forms: tuple[str, ...]) -> SecretRule:
    expression = re2.compile("|".join(f"(?:{form})" for form in forms))

    def find(text: str) -> Iterator[TextSpan]:
        for found in expression.finditer(text):
            if kind not in DRAWN or not found[0].islower():
                yield TextSpan(found.start(), found.end(), kind)

    return SecretRule(CUES.get(kind) or "|".join(map(cue_of, forms)), find)


_PLAIN_RULES: Final = (
    *(_of_format(kind, forms) for kind, forms in FORMATS.items()),
    *private_keys.RULES,
    *carriers.RULES,
    *pairs.RULES,
    *neighbours.RULES,
    *commands.RULES,
    *vendors.RULES,
    *numbers.RULES,
    *people.RULES,
)
_DECODING: Final = encoded.decoding(_find_plain)
_RULES: Final = (*_PLAIN_RULES, _DECODING, *secret_contacts.RULES)
_ALWAYS: Final = len(_RULES)


def _set_of(rules: Iterable[SecretRule]) -> "re2.Set":
    options = re2.Options()
    options.max_mem = 64 << 20
    options.log_errors = False
    expressions = re2.Set.SearchSet(options)
    for rule in rules:
        expressions.Add(rule.cue)
    expressions.Add("")  # _ALWAYS
    expressions.Compile()
    return expressions


_SET: Final = _set_of(_RULES)
