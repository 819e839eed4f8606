"""Redacts what comes in pieces, such as the records of a log: each by itself, and what runs on from one into the next.

A log prints a key block one line a record; whoever looked at each record alone, or only at some of them, would see
letters without the line that names them. A record that announces something is therefore read on into those that follow,
without the words with which all of them begin (the time, the level), and each record keeps its place.
"""

import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Final

import re2

from store.secrets.pairs import BOUNDARY, NOUNS, TextSpan, is_secret_name, value_names_of
from store.secrets.private_keys import LONGEST_KEY
from store.secrets.redaction import Redactor, merge_spans, replace_spans, whole_text

_PLAIN: Final = re.compile(r"[\w.:/@+-]{0,60}[\w/]|")
"""A value that neither begins nor continues anything: equal ones need to be looked at once only."""
_JOINT: Final = f"\n{BOUNDARY}\n"
_BEGINS_KEY: Final = ("-----BEGIN ", "Private-Lines:")
_ENDS_KEY: Final = ("-----END ", "Private-MAC:")
_ANNOUNCES: Final = re2.compile(
    rf"(?i)(?:{'|'.join(NOUNS)})[A-Za-z0-9_.]*(?P<end>[\"' \t:=|>\\\\,+({{\[-]*)\n{BOUNDARY}\n"
)
_NAMED: Final = 4  # records that one which names a secret is read on into,
_BLOCK: Final = 40  # or one that opens a block
_DIGITS: Final = str.maketrans("123456789", "000000000")
_STRONG: Final = re.compile(r"(?i)passw|passphrase|pwd|secret|token|credential|-----")


def redact_texts(redactor: Redactor, texts: Sequence[str], *, keep: int | None = None) -> list[str]:
    """The texts, which follow each other, without secrets. Of each, what its first `keep` characters became: give more
    of a text than is kept, or a secret at the cut is not recognised. Raises RedactionFailed.
    """
    texts = [whole_text(text) for text in texts]
    found = _alone(redactor, texts)
    _run_on(redactor, texts, found)
    cleaned = list(texts) if keep is None else [text if len(text) <= keep else text[:keep] for text in texts]
    for piece, spans in found.items():
        cleaned[piece] = replace_spans(texts[piece], merge_spans(spans, texts[piece]), until=keep)
    return cleaned


def redact_fields(redactor: Redactor, rows: Sequence[Mapping[str, str]]) -> list[dict[str, str]]:
    """The fields of records that follow each other: what stands under one name in them follows each other too.

    Raises RedactionFailed.
    """
    rows = [{whole_text(name): whole_text(value) for name, value in row.items()} for row in rows]
    columns: dict[str, dict[str | int, str]] = {}
    for number, row in enumerate(rows):
        for name, value in row.items():
            columns.setdefault(name, {})[_place(value, number)] = value
    framed = [f'"{name}": "{value}"' for name, column in columns.items() for value in column.values()]
    alone = _alone(redactor, framed)
    piece = 0
    for name, column in columns.items():
        values, head = list(column.values()), len(name) + 5
        found: dict[int, list[TextSpan]] = {}
        if not all(isinstance(place, str) for place in column):
            _run_on(redactor, values, found)
        for number, (place, value) in enumerate(column.items()):
            spans = [
                TextSpan(max(s.start - head, 0), min(s.end - head, len(value)), s.kind)
                for s in alone.get(piece + number, ())
                if head < s.end and s.start < head + len(value)
            ]
            if spans := merge_spans([*spans, *found.get(number, ())], value):
                column[place] = replace_spans(value, spans)
            elif is_secret_name(name, value):
                column[place] = "[redacted:secret]"
        piece += len(values)
    names = {name: str(redactor.redact(name)) for name in columns}
    cleaned = []
    for number, row in enumerate(rows):
        one = {name: columns[name][_place(value, number)] for name, value in row.items()}
        for name in value_names_of(row):
            one[name] = "[redacted:secret]" if one[name] == row[name] else one[name]
        cleaned.append({names[name]: value for name, value in one.items()})
    return cleaned


def _place(value: str, number: int) -> str | int:
    return value if _PLAIN.fullmatch(value) else number


