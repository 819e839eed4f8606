"""The miner as a stream: lines in, template indexes out, later merges told through `settled`.

Memory is bounded whatever comes: caches are emptied when full, templates seen least are given up into one "anything"
template of their service, and what is longer than `MAX_CHARACTERS` is cut.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from agents.evidence.logs.miner.folding import spoken
from agents.evidence.logs.miner.masking import WILD, Masks, level, mask_spans, mask_words
from agents.evidence.logs.miner.merging import (
    MAX_ROWS,
    Places,
    Row,
    changed_places,
    may_join,
    merge,
    put_together,
    take_apart,
)
from agents.evidence.logs.miner.template import MinedTemplate
from agents.evidence.types import FloatArray, IntArray

CHUNK = 1_000  # lines levelled at once: as many as stay in the processor's cache
MAX_CHARACTERS = 2_000
MAX_EXEMPLAR = 2_000
MAX_LIVE = 10_000  # templates
MAX_TRIED = 20
MAX_INDEXES = 500_000
MAX_HELD = 4_000_000  # characters


@dataclass(slots=True)
class _Shape:
    """The templates that have the same separators, and the places that merging found to hold values."""

    rows: dict[Row, int] = field(default_factory=dict)
    merged: dict[Row, Places] = field(default_factory=dict)
    flooded: bool = False


@dataclass(slots=True)
class _Service:
    levelled: dict[str, int] = field(default_factory=dict)  # a cache
    masked: dict[str, int] = field(default_factory=dict)  # a cache
    shapes: dict[Row, _Shape] = field(default_factory=dict)  # by separators
    texts: dict[int, str] = field(default_factory=dict)  # the live templates
    dirty: set[Row] = field(default_factory=set)  # shapes with forms that were not yet compared


class TemplateMiner:
    """Not thread-safe. The same lines in the same batches give the same indexes, texts and ids."""

    def __init__(self) -> None:
        self._masks = Masks()
        self._services: dict[str, _Service] = {}
        self._made = self._live = self._held = 0
        self._stale = False
        self._owner: list[str] = []
        self._exemplar: dict[int, str] = {}
        self._alias = np.zeros(256, dtype=np.int64)
        self._counts = np.zeros(256, dtype=np.int64)
        self._first = np.full(256, np.inf)
        self._last = np.full(256, -np.inf)

    def add(self, service: str, texts: Sequence[str], times: FloatArray | None = None) -> IntArray:
        """The template index of each text, in their order. `times` are epoch seconds, one a text, in any order."""
        home = self._services.setdefault(service, _Service())
        unique = list(dict.fromkeys(texts))
        index = dict(zip(unique, self._indexes(service, home, unique), strict=True))
        made = np.fromiter(map(index.__getitem__, texts), dtype=np.int64, count=len(texts))
        indexes: IntArray = self._alias[made]
        self._tally(indexes, times)
        return indexes

    def settled(self, index: int) -> int:
        """The index that now stands for this one. Templates are merged as lines are added, never split again."""
        self._merge()
        return int(self._alias[index])

    def settle(self, indexes: IntArray) -> IntArray:
        """`settled` for many at once."""
        self._merge()
        settled: IntArray = self._alias[indexes]
        return settled

    def template(self, index: int) -> MinedTemplate:
        """The settled template of an index that `add` gave out."""
        root = self.settled(index)
        service = self._owner[root]
        text = self._services[service].texts[root]
        timed = self._first[root] <= self._last[root]
        return MinedTemplate(
            id=hashlib.sha256(f"{service}\0{text}".encode("utf-8", "surrogatepass")).hexdigest()[:12],
            service=service,
            text=text,
            exemplar=self._exemplar[root],
            count=int(self._counts[root]),
            first_seen=float(self._first[root]) if timed else None,
            last_seen=float(self._last[root]) if timed else None,
        )

    def templates(self) -> list[MinedTemplate]:
        """All settled templates, most frequent first."""
        self._merge()
        found = [self.template(root) for home in self._services.values() for root in home.texts]
        return sorted(found, key=lambda t: (-t.count, t.service, t.text))

    def _indexes(self, service: str, home: "_Service", texts: Sequence[str]) -> list[int]:
        levelled, masked, masks, out = home.levelled, home.masked, self._masks, []
        for text, line in zip(texts, _levelled(texts), strict=True):
            index = levelled.get(line)
            if index is None:
                words = mask_words(line, masks)
                index = masked.get(words)
                if index is None:
                    index = masked[words] = self._place(service, home, mask_spans(words), text)
                    self._held += len(words)
                levelled[line] = index
                self._held += len(line)
                if self._held > MAX_HELD:
                    self._forget()
            out.append(index)
        return out

    def _place(self, service: str, home: "_Service", form: str, text: str) -> int:
        if self._live >= MAX_LIVE:
            self._thin_out()
        words, separators = take_apart(form)
        shape = home.shapes.setdefault(separators, _Shape())
        if len(shape.rows) > 2 * MAX_ROWS and self._merge_shape(home, separators):
            self._resolve()
            shape = home.shapes[separators]
        index = shape.rows.get(words)
        if index is None:
            index = _of_merged(shape, words, separators)
        if index is None:
            if self._made >= MAX_INDEXES:
                return self._anything(service, home, text)
            index = shape.rows[words] = self._new(service, home, form, text)
            home.dirty.add(separators)
            self._stale = True
        return index

    def _new(self, service: str, home: "_Service", form: str, text: str) -> int:
        index = self._made
        self._made += 1
        self._live += 1
        if index >= len(self._counts):
            self._grow()
        self._alias[index] = index
        self._owner.append(service)
        self._exemplar[index] = text[:MAX_EXEMPLAR]
        home.texts[index] = form
        return index

    def _grow(self) -> None:
        more = len(self._counts)
        self._alias = np.concatenate([self._alias, np.zeros(more, dtype=np.int64)])
        self._counts = np.concatenate([self._counts, np.zeros(more, dtype=np.int64)])
        self._first = np.concatenate([self._first, np.full(more, np.inf)])
        self._last = np.concatenate([self._last, np.full(more, -np.inf)])

    def _anything(self, service: str, home: "_Service", text: str) -> int:
        """The one template of lines whose own was given up; a line that is nothing but a value has the same."""
        rows = home.shapes.setdefault((), _Shape()).rows
        if (WILD,) not in rows:
            rows[WILD,] = self._new(service, home, WILD, text)
        return rows[WILD,]

    def _tally(self, indexes: IntArray, times: FloatArray | None) -> None:
        if len(indexes) == 0:
            return
        counts = np.bincount(indexes)
        self._counts[: len(counts)] += counts
        if times is not None:
            np.fmin.at(self._first, indexes, times)
            np.fmax.at(self._last, indexes, times)

    def _merge(self) -> None:
        if not self._stale:
            return
        joined = False
        for home in self._services.values():
            for separators in home.dirty:
                joined |= self._merge_shape(home, separators)
            home.dirty.clear()
        self._stale = False
        if joined:
            self._resolve()

    def _merge_shape(self, home: "_Service", separators: Row) -> bool:
        shape = home.shapes.get(separators)
        if shape is None or len(shape.rows) < 2 or not separators:
            return False
        left = _Shape(flooded=shape.flooded or len(shape.rows) > MAX_ROWS)
        for words, became in merge(shape.rows, separators).items():
            index, target = shape.rows[words], left.rows.get(became)
            left.rows[became] = index if target is None else self._join(home, index, target)
            places = shape.merged.get(words, frozenset()) | changed_places(words, became)
            if places:
                left.merged[became] = left.merged.get(became, frozenset()) | places
        if len(left.rows) == len(shape.rows):
            return False
        for words, index in left.rows.items():
            home.texts[index] = put_together(words, separators)
        home.shapes[separators] = left
        return True

    def _join(self, home: "_Service", one: int, two: int) -> int:
        kept, gone = min(one, two), max(one, two)
        self._give_up(home, gone, kept)
        return kept

    def _give_up(self, home: "_Service", gone: int, kept: int) -> None:
        self._alias[gone] = kept
        del home.texts[gone], self._exemplar[gone]
        self._live -= 1

    def _resolve(self) -> None:
        """Every alias to its end, and what was counted under it too."""
        alias = self._alias[: self._made]
        while (alias != alias[alias]).any():
            alias[:] = alias[alias]
        gone = np.flatnonzero(alias != np.arange(self._made))
        np.add.at(self._counts, alias[gone], self._counts[gone])
        np.fmin.at(self._first, alias[gone], self._first[gone])
        np.fmax.at(self._last, alias[gone], self._last[gone])
        self._counts[gone] = 0

    def _thin_out(self) -> None:
        """Make room: merge what can be, then give up the half of the largest service that was seen least."""
        self._merge()
        if self._live < MAX_LIVE:
            return
        service, home = max(self._services.items(), key=lambda item: len(item[1].texts))
        rare = sorted(home.texts, key=lambda i: (self._counts[i], -i))
        anything = self._anything(service, home, self._exemplar[rare[0]])
        for index in rare[: len(rare) // 2 + 1]:
            if index != anything:
                self._give_up(home, index, anything)
        self._resolve()
        home.levelled.clear()
        home.masked.clear()
        for separators, shape in list(home.shapes.items()):
            shape.rows = {words: index for words, index in shape.rows.items() if index in home.texts}
            shape.merged = {words: places for words, places in shape.merged.items() if words in shape.rows}
            if not shape.rows:
                del home.shapes[separators]

    def _forget(self) -> None:
        for home in self._services.values():
            home.levelled.clear()
            home.masked.clear()
        self._held = 0


def _of_merged(shape: _Shape, words: Row, separators: Row) -> int | None:
    """The merged template that a new row belongs to without more ado."""
    for places in list(dict.fromkeys(shape.merged.values()))[:MAX_TRIED]:
        joined = tuple(WILD if place in places else word for place, word in enumerate(words))
        index = shape.rows.get(joined)
        if index is None:
            continue
        if shape.flooded or all(words[p] == WILD or may_join(words[p], p, joined, separators) for p in places):
            return index
    return None


def _levelled(texts: Sequence[str]) -> Iterator[str]:
    for start in range(0, len(texts), CHUNK):
        part = texts[start : start + CHUNK]
        yield from level([t if len(t) <= MAX_CHARACTERS and "\n" not in t else _cut(t) for t in part])


def _cut(text: str) -> str:
    line = " ".join(spoken(text[: 4 * MAX_CHARACTERS]).split())
    return line if len(line) <= MAX_CHARACTERS else f"{line[:MAX_CHARACTERS]}{WILD}"
