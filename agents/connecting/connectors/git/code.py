"""The code of a repository at a commit, by `git ls-tree`, `git grep` and `git cat-file`: nothing is ever checked out.

https://git-scm.com/docs/git-grep
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from agents.connecting.connector import ConnectorContext
from agents.connecting.connectors.git.program import run_git
from agents.connecting.source_code import LARGEST_FILE, CodeFile, FilesAt, TextsRead, as_files, cleaned
from agents.errors import Unavailable

_LISTING_BYTES: Final = 8_000_000
_AT_ONCE: Final = 4
_NOTHING_FOUND: Final = 1  # git grep's exit code
_BLOBS: Final = ("100644", "100755")  # no links, no submodules


class GitCode:
    """Of one repository; `paths` narrows a service to folders of it."""

    def __init__(self, repository: Path, paths: Mapping[str, Sequence[str]], context: ConnectorContext) -> None:
        self._repository, self._paths, self._context = repository, paths, context

    async def files_at(self, service: str, commit: str) -> FilesAt:
        """`commit` is a whole id of this repository."""
        listing, cut = await self._printed("ls-tree", "-r", "-l", "-z", commit, *self._scope(service))
        found = []
        for entry in listing.split("\0")[:-1]:  # the last one is empty, or half a one
            head, _, path = entry.partition("\t")
            mode, _, content, size = head.split()
            if mode in _BLOBS:
                found.append(CodeFile(path=path, content=content, size=int(size)))
        files, gaps = await as_files(self._context, found)
        gaps += ["only a part of its files was listed"] if cut else []
        return FilesAt(version=commit, files=files, gaps=tuple(gaps))

    async def files_with(self, service: str, at: FilesAt, text: str) -> frozenset[str]:
        asked = ("-l", "-z", "-I", "--ignore-case", "--fixed-strings", "--no-textconv", "--no-color", "-e", text)
        listing, _ = await self._printed("grep", *asked, at.version, *self._scope(service), fine=_NOTHING_FOUND)
        return frozenset(name.partition(":")[2] for name in listing.split("\0")[:-1])

    async def read_texts(self, files: Sequence[CodeFile]) -> TextsRead:
        gate = asyncio.Semaphore(_AT_ONCE)

        async def one(file: CodeFile) -> str | None:
            async with gate:
                text, cut = await self._printed("cat-file", "blob", file.content, max_bytes=LARGEST_FILE)
            return None if cut or "\0" in text else text

        found = await asyncio.gather(*map(one, files))
        return await cleaned(self._context, {f.path: text for f, text in zip(files, found, strict=True)})

    def _scope(self, service: str) -> tuple[str, ...]:
        return ("--", *self._paths.get(service, ()))

    async def _printed(self, *arguments: str, max_bytes: int = _LISTING_BYTES, fine: int = 0) -> tuple[str, bool]:
        """What git prints and whether it was cut. `fine` is an exit code that is no failure."""
        done = await run_git(self._repository, arguments, max_bytes=max_bytes)
        if done.code not in (0, fine) and not done.truncated:
            said = await self._context.clean(done.errors.decode("utf-8", errors="replace").strip())
            reason = said.splitlines()
            raise Unavailable(f"git {arguments[0]} failed: {reason[-1][:200] if reason else done.code}")
        return done.output.decode("utf-8", errors="replace"), done.truncated
