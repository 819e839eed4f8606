"""A repository's trees, blobs, commits and branches, as GitHub's Git database has them.

https://docs.github.com/en/rest/git
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict

from agents.connecting.connectors.github import answers
from agents.connecting.connectors.github.answers import Commit
from agents.connecting.connectors.github.client import GitHubClient
from agents.connecting.connectors.github.repositories import quoted
from agents.errors import BadArguments, Unavailable

_FILES: Final = ("100644", "100755")  # no links, no submodules


class _Lax(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class _Entry(_Lax):
    path: str
    mode: str
    sha: str
    size: int = 0


class _Tree(_Lax):
    tree: list[_Entry]
    truncated: bool


class _Blob(_Lax):
    content: str
    encoding: Literal["base64", "utf-8"]


class _Object(_Lax):
    sha: str


class _Ref(_Lax):
    ref: str
    object: _Object


class _GitCommit(_Lax):
    tree: _Object
    parents: list[_Object]


class _Default(_Lax):
    default_branch: str


@dataclass(frozen=True, kw_only=True)
class TreeFile:
    """What a path holds: equal ones are the same file. `size` in bytes, as GitHub told it."""

    mode: str
    sha: str
    size: int


class GitData:
    """Of the repositories that one connection may see. Refusals are raised as the client does."""

    def __init__(self, client: GitHubClient) -> None:
        self._client = client

    async def whole_id(self, repository: str, version: str) -> str:
        """Of a commit, by a part of its id or its branch. Raises BadArguments for one that GitHub does not know."""
        what = f"commit {version[:7]} of {repository}"
        document = await self._client.get(f"/repos/{quoted(repository)}/commits/{quote(version)}", what=what)
        return answers.one(Commit, document, what).sha

    async def listed(self, repository: str, commit: str) -> tuple[dict[str, TreeFile], bool]:
        """The files of a commit by path, and whether those are all."""
        what = f"the files of {repository} at {commit[:7]}"
        path = f"/repos/{quoted(repository)}/git/trees/{commit}"
        tree = answers.one(_Tree, await self._client.get(path, {"recursive": "1"}, what=what, timeout_s=15), what)
        found = {e.path: TreeFile(mode=e.mode, sha=e.sha, size=e.size) for e in tree.tree if e.mode in _FILES}
        return found, not tree.truncated

    async def tree(self, repository: str, commit: str) -> Mapping[str, TreeFile]:
        """As `listed`. Raises BadArguments where GitHub lists only a part."""
        found, whole = await self.listed(repository, commit)
        if not whole:
            raise BadArguments(f"GitHub lists only a part of the files of {repository}")
        return found

    async def text(self, repository: str, path: str, blob: str) -> str | None:
        """None for what is no text. With its secrets: for code, and for nobody to read."""
        what = f"{path} of {repository}"
        document = await self._client.get(f"/repos/{quoted(repository)}/git/blobs/{blob}", what=what)
        found = answers.one(_Blob, document, what)
        try:
            raw = base64.b64decode(found.content) if found.encoding == "base64" else found.content.encode()
        except (binascii.Error, ValueError) as exc:
            raise Unavailable(f"GitHub answered {what} in a form that it does not document") from exc
        return None if b"\0" in raw else raw.decode("utf-8", errors="replace")

    async def text_at(self, repository: str, version: str, path: str) -> str:
        """As `text`, of a path at a commit. Raises BadArguments where there is no such text."""
        commit = await self.whole_id(repository, version)
        file = (await self.tree(repository, commit)).get(path)
        text = None if file is None else await self.text(repository, path, file.sha)
        if text is None:
            raise BadArguments(f"there is no text {path[:120]} in {repository} at {version[:10]}")
        return text

    async def default_branch(self, repository: str) -> str:
        what = f"repository {repository}"
        return answers.one(
            _Default, await self._client.get(f"/repos/{quoted(repository)}", what=what), what
        ).default_branch

    async def head(self, repository: str, branch: str) -> str:
        """The newest commit of a branch."""
        what = f"branch {branch} of {repository}"
        path = f"/repos/{quoted(repository)}/git/ref/heads/{quote(branch)}"
        return answers.one(_Ref, await self._client.get(path, what=what), what).object.sha

    async def has_branch(self, repository: str, branch: str) -> bool:
        what = f"branches of {repository}"
        path = f"/repos/{quoted(repository)}/git/matching-refs/heads/{quote(branch)}"
        found = answers.several(_Ref, await self._client.get(path, what=what), what)
        return any(one.ref == f"refs/heads/{branch}" for one in found)

    async def parents(self, repository: str, commit: str) -> list[str]:
        return [one.sha for one in (await self._commit(repository, commit)).parents]

    async def tree_id(self, repository: str, commit: str) -> str:
        return (await self._commit(repository, commit)).tree.sha

    async def _commit(self, repository: str, commit: str) -> _GitCommit:
        what = f"commit {commit[:7]} of {repository}"
        return answers.one(
            _GitCommit, await self._client.get(f"/repos/{quoted(repository)}/git/commits/{commit}", what=what), what
        )
