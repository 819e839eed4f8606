"""Which masked forms are one template: forms with the same punctuation that differ in one place, or in rare words only.

Words in one place are values when they look like names of things (a dot, a slash, a number inside), when they stand
after `=`, or when there are many of them. Words of failure, verbs, constants and the first word of a line say what
happened: they are kept apart.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence

from agents.evidence.miner.masking import WILD

Row = tuple[str, ...]
MANY = 4  # different plain words in one place that make it a value
RARE = 3  # forms that share all but words which occur once

_SEPARATORS = re.compile(r"([\s=:,;()\[\]{}\"|]+)")
_NAME = re.compile(r"<\*>|[./@#\\+]|\w_\w|\d|[^\x00-\x7f]")
_CONSTANT = re.compile(r"(?:^|\W)(?:[A-Z][A-Z_]+|(?i:true|false|null|none|nil|yes|no|on|off|ok))$")
_EVENT = re.compile(
    r"(?i:error|fail|fatal|success|denied|refused|timed|invalid|lost|reject|abort|panic|exceed|warn)"
    r"|^[A-Za-z]{2,}(?:ed|ing)$"
)
_FUNCTION = re.compile(r"[A-Za-z_]\w*")
_ROLE = re.compile(
    r"(?i:user|username|account|host|hostname|node|device|interface|driver|process|thread|module|program|file|directory"
    r"|table|topic|queue|job|task|pod|container|image|volume|name|named|called)"
)
_KEY_END = re.compile(r"\s?[=:(]")


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
    """Each row to the row that it became. Independent of the order of the rows."""
    now = {row: row for row in rows}
    while len(live := list(dict.fromkeys(now.values()))) > 1:
        columns = list(zip(*live, strict=True))
        varied = [place for place, column in enumerate(columns) if column.count(column[0]) != len(column)]
        moved = _differ_in_one_place(live, varied, separators) or _differ_in_rare_words(live, varied, separators)
        if not moved:
            break
        now = {row: moved.get(current, current) for row, current in now.items()}
    return now


def _differ_in_one_place(live: Sequence[Row], varied: Sequence[int], separators: Row) -> dict[Row, Row]:
    sums = [sum([hash((place, row[place])) for place in varied]) for row in live]
    moved: dict[Row, Row] = {}
    for place in varied:
        rest: dict[int, list[Row]] = defaultdict(list)  # rows by what is left when this place is taken out
        for row, total in zip(live, sums, strict=True):
            rest[total - hash((place, row[place]))].append(row)
        for alike in rest.values():
            if len(alike) > 1 and _are_values({row[place] for row in alike}, place, alike[0], separators):
                joined = (*alike[0][:place], WILD, *alike[0][place + 1 :])
                for row in alike:
                    moved.setdefault(row, joined)
    return {row: joined for row, joined in moved.items() if row != joined}


def _differ_in_rare_words(live: Sequence[Row], varied: Sequence[int], separators: Row) -> dict[Row, Row]:
    if len(live) < RARE:
        return {}
    seen = {place: Counter(row[place] for row in live) for place in varied}
    rest: dict[Row, list[Row]] = defaultdict(list)
    for row in live:
        words = list(row)
        for place in varied:
            if seen[place][row[place]] == 1:
                words[place] = WILD
        rest[tuple(words)].append(row)
    moved = {}
    for joined, alike in rest.items():
        wild = [place for place in varied if any(row[place] != joined[place] for row in alike)]
        fixed = sum(word != WILD and any(map(str.isalpha, word)) for word in joined)
        if len(alike) < RARE or fixed < len(wild):
            continue
        if all(_are_values({row[place] for row in alike}, place, joined, separators) for place in wild):
            moved.update({row: joined for row in alike if row != joined})
    return moved


def _are_values(words: Collection[str], place: int, row: Row, separators: Row) -> bool:
    plain = [word for word in words if word != WILD]
    if not any(map(str.isalpha, "".join((*row[:place], *row[place + 1 :])))):
        return False
    if any(_EVENT.search(word) for word in plain) or all(not word or _CONSTANT.search(word) for word in plain):
        return False
    named = all(_NAME.search(word) for word in plain)
    if not named and place < len(separators) and _KEY_END.match(separators[place]):
        return False
    if not any(map(str.isalpha, "".join(row[:place]))) and all(map(_FUNCTION.fullmatch, plain)):
        return len(words) >= 2 * MANY
    return named or WILD in words or len(words) >= MANY or _introduced(place, row, separators)


def _introduced(place: int, row: Row, separators: Row) -> bool:
    """`key=` or a word like "user" before a word makes it a value."""
    if place == 0:
        return False
    return "=" in separators[place - 1] or (separators[place - 1] == " " and bool(_ROLE.fullmatch(row[place - 1])))
