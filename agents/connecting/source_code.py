"""Code at a version: what a connector answers that holds repositories, and the order in which files are read.

Nothing here is of a working copy or of a branch's newest state: what ran is a commit, and that is what is read.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final, Protocol, runtime_checkable
from urllib.parse import quote

from agents.connecting.connector import ConnectorContext
from agents.connecting.machine_written import is_machine_written
from agents.evidence.types import Change

LARGEST_FILE: Final = 200_000
"""Bytes; larger ones are data, not code, and are not read."""


@dataclass(frozen=True, kw_only=True)
class CodeFile:
    """A file at a version, `size` in bytes. `content` is the id of what it holds: equal ids, equal texts."""

    path: str
    content: str
    size: int


@dataclass(frozen=True, kw_only=True)
class FilesAt:
    """The files of a service at a version, which is a whole commit id. `page` is where people look at them, "" where
    nobody can. `gaps` are sentences on what could not be listed.
    """

    version: str
    files: tuple[CodeFile, ...]
    page: str = ""
    gaps: tuple[str, ...] = ()

    def link(self, path: str, line: int = 0) -> str | None:
        """The page of a file, at a line of it."""
        return f"{self.page}/{quote(path)}{f'#L{line}' if line else ''}" if self.page else None


@dataclass(frozen=True, kw_only=True)
class TextsRead:
    """Texts by path, without secrets. `gaps` as above. Of `shifted` ones a secret of several lines was taken out, so
    that the lines behind it have other numbers than in the file.
    """

    texts: Mapping[str, str]
    gaps: tuple[str, ...] = ()
    shifted: frozenset[str] = frozenset()


async def cleaned(context: ConnectorContext, raw: Mapping[str, str | None]) -> TextsRead:
    """Texts as they were read, by path, without their secrets; None for a file that is too large, or no text."""
    texts = {path: await context.clean(text) for path, text in raw.items() if text is not None}
    unfit = [f"{path} is too large, or no text" for path, text in raw.items() if text is None]
    shifted = frozenset(p for p, text in texts.items() if text.count("\n") != (raw[p] or "").count("\n"))
    return TextsRead(texts=texts, gaps=tuple(unfit), shifted=shifted)


async def as_files(context: ConnectorContext, found: Sequence[CodeFile]) -> tuple[tuple[CodeFile, ...], list[str]]:
    """Those whose path holds no secret, and a gap for the others: under another name nobody could read one."""
    shown = await context.clean_words([file.path for file in found])
    files = tuple(file for file, path in zip(found, shown, strict=True) if file.path == path)
    left = len(found) - len(files)
    return files, [f"{left} paths look like secrets and were left out"] if left else []


@runtime_checkable
class CodeSource(Protocol):
    """Holds the code of declared services."""

    async def deployed(self, service: str) -> Sequence[Change]:
        """Its newest deployments, newest first, each with a commit as its version; none where nobody told of any."""

    async def files_at(self, service: str, version: str) -> FilesAt:
        """Raises BadArguments for a version that is not known here."""

    async def files_with(self, service: str, at: FilesAt, text: str) -> Collection[str] | None:
        """Paths of those files that hold a text, in any case. None where only reading them can tell."""

    async def read_texts(self, service: str, files: Sequence[CodeFile]) -> TextsRead:
        """What files hold. One that is no text is left out with a gap."""


def by_relevance(
    files: Iterable[CodeFile], *, service: str, others: Collection[str], changed: Collection[str] = ()
) -> list[CodeFile]:
    """What people wrote before what machines did, what changed before what did not, a service's own before the rest."""

    def place(file: CodeFile) -> tuple[bool, bool, bool, bool, str]:
        owner = owner_of(file.path, (service, *others))
        elsewhere = owner not in ("", service)
        return is_machine_written(file.path), elsewhere, file.path not in changed, owner != service, file.path

    return sorted(files, key=place)


def owner_of(path: str, services: Iterable[str]) -> str:
    """The service in whose folder a file lies, "" where it lies in none."""
    folders = PurePosixPath(path).parts[:-1]
    return next((name for name in services if name in folders), "")


def altered_paths(now: FilesAt, before: FilesAt) -> frozenset[str]:
    """Paths that hold something else than before, or that are new or gone."""
    old = {file.path: file.content for file in before.files}
    new = {file.path: file.content for file in now.files}
    return frozenset(path for path in old.keys() | new.keys() if old.get(path) != new.get(path))
