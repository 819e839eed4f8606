"""Files that are there whole or not at all: written beside their place, brought to the disk, then named."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO


def create_whole(path: Path, content: bytes) -> bool:
    """Whether it was this call that made the file: of several at once the first one's stays. Mode 0600."""
    with _draft(path) as (draft, file):
        file.write(content)
        _finish(file)
        try:
            os.link(draft, path)
        except FileExistsError:
            return False
    sync_folder(path.parent)
    return True


def replace_whole(path: Path, content: bytes) -> None:
    """Whoever reads `path` finds the old content or the new one. Mode 0600."""
    with replacing(path) as file:
        file.write(content)


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """A file to write to; it takes the name `path` when the block ends well, and is gone when it does not."""
    with _draft(path) as (draft, file):
        yield file
        _finish(file)
        draft.replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Names that were added to it or removed from it stay so after a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _draft(path: Path) -> Iterator[tuple[Path, IO[bytes]]]:
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}.draft")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            yield draft, file
    finally:
        draft.unlink(missing_ok=True)


def _finish(file: IO[bytes]) -> None:
    file.flush()
    os.fsync(file.fileno())
