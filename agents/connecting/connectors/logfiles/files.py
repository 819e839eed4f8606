"""Opens log files inside declared folders only, and finds a span of time in a big one without reading all of it.

The path is resolved first and must lie in a root; then each component is opened relative to the one before without
following links, so that a link swapped in between gains nothing.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from agents.errors import NotPermitted, Unavailable

_BLOCK = 65_536
_SEARCHED = 4_000_000  # bytes looked through for one line with a time
MAX_LINE = 1_000_000  # bytes; what is longer is read in pieces
_SAMPLED = 120  # lines at the start, in the middle and at the end
_SAMPLE_BYTES = 200_000
TimeOf = Callable[[bytes], datetime | None]


@contextmanager
def open_inside(path: Path, roots: Sequence[Path]) -> Iterator[BinaryIO]:
    """A regular file below one of the roots. Raises NotPermitted outside, Unavailable when it cannot be read."""
    if ".." in path.parts:
        raise NotPermitted(f"{path.name}: '..' is not allowed in a path of a log file")
    try:
        resolved = path.resolve(strict=True)
        root = next((r for r in (root.resolve() for root in roots) if resolved.is_relative_to(r)), None)
        if root is None:
            raise NotPermitted(f"{path.name} leads outside of the declared roots")
        descriptor = _open_step_by_step(root, resolved.relative_to(root).parts)
    except OSError as exc:
        raise Unavailable(f"{path.name} cannot be read: {exc.strerror}") from exc
    except RuntimeError as exc:  # what resolving says of links in a circle
        raise Unavailable(f"{path.name} cannot be read: its links lead in a circle") from exc
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise NotPermitted(f"{path.name} is not a regular file")
    with os.fdopen(descriptor, "rb") as file:
        yield file


def _open_step_by_step(root: Path, parts: Sequence[str]) -> int:
    # O_NONBLOCK: a named pipe in the place of a log must not hang the reader.
    common = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
    descriptor = os.open(root, common | os.O_DIRECTORY)
    for number, part in enumerate(parts, start=1):
        folder, last = descriptor, number == len(parts)
        try:
            descriptor = os.open(part, common if last else common | os.O_DIRECTORY, dir_fd=folder)
        finally:
            os.close(folder)
    return descriptor


def find_offset(file: BinaryIO, moment: datetime, time_of: TimeOf) -> int:
    """Start of the first line with a time at or after `moment`, else the end. The file's times only grow."""
    size = size_of(file)
    low, high = 0, size
    while low < high:
        middle = (low + high) // 2
        start, found = _first_timed_line(file, middle, high, time_of)
        if found is None or found >= moment:
            high = middle
        else:
            low = start + 1
    # Lines without a time that follow belong to the line before.
    return _first_timed_line(file, low, size, time_of)[0]


def size_of(file: BinaryIO) -> int:
    return file.seek(0, os.SEEK_END)


def first_time(file: BinaryIO, time_of: TimeOf) -> datetime | None:
    return _first_timed_line(file, 0, size_of(file), time_of)[1]


def sample_lines(file: BinaryIO) -> list[bytes]:
    """Lines of the start, the middle and the end, in their order: enough to see how a file is written."""
    size = size_of(file)
    found: list[bytes] = []
    read_until = 0
    for offset in (0, size // 2, max(0, size - _SAMPLE_BYTES)):
        start = max(_line_start(file, offset), read_until)
        file.seek(start)
        lines: list[bytes] = []
        while file.tell() < min(size, start + _SAMPLE_BYTES) and (line := file.readline(MAX_LINE)):
            lines.append(line)
        at_end = offset > size // 2
        found += lines[-_SAMPLED:] if at_end else lines[:_SAMPLED]
        read_until = file.tell()
    return found


def _first_timed_line(file: BinaryIO, offset: int, end: int, time_of: TimeOf) -> tuple[int, datetime | None]:
    """Offset and time of the first line with a time that starts at `offset` or later and before `end`."""
    start = _line_start(file, offset)
    file.seek(start)
    end = min(end, start + _SEARCHED)
    while start < end:
        line = file.readline(MAX_LINE)
        if not line:
            break
        moment = time_of(line)
        if moment is not None:
            return start, moment
        start += len(line)
    return start, None


def _line_start(file: BinaryIO, offset: int) -> int:
    """`offset` itself where a line starts there, else the start of the next line."""
    if offset == 0:
        return 0
    file.seek(offset - 1)
    while True:
        block = file.read(_BLOCK)
        if not block:
            return file.tell()
        cut = block.find(b"\n")
        if cut >= 0:
            return file.tell() - len(block) + cut + 1
