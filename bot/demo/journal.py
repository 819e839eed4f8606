"""The log of one of the shop's services, as the demo's local vendors read it: JSON lines, each with its time."""

from __future__ import annotations

import json
import os
from bisect import bisect_left
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any


class ShopJournal:
    """The lines of one log, read on from where the last look ended, in the file that was renamed as well."""

    def __init__(self, path: Path) -> None:
        self._paths = (path.with_name(f"{path.name}.1"), path)
        self._read: dict[int, tuple[int, list[tuple[int, str]]]] = {}

    def between(self, start: int, end: int) -> list[tuple[int, str]]:
        """Nanoseconds and lines, in time order."""
        lines = sorted((line for path in self._paths for line in self._lines(path)), key=lambda line: line[0])
        at = [moment for moment, _ in lines]
        return lines[bisect_left(at, start) : bisect_left(at, end)]

    def _lines(self, path: Path) -> list[tuple[int, str]]:
        try:
            with path.open("rb") as file:
                number = os.fstat(file.fileno()).st_ino
                offset, known = self._read.get(number, (0, []))
                file.seek(offset)
                whole = file.read()
        except FileNotFoundError:
            return []
        whole = whole[: whole.rfind(b"\n") + 1]
        known += [(_moment(line), line) for line in whole.decode("utf-8", errors="replace").splitlines()]
        self._read[number] = offset + len(whole), known
        return known


def parsed(line: str) -> Iterator[dict[str, Any]]:
    try:
        found = json.loads(line)
    except ValueError:
        return
    if isinstance(found, dict):
        yield found


def _moment(line: str) -> int:
    """Nanoseconds since 1970; 0 for a line without a time."""
    for entry in parsed(line):
        at = datetime.fromisoformat(entry["time"])
        return round(at.timestamp() * 1_000) * 1_000_000
    return 0
