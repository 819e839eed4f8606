"""The code of a repository at a commit, by the trees and blobs of GitHub's Git database.

https://docs.github.com/en/rest/git/trees -- GitHub's code search is not used: it knows the default branch only, which
is not what runs. Blobs cost one request each.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict

from agents.connecting.connector import ConnectorContext
from agents.connecting.connectors.github import answers
from agents.connecting.connectors.github.answers import Commit
from agents.connecting.connectors.github.client import GitHubClient
from agents.connecting.connectors.github.repositories import quoted
from agents.connecting.source_code import LARGEST_FILE, CodeFile, FilesAt, TextsRead, as_files, cleaned
from agents.errors import Unavailable

_AT_ONCE: Final = 4
_FILES: Final = ("100644", "100755")


class _Entry(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)
    path: str
    mode: str
    type: str
    sha: str
    size: int = 0


class _Tree(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)
    tree: list[_Entry]
    truncated: bool


class _Blob(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)
    content: str
    encoding: Literal["base64", "utf-8"]


class GitHubCode:
    """Of the repositories of one connection; `folders` narrow a service to parts of its own."""

    def __init__(
        self, client: GitHubClient, context: ConnectorContext, folders: Mapping[str, Sequence[str]], *, web: str
    ) -> None:
        self._client, self._context, self._folders, self._web = client, context, folders, web

    async def files_at(self, service: str, repository: str, version: str) -> FilesAt:
        """Raises BadArguments for a version that GitHub does not know, or may not show."""
        what = f"commit {version[:7]} of {repository}"
        document = await self._client.get(f"/repos/{quoted(repository)}/commits/{version}", what=what)
        commit = answers.one(Commit, document, what).sha
        what = f"the files of {repository} at {commit[:7]}"
        document = await self._client.get(
            f"/repos/{quoted(repository)}/git/trees/{commit}", {"recursive": "1"}, what=what, timeout_s=15
        )
        tree = answers.one(_Tree, document, what)
        folders = self._folders.get(service, ())
        found = [
            CodeFile(path=one.path, content=one.sha, size=one.size)
            for one in tree.tree
            if one.mode in _FILES and answers.within(one.path, folders)
        ]
        files, gaps = await as_files(self._context, found)
        gaps += [f"GitHub lists only a part of {what}"] if tree.truncated else []
        page = f"{self._web}/{repository}/blob/{commit}"
        return FilesAt(version=commit, files=files, page=page, gaps=tuple(gaps))

    async def read_texts(self, repository: str, files: Sequence[CodeFile]) -> TextsRead:
        gate = asyncio.Semaphore(_AT_ONCE)

        async def one(file: CodeFile) -> str | None:
            if file.size > LARGEST_FILE:
                return None
            async with gate:
                return await self._text(repository, file)

        found = await asyncio.gather(*map(one, files))
        return await cleaned(self._context, {f.path: text for f, text in zip(files, found, strict=True)})

    async def _text(self, repository: str, file: CodeFile) -> str | None:
        """None for what is no text."""
        what = f"{file.path} of {repository}"
        document = await self._client.get(f"/repos/{quoted(repository)}/git/blobs/{file.content}", what=what)
        blob = answers.one(_Blob, document, what)
        try:
            raw = base64.b64decode(blob.content) if blob.encoding == "base64" else blob.content.encode()
        except (binascii.Error, ValueError) as exc:
            raise Unavailable(f"GitHub answered {what} in a form that it does not document") from exc
        return None if b"\0" in raw else raw.decode("utf-8", errors="replace")
