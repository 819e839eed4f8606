"""Which masked forms are one template: forms with the same punctuation that differ in one place, or in rare words only.

Words in one place are values when they look like names of things (a dot, a slash, a number inside), when they stand
after `=`, or when there are many of them. Words of failure, verbs, constants and the first word of a line say what
happened: they are kept apart.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence

from agents.evidence.logs.miner.masking import WILD

Row = tuple[str, ...]
Places = frozenset[int]
MANY = 4  # different plain words in one place that make it a value
MAX_ROWS = 500
RARE = 3  # forms that share all but words which occur once

_SEPARATORS = re.compile(r"([\s=:,;()\[\]{}\"'|]+)")
_NAME = re.compile(r"<\*>|[./@#\\+]|\w_\w|\d|[^\x00-\x7f]")
_CONSTANT = re.compile(r"(?:^|\W)(?:[A-Z][A-Z_]+|(?i:true|false|null|none|nil|yes|no|on|off|ok))$")
_FAILURE = re.compile(r"(?i:error|fail|fatal|success|denied|refused|timed|invalid|lost|reject|abort|panic|exceed|warn)")
_VERB = re.compile(r"[A-Za-z]{2,}(?:ed|ing)")
_FUNCTION = re.compile(r"[A-Za-z_]\w*")
_ROLE = re.compile(
    r"(?i:user|username|account|host|hostname|node|device|interface|driver|process|thread|module|program|file|directory"
    r"|table|topic|queue|job|task|pod|container|image|volume|name|named|called)"
)
_KEY_END = re.compile(r"[\"']?\s?[=:(]")
_QUOTES = ('"', "'")


def take_apart(form: str) -> tuple[Row, Row]:
    """The words of a form and the separators between them (one fewer)."""
    parts = _SEPARATORS.split(form)
    return tuple(parts[::2]), tuple(parts[1::2])


def put_together(words: Row, separators: Row) -> str:
    """The reverse of `take_apart`."""
    parts = [""] * (len(words) + len(separators))
    parts[::2], parts[1::2] = words, separators
    return "".join(parts)


def merge(rows: Iterable[Row], separators: Row) -> dict[Row, Row]:
    """Each row to the row that it became, at most `MAX_ROWS` different ones. Independent of the order of the rows."""
    now = {row: row for row in rows}
    while len(live := list(dict.fromkeys(now.values()))) > 1:
        columns = [frozenset(column) for column in zip(*live, strict=True)]
        varied = [place for place, words in enumerate(columns) if len(words) > 1]
        moved = _differ_in_one_place(live, varied, separators) or _differ_in_rare_words(live, varied, separators)
        if not moved and len(live) > MAX_ROWS:
            widest = max(varied, key=lambda place: (len(columns[place]), -place))
            moved = {row: _with_wild(row, widest) for row in live if row[widest] != WILD}
        if not moved:
            break
        now = {row: moved.get(current, current) for row, current in now.items()}
    return now


def may_join(word: str, place: int, row: Row, separators: Row) -> bool:
    """Whether a row with this word where `row` has a wild place would be merged into it."""
    return word in _values_among((word, WILD), place, row, separators)


def changed_places(row: Row, became: Row) -> Places:
    """Where a merged row differs from what it was."""
    return frozenset(place for place, (old, new) in enumerate(zip(row, became, strict=True)) if old != new)


def _differ_in_one_place(live: Sequence[Row], varied: Sequence[int], separators: Row) -> dict[Row, Row]:
    sums = [sum([hash((place, row[place])) for place in varied]) for row in live]
    moved: dict[Row, Row] = {}
    for place in varied:
        rest: dict[int, list[Row]] = defaultdict(list)  # rows by what is left when this place is taken out
        for row, total in zip(live, sums, strict=True):
            rest[total - hash((place, row[place]))].append(row)
        for alike in rest.values():
            if len(alike) > 1:
                values = _values_among({row[place] for row in alike}, place, alike[0], separators)
                moved.update(
                    (row, _with_wild(row, place)) for row in alike if row[place] in values and row not in moved
                )
    return moved


def _differ_in_rare_words(live: Sequence[Row], varied: Sequence[int], separators: Row) -> dict[Row, Row]:
    if len(live) < RARE:
        return {}
    seen = {place: Counter(row[place] for row in live) for place in varied}
    rest: dict[Row, list[Row]] = defaultdict(list)
    for row in live:
        words = list(row)
        for place in varied:
            if seen[place][row[place]] == 1 and not _says_what_happened(row[place]):
                words[place] = WILD
        rest[tuple(words)].append(row)
    moved = {}
    for joined, alike in rest.items():
        wild = [place for place in varied if any(row[place] != joined[place] for row in alike)]
        fixed = sum(word != WILD and any(map(str.isalpha, word)) for word in joined)
        if len(alike) < RARE or fixed < len(wild):
            continue
        columns = [{row[place] for row in alike} for place in wild]
        if all(
            _values_among(words, place, joined, separators) >= words - {WILD}
            for words, place in zip(columns, wild, strict=True)
        ):
            moved.update({row: joined for row in alike if row != joined})
    return moved


def _says_what_happened(word: str) -> bool:
    return bool(_FAILURE.search(word) or _VERB.fullmatch(word))


def _with_wild(row: Row, place: int) -> Row:
    return (*row[:place], WILD, *row[place + 1 :])


def _values_among(words: Collection[str], place: int, row: Row, separators: Row) -> set[str]:
    """Those words in one place, the rest of the row being the same, that are values."""
    if not any(map(str.isalpha, "".join((*row[:place], *row[place + 1 :])))):
        return set()
    held = WILD in words
    plain = {word for word in words if word != WILD and not _FAILURE.search(word)}
    if len(plain) < 2 * MANY:
        plain = {word for word in plain if not _VERB.fullmatch(word)}
    if len(plain) + held < 2 or (not held and all(not word or _CONSTANT.search(word) for word in plain)):
        return set()
    named = all(_NAME.search(word) for word in plain)
    if not named and place < len(separators) and _KEY_END.match(separators[place]):
        return set()
    if not any(map(str.isalpha, "".join(row[:place]))) and all(map(_FUNCTION.fullmatch, plain)):
        enough = len(plain) >= 2 * MANY
    else:
        enough = named or held or len(plain) >= MANY or _introduced(place, row, separators)
    return plain if enough else set()


def _introduced(place: int, row: Row, separators: Row) -> bool:
    """A word after `key=` is a value, and one between quotes, and one after a word like "user"."""
    if place == 0:
        return False
    before = separators[place - 1]
    if before.endswith(_QUOTES):
        return place == len(separators) or separators[place].startswith(_QUOTES)
    return "=" in before or (before == " " and bool(_ROLE.fullmatch(row[place - 1])))
