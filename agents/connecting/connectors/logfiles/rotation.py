"""The files that one log lies in: the present one and those that rotation put beside it, packed or not.

`app.log.1`, `app.log.2.gz`, `app.log-20261130`, `app.log.2026-11-30`, `app-2026-11-30.log`, `app-2026-11-30.1.log.gz`:
a number or a date is put somewhere into the name. A pattern such as `app-*.log` is a log whose present file is the
newest.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import re
import zlib
from collections import deque
from collections.abc import Callable
from datetime import datetime
from fnmatch import fnmatchcase
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, Final

from agents.connecting.connectors.logfiles.files import first_time

MAX_UNPACKED: Final = 500_000_000  # bytes that are unpacked of one file at most
_CHUNK: Final = 1_000_000
_MOST_FILES: Final = 60
_PACKED: Final = (".gz", ".bz2", ".xz", ".zst", ".lz4", ".Z", ".zip")
_DATE = r"\d{4}-?\d{2}-?\d{2}(?:[T_.-]?\d{2}(?:[.:-]?\d{2}){0,2})?"
_TURN = re.compile(rf"[._-](?:{_DATE}|\d{{1,4}}|\d{{10}})(?=[._-]|$)")
DAMAGED: Final = (OSError, EOFError, zlib.error, lzma.LZMAError, ValueError)


def parts_of(path: Path) -> list[Path]:
    """The files of a log, oldest first, the present one last. Only `path` where its folder cannot be listed."""
    try:
        names = [entry.name for entry in os.scandir(path.parent)]
    except OSError:
        return [path]
    if is_pattern(path):
        found = [path.with_name(name) for name in names if fnmatchcase(_unpacked(name), path.name)]
        return sorted(found, key=_written)[-_MOST_FILES:] or [path]
    older = [name for name in names if name != path.name and _without_turns(_unpacked(name)) == path.name]
    newest_first = sorted(older, key=_age)[:_MOST_FILES]
    return [*(path.with_name(name) for name in reversed(newest_first)), path]


def is_pattern(path: Path) -> bool:
    return any(mark in path.name for mark in "*?[")


def present_file(path: Path) -> Path:
    return parts_of(path)[-1]


def packing(path: Path) -> str:
    """How a file is packed, by its name: "" where it is not."""
    return path.suffix if path.suffix in _PACKED else ""


def _unpacked(name: str) -> str:
    return next((name.removesuffix(ending) for ending in _PACKED if name.endswith(ending)), name)


def _without_turns(name: str) -> str:
    """The name without the last one or two numbers or dates that rotation put in, else as it is."""
    turns = list(_TURN.finditer(name))[-2:]
    for turn in reversed(turns):
        name = name[: turn.start()] + name[turn.end() :]
    return name


def _age(name: str) -> tuple[int, str]:
    """Small for young: a low number, a late date."""
    plain = _unpacked(name)
    digits = "".join(turn.group()[1:] for turn in list(_TURN.finditer(plain))[-2:])
    if digits.isdigit() and len(digits) < 5:
        return int(digits), ""
    return 10_000, "".join(chr(0x10FFFF - ord(character)) for character in plain)


def _written(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


class NotUnpacked(Exception):
    """The file is packed in a way that is not read, or is damaged; the message says which."""


def unpack_span(
    file: BinaryIO,
    ending: str,
    *,
    start: datetime,
    end: datetime,
    budget: int,
    time_of: Callable[[bytes], datetime | None],
) -> tuple[BytesIO, str]:
    """The last part of a packed file that reaches into a span, at most about `budget` bytes, and what is missing of it.

    Raises NotUnpacked.
    """
    opened = _open(file, ending)
    kept: deque[bytes] = deque()
    total, size, missing, tail = 0, 0, "", b""
    try:
        while block := opened.read(_CHUNK):
            total += len(block)
            lines, tail = _whole_lines(tail + block)
            began = first_time(BytesIO(lines[:100_000]), time_of)
            if began is not None and began > end:
                break
            if began is not None and began <= start:
                kept.clear()
                size = 0
            kept.append(lines)
            size += len(lines)
            while size > budget and len(kept) > 1:
                size -= len(kept.popleft())
                missing = f"only about the last {budget} bytes of the span were read"
            if total > MAX_UNPACKED:
                missing = f"only its first {MAX_UNPACKED} bytes were unpacked"
                break
    except DAMAGED as exc:
        missing = f"it is damaged, and read only as far as it can be unpacked ({type(exc).__name__})"
    kept.append(tail)
    return BytesIO(b"".join(kept)), missing


def _whole_lines(data: bytes) -> tuple[bytes, bytes]:
    cut = data.rfind(b"\n") + 1
    return data[:cut], data[cut:]


def _open(file: BinaryIO, ending: str) -> gzip.GzipFile | bz2.BZ2File | lzma.LZMAFile:
    if ending == ".gz":
        return gzip.GzipFile(fileobj=file)
    if ending == ".bz2":
        return bz2.BZ2File(file)
    if ending == ".xz":
        return lzma.LZMAFile(file)
    raise NotUnpacked(f"files packed as {ending} are not read")