def _alone(redactor: Redactor, texts: Sequence[str]) -> dict[int, list[TextSpan]]:
    """What each holds by itself, in its own characters."""
    found: dict[int, list[TextSpan]] = {}
    _share(redactor.spans(_JOINT.join(texts)), [len(text) for text in texts], len(_JOINT), found)
    return found


def _run_on(redactor: Redactor, texts: Sequence[str], found: dict[int, list[TextSpan]]) -> None:
    """Adds what runs through several of them."""
    for first, last, telling in _running_on(texts):
        stretch = texts[first:last]
        heads = _shared_beginnings(stretch, telling - first)
        rests = [text[head:] for text, head in zip(stretch, heads, strict=True)]
        more: dict[int, list[TextSpan]] = {}
        _share(redactor.spans("\n".join(rests)), [len(rest) for rest in rests], 1, more)
        for piece, spans in more.items():
            moved = [TextSpan(s.start + heads[piece], s.end + heads[piece], s.kind) for s in spans]
            found.setdefault(first + piece, []).extend(moved)


def _share(spans: Sequence[TextSpan], lengths: Sequence[int], joint: int, found: dict[int, list[TextSpan]]) -> None:
    """Give each piece its part of the spans of the joined text."""
    starts = list(accumulate((length + joint for length in lengths), initial=0))
    for span in spans:
        piece = bisect_right(starts, span.start) - 1
        while piece < len(lengths) and starts[piece] < span.end:
            first, last = max(span.start - starts[piece], 0), min(span.end - starts[piece], lengths[piece])
            if first < last:
                found.setdefault(piece, []).append(TextSpan(first, last, span.kind))
            piece += 1


def _running_on(texts: Sequence[str]) -> Iterator[tuple[int, int, int]]:
    """Stretches of records (first, behind the last) through which a secret may run, and which of them tells so.

    Each is twice as long as a secret can be, so that what is told in its first half needs no stretch of its own.
    """
    whole = _JOINT.join(texts)
    if any(mark in whole for mark in (*_BEGINS_KEY, *_ENDS_KEY)):
        yield from _through_keys(texts)
    starts: list[int] = []
    covered = 0
    for told in _ANNOUNCES.finditer(whole):
        starts = starts or list(accumulate((len(text) + len(_JOINT) for text in texts), initial=0))
        number = bisect_right(starts, told.start()) - 1
        if number >= covered:
            length = _BLOCK if set(told.group("end")) & set("|>\\") else _NAMED
            covered = number + length
            yield number, min(number + 2 * length, len(texts)), number


def _through_keys(texts: Sequence[str]) -> Iterator[tuple[int, int, int]]:
    in_key = 0
    for number, text in enumerate(texts):
        if number < in_key or ("--" not in text and "Private-" not in text):
            continue
        if any(mark in text for mark in _BEGINS_KEY):
            in_key = _reach(texts, number)
            yield number, _reach(texts, in_key), number
        elif any(mark in text for mark in _ENDS_KEY):
            first = number
            size = 0
            while first > 0 and size < LONGEST_KEY:
                first -= 1
                size += len(texts[first]) + 1
            yield first, number + 1, number


def _reach(texts: Sequence[str], number: int) -> int:
    size = 0
    while number < len(texts) and size < LONGEST_KEY:
        size += len(texts[number]) + 1
        number += 1
    return number


def _shared_beginnings(texts: Sequence[str], telling: int) -> list[int]:
    """How many characters of each say when and where it was written: those that it shares with the telling one, but for
    the digits. Up to a blank, and no word that could name a secret.
    """
    shape = texts[telling].translate(_DIGITS)
    heads = [0 if n == telling else _head(shape, text.translate(_DIGITS)) for n, text in enumerate(texts)]
    beside = telling + 1 if telling + 1 < len(texts) else telling - 1
    heads[telling] = heads[beside] if len(texts) > 1 else 0
    return heads


def _head(one: str, other: str) -> int:
    length = next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    named = _STRONG.search(one, 0, length)
    shared = one[: length if named is None else named.start()]
    return max(shared.rfind(" "), shared.rfind("\t")) + 1
