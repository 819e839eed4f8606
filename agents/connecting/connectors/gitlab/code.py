"""Code of projects at a version.

https://docs.gitlab.com/api/repositories/ -- a tree does not tell how large its files are: a too large one is told of as
it is read.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from typing import Final
from urllib.parse import quote

from agents.connecting.connector import ConnectorContext
from agents.connecting.connectors.gitlab.answers import GitLabCommit, TreeEntry, lies_in
from agents.connecting.connectors.gitlab.client import GitLabClient, as_one, as_several, project_path
from agents.connecting.connectors.gitlab.projects import GitLabProjects
from agents.connecting.source_code import LARGEST_FILE, CodeFile, FilesAt, TextsRead, as_files, cleaned
from agents.errors import TooLarge
from agents.evidence.types import Change

_MOST_PAGES: Final = 30
_AT_ONCE: Final = 4


class GitLabCode:
    """Of one connection. `folders` narrows a service to some of its project's."""

    def __init__(
        self,
        client: GitLabClient,
        context: ConnectorContext,
        projects: GitLabProjects,
        folders: Mapping[str, Sequence[str]],
    ) -> None:
        self._client, self._context, self._projects, self._folders = client, context, projects, folders

    async def deployed(self, service: str) -> Sequence[Change]:
        return await self._projects.newest(await self._projects.of(service), service, self._context.now())

    async def files_at(self, service: str, version: str) -> FilesAt:
        project = await self._projects.of(service)
        what = f"commit {version[:10]} of {project}"
        path = f"{project_path(project)}/repository"
        commit = as_one(
            GitLabCommit, await self._client.get(f"{path}/commits/{quote(version, safe='')}", what=what), what
        )
        asked = {"ref": commit.id, "recursive": "true"}
        read = await self._client.pages(f"{path}/tree", asked, what=f"files of {project}", most_pages=_MOST_PAGES)
        entries = as_several(TreeEntry, read.items, f"files of {project}")
        folders = self._folders.get(service, ())
        listed = [
            CodeFile(path=one.path, content=one.id, size=0)
            for one in entries
            if one.type == "blob" and lies_in(one.path, folders)
        ]
        files, gaps = await as_files(self._context, listed)
        if read.more:
            gaps.append(f"only the first {len(entries)} files of {project} were listed")
        page = commit.web_url.partition("/-/commit/")[0]
        return FilesAt(
            version=commit.id, files=files, page=f"{page}/-/blob/{commit.id}" if page else "", gaps=tuple(gaps)
        )

    async def files_with(self, service: str, at: FilesAt, text: str) -> Collection[str] | None:
        del service, at, text  # its search knows whole branches only
        return None

    async def read_texts(self, service: str, files: Sequence[CodeFile]) -> TextsRead:
        project, gate = await self._projects.of(service), asyncio.Semaphore(_AT_ONCE)

        async def one(file: CodeFile) -> str | None:
            path = f"{project_path(project)}/repository/blobs/{file.content}/raw"
            async with gate:
                try:
                    raw = await self._client.text(path, what=f"{file.path} of {project}", max_bytes=LARGEST_FILE)
                except TooLarge:
                    return None
            return None if b"\0" in raw else raw.decode("utf-8", errors="replace")

        found = await asyncio.gather(*map(one, files))
        return await cleaned(self._context, {f.path: text for f, text in zip(files, found, strict=True)})
