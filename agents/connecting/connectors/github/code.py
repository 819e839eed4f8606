"""The code of a service at a commit, by the trees and blobs of GitHub's Git database.

GitHub's code search is not used: it knows the default branch only, which is not what runs. Blobs cost one request each.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

from agents.connecting.connector import ConnectorContext
from agents.connecting.connectors.github import answers
from agents.connecting.connectors.github.git_data import GitData
from agents.connecting.source_code import LARGEST_FILE, CodeFile, FilesAt, TextsRead, as_files, cleaned

_AT_ONCE: Final = 4


class GitHubCode:
    """Of the repositories of one connection; `folders` narrow a service to parts of its own."""

    def __init__(
        self, data: GitData, context: ConnectorContext, folders: Mapping[str, Sequence[str]], *, web: str
    ) -> None:
        self._data, self._context, self._folders, self._web = data, context, folders, web

    async def files_at(self, service: str, repository: str, version: str) -> FilesAt:
        """Raises BadArguments for a version that GitHub does not know, or may not show."""
        commit = await self._data.whole_id(repository, version)
        tree, whole = await self._data.listed(repository, commit)
        folders = self._folders.get(service, ())
        found = [
            CodeFile(path=path, content=file.sha, size=file.size)
            for path, file in tree.items()
            if answers.within(path, folders)
        ]
        files, gaps = await as_files(self._context, found)
        gaps += [] if whole else [f"GitHub lists only a part of the files of {repository} at {commit[:7]}"]
        page = f"{self._web}/{repository}/blob/{commit}"
        return FilesAt(version=commit, files=files, page=page, gaps=tuple(gaps))

    async def read_texts(self, repository: str, files: Sequence[CodeFile]) -> TextsRead:
        gate = asyncio.Semaphore(_AT_ONCE)

        async def one(file: CodeFile) -> str | None:
            if file.size > LARGEST_FILE:
                return None
            async with gate:
                return await self._data.text(repository, file.path, file.content)

        found = await asyncio.gather(*map(one, files))
        return await cleaned(self._context, {f.path: text for f, text in zip(files, found, strict=True)})
