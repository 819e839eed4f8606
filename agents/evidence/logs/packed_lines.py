"""Log lines as bytes: read in one process, judged in another, and only carried by the one in between.

Thousands of line objects are slow to pickle, and pickling holds the interpreter: the event loop stands still. As
columns they take a fifth of the time, and whoever only passes them on never unpacks them.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from functools import cached_property
from typing import overload

from agents.evidence.types import LogLine


class PackedLines(Sequence[LogLine]):
    """Lines of a log in their order, unpacked at first look."""

    def __init__(self, parts: Sequence[bytes], count: int) -> None:
        self._parts, self._count = tuple(parts), count

    @classmethod
    def of(cls, lines: Iterable[LogLine]) -> PackedLines:
        kept = list(lines)
        columns = (
            [line.time.timestamp() for line in kept],
            [line.service for line in kept],
            [line.level for line in kept],
            [line.text for line in kept],
            [dict(line.fields) for line in kept],
        )
        return cls([pickle.dumps(columns, protocol=pickle.HIGHEST_PROTOCOL)], len(kept))

    @classmethod
    def joined(cls, packed: Sequence[PackedLines]) -> PackedLines:
        """The lines of several, in time order."""
        return cls([part for one in packed for part in one._parts], sum(map(len, packed)))  # noqa: SLF001 -- our own

    @cached_property
    def _lines(self) -> tuple[LogLine, ...]:
        found = [
            LogLine(time=datetime.fromtimestamp(time, UTC), service=service, level=level, text=text, fields=fields)
            for part in self._parts
            # Made by `of`, in this process or its own worker.
            for time, service, level, text, fields in zip(*pickle.loads(part), strict=True)  # noqa: S301
        ]
        return tuple(sorted(found, key=lambda line: line.time) if len(self._parts) > 1 else found)

    def __reduce__(self) -> tuple[type[PackedLines], tuple[tuple[bytes, ...], int]]:
        return PackedLines, (self._parts, self._count)

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[LogLine]:
        return iter(self._lines)

    @overload
    def __getitem__(self, index: int) -> LogLine: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[LogLine]: ...
    def __getitem__(self, index: int | slice) -> LogLine | Sequence[LogLine]:
        return self._lines[index]
