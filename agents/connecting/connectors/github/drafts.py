"""Drafts of pull requests, by commits: a merged one taken back, or one small edit. Nothing is ever merged here.

https://docs.github.com/en/rest/git -- a tree, a commit, a branch, a draft. The branch is named after what it holds and
the commit it starts from, so that a draft that was made already is found, and none is made twice.
"""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Mapping
from typing import Any, Final

from pydantic import AwareDatetime, BaseModel, ConfigDict

from agents.connecting.code_host import HostPreview
from agents.connecting.connector import ActionResult, ConnectorContext, TargetState
from agents.connecting.connectors.github import answers
from agents.connecting.connectors.github.client import GitHubClient
from agents.connecting.connectors.github.git_data import GitData, TreeFile
from agents.connecting.connectors.github.repositories import quoted
from agents.connecting.connectors.github.settings import GitHubConfig
from agents.errors import BadArguments

_MOST_FILES: Final = 100
_MOST_LINES: Final = 40
_WORKFLOWS: Final = ".github/workflows/"
_ABSENT, _OPEN, _CLOSED = "no draft", "draft is open", "draft is closed"


class _PullRequest(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)
    number: int
    title: str
    state: str
    html_url: str
    merged_at: AwareDatetime | None = None
    merge_commit_sha: str | None = None
    commits: int = 0
    changed_files: int = 0
    additions: int = 0
    deletions: int = 0


class DraftActions:
    """Of one connection."""

    def __init__(self, client: GitHubClient, data: GitData, config: GitHubConfig, context: ConnectorContext) -> None:
        self._client, self._data, self._config, self._context = client, data, config, context

    async def preview_revert(self, service: str, repository: str, asked: Mapping[str, str]) -> HostPreview:
        number = asked["pull_request"].lstrip("#")
        pull = await self._pull(repository, number)
        base = await self._base(repository)
        changed = await self._taken_back(repository, pull, base["base"])
        (title,) = await self._context.clean_words([pull.title[:80]])
        parameters = {"service": service, "repository": repository, **base, "pull_request": number}
        paths = tuple(await self._context.clean_words(sorted(changed)))
        return await self._previewed(
            {**parameters, "branch": f"autoheal-revert-{number}-{base['base'][:10]}"},
            title=f"Draft a revert of #{number} {title}",
            paths=paths,
            link=pull.html_url,
            known=(f"none of its {len(changed)} files changed since it was merged",),
        )

    async def preview_fix(self, service: str, repository: str, asked: Mapping[str, str]) -> HostPreview:
        path, old, new = asked["path"], asked["old"], asked.get("new", "")
        _check_fix(path, old, new)
        if not answers.within(path, self._config.paths.get(service, ())):
            raise BadArguments(f"{path[:120]} is no file of {service}")
        base = await self._base(repository)
        read = await self._data.text_at(repository, asked["version"], path)
        now = await self._data.text_at(repository, base["base"], path)
        for text, where in ((read, asked["version"][:10]), (now, base["into"])):
            if text.count(old) != 1:
                raise BadArguments(
                    f"what is to be replaced stands {text.count(old)} times in {path} at {where}, not once"
                )
        parameters = {"service": service, "repository": repository, **base, "path": path, "old": old, "new": new}
        token = hashlib.sha256(repr((path, old, new)).encode()).hexdigest()[:10]
        return await self._previewed(
            {**parameters, "branch": f"autoheal-fix-{token}-{base['base'][:10]}", "title": asked["title"]},
            title=f"Draft a fix: {asked['title']}",
            paths=(path,),
            link=None,
            known=(f"what is replaced stands once in {path}, at {asked['version'][:10]} and on {base['into']}",),
        )

    async def preview_close(self, service: str, repository: str, asked: Mapping[str, str]) -> HostPreview:
        parameters = {"service": service, "repository": repository, **asked}
        target = await self.read(parameters)
        if target.version != _OPEN:
            raise BadArguments(f"there is nothing to close: {target.version}")
        return HostPreview(
            title="Close the draft and delete its branch",
            parameters=parameters,
            target=target,
            to_version=_CLOSED,
            interruption="users notice nothing",
        )

    async def read(self, parameters: Mapping[str, str]) -> TargetState:
        """Whether there is a draft, and which commit its base is at."""
        repository, into = parameters["repository"], parameters["into"]
        pull = await self._of_branch(repository, parameters["branch"])
        version = _ABSENT if pull is None else _OPEN if pull.state == "open" else _CLOSED
        head = await self._data.head(repository, into)
        return TargetState(
            service=parameters["service"],
            version=version,
            previous_version=None,
            state=f"{into} is at {head[:10]}",
            instances=0,
            started_at=None,
            read_at=self._context.now(),
        )

    def argv(self, action: str, parameters: Mapping[str, str]) -> tuple[str, ...]:
        pulls = f"/repos/{parameters['repository']}/pulls"
        if action == "close_pull_request":
            return ("PATCH", pulls, f"head={parameters['branch']}", "state=closed, and its branch is deleted")
        way = f"{parameters['branch']} into {parameters['into']}, as a draft"
        if action == "revert_pull_request":
            return ("POST", pulls, way, f"each file of #{parameters['pull_request']} as it was before")
        return ("POST", pulls, way, _shown(parameters))

    async def act(self, action: str, parameters: Mapping[str, str], *, idempotency_key: str) -> ActionResult:
        repository, branch, base = parameters["repository"], parameters["branch"], parameters["base"]
        made = await self._of_branch(repository, branch)
        if action == "close_pull_request":
            return await self._close(repository, branch, made)
        if made is not None:
            return ActionResult(ok=True, detail=f"#{made.number} is there already: {made.html_url}")
        there = await self._data.has_branch(repository, branch)
        if not there and (head := await self._data.head(repository, parameters["into"])) != base:
            detail = f"{parameters['into']} is at {head[:10]}, not {base[:10]}: nothing was done"
            return ActionResult(ok=False, detail=detail)
        tree = await self._tree(repository, base, await self._entries(action, parameters))
        if not there:
            await self._branch(action, parameters, tree)
        elif not await self._holds(repository, branch, base, tree):
            detail = f"{branch} is there already and holds something else than was approved: nothing was done"
            return ActionResult(ok=False, detail=detail)
        told = {
            "title": _title(action, parameters),
            "head": branch,
            "base": parameters["into"],
            "body": f"Drafted by Autoheal on an approved proposal ({idempotency_key}). Review it as any other change.",
            "draft": True,
        }
        document = await self._client.send("POST", f"/repos/{quoted(repository)}/pulls", told, what="a draft")
        pull = answers.one(_PullRequest, document, "the draft")
        return ActionResult(ok=True, detail=f"#{pull.number} is a draft: {pull.html_url}")

    async def _previewed(
        self,
        parameters: dict[str, str],
        *,
        title: str,
        paths: tuple[str, ...],
        link: str | None,
        known: tuple[str, ...],
    ) -> HostPreview:
        target = await self.read(parameters)
        if target.version != _ABSENT:
            raise BadArguments(f"it was drafted already: {target.version}, on {parameters['branch']}")
        back = {name: parameters[name] for name in ("branch", "into", "base")}
        return HostPreview(
            title=title,
            parameters=parameters,
            target=target,
            to_version=_OPEN,
            interruption="users notice nothing until somebody merges and deploys it",
            known=known,
            paths=paths,
            link=link,
            undo="Close the draft and delete its branch",
            undo_parameters=back,
        )

    async def _entries(self, action: str, parameters: Mapping[str, str]) -> list[dict[str, Any]]:
        """What the new tree has otherwise than the base."""
        repository, base = parameters["repository"], parameters["base"]
        if action == "revert_pull_request":
            pull = await self._pull(repository, parameters["pull_request"])
            changed = await self._taken_back(repository, pull, base)
            gone = {"mode": "100644", "type": "blob", "sha": None}
            return [
                {"path": path, **({"mode": old.mode, "type": "blob", "sha": old.sha} if old else gone)}
                for path, old in sorted(changed.items())
            ]
        path, old, new = parameters["path"], parameters["old"], parameters["new"]
        _check_fix(path, old, new)
        file = (await self._data.tree(repository, base)).get(path)
        text = await self._data.text_at(repository, base, path)
        if file is None or text.count(old) != 1:
            raise BadArguments(f"what shall be replaced does not stand once in {path} any more")
        return [{"path": path, "mode": file.mode, "type": "blob", "content": text.replace(old, new)}]

    async def _tree(self, repository: str, base: str, entries: list[dict[str, Any]]) -> str:
        """Its id, which follows from what it holds."""
        on = await self._data.tree_id(repository, base)
        asked = {"base_tree": on, "tree": entries}
        return _sha(await self._client.send("POST", f"/repos/{quoted(repository)}/git/trees", asked, what="a tree"))

    async def _holds(self, repository: str, branch: str, base: str, tree: str) -> bool:
        """Whether a branch is as `_branch` would make it: anybody who may push can make one of that name."""
        head = await self._data.head(repository, branch)
        found = await self._data.tree_id(repository, head), await self._data.parents(repository, head)
        return found == (tree, [base])

    async def _branch(self, action: str, parameters: Mapping[str, str], tree: str) -> None:
        repository, base = parameters["repository"], parameters["base"]
        git = f"/repos/{quoted(repository)}/git"
        told = {"message": _title(action, parameters), "tree": tree, "parents": [base]}
        commit = await self._client.send("POST", f"{git}/commits", told, what="a commit")
        made = {"ref": f"refs/heads/{parameters['branch']}", "sha": _sha(commit)}
        await self._client.send("POST", f"{git}/refs", made, what=f"the branch {parameters['branch']}")

    async def _close(self, repository: str, branch: str, made: _PullRequest | None) -> ActionResult:
        base = f"/repos/{quoted(repository)}"
        if made is not None and made.state == "open":
            await self._client.send(
                "PATCH", f"{base}/pulls/{made.number}", {"state": "closed"}, what="closing the draft"
            )
        if await self._data.has_branch(repository, branch):
            await self._client.send("DELETE", f"{base}/git/refs/heads/{branch}", what="deleting the branch")
        return ActionResult(ok=True, detail="the draft is closed and its branch is gone")

    async def _pull(self, repository: str, number: str) -> _PullRequest:
        what = f"pull request {number} of {repository}"
        document = await self._client.get(f"/repos/{quoted(repository)}/pulls/{int(number)}", what=what)
        return answers.one(_PullRequest, document, what)

    async def _of_branch(self, repository: str, branch: str) -> _PullRequest | None:
        what = f"drafts of {branch}"
        asked = {"head": f"{repository.partition('/')[0]}:{branch}", "state": "all", "per_page": "1"}
        listed = await self._client.pages(f"/repos/{quoted(repository)}/pulls", asked, what=what, most_pages=1)
        return next(iter(answers.several(_PullRequest, listed.items, what)), None)

    async def _base(self, repository: str) -> dict[str, str]:
        into = await self._data.default_branch(repository)
        return {"into": into, "base": await self._data.head(repository, into)}

    async def _taken_back(self, repository: str, pull: _PullRequest, base: str) -> dict[str, TreeFile | None]:
        """Each file of a merged pull request as it was before it, None for one that it made. Raises BadArguments where
        one changed since, or where what was merged is not one commit.
        """
        if pull.merged_at is None or pull.merge_commit_sha is None:
            raise BadArguments(f"#{pull.number} is not merged")
        parents = await self._data.parents(repository, pull.merge_commit_sha)
        if not parents:
            raise BadArguments(f"#{pull.number} has nothing before it")
        if pull.commits > 1 and len(parents) == 1 and not await self._is_squash(repository, parents[0], pull):
            raise BadArguments(f"#{pull.number} was merged as {pull.commits} commits, which are not taken back here")
        before = await self._data.tree(repository, parents[0])
        after = await self._data.tree(repository, pull.merge_commit_sha)
        now = await self._data.tree(repository, base)
        changed = [path for path in before.keys() | after.keys() if before.get(path) != after.get(path)]
        if not changed or len(changed) > _MOST_FILES:
            raise BadArguments(
                f"#{pull.number} changes {len(changed)} files; from 1 to {_MOST_FILES} are taken back here"
            )
        if any(path.startswith(_WORKFLOWS) for path in changed):
            raise BadArguments(f"#{pull.number} changes workflows, which are not touched from here")
        since = [path for path in changed if now.get(path) != after.get(path)]
        if since:
            told = await self._context.clean_words(sorted(since)[:5])
            raise BadArguments(f"{', '.join(told)} changed since #{pull.number} was merged: revert it by hand")
        return {path: before.get(path) for path in changed}

    async def _is_squash(self, repository: str, parent: str, pull: _PullRequest) -> bool:
        what = f"what #{pull.number} merged"
        path = f"/repos/{quoted(repository)}/compare/{parent}...{pull.merge_commit_sha}"
        found = answers.one(answers.GitHubComparison, await self._client.get(path, what=what), what)
        changes = sum(file.changes for file in found.files)
        return (len(found.files), changes) == (pull.changed_files, pull.additions + pull.deletions)


def _check_fix(path: str, old: str, new: str) -> None:
    """Raises BadArguments for what is no small edit of a file that may be touched."""
    if path.startswith((".github/", "/")) or ".." in path.split("/"):
        raise BadArguments(f"{path[:120]} is not touched from here")
    if old == new:
        raise BadArguments("old and new are the same")
    if max(len(old.splitlines()), len(new.splitlines())) > _MOST_LINES:
        raise BadArguments(f"more than {_MOST_LINES} lines are no small fix")


def _shown(parameters: Mapping[str, str]) -> str:
    old, new = parameters["old"].splitlines(), parameters["new"].splitlines()
    return "\n".join(difflib.unified_diff(old, new, f"a/{parameters['path']}", f"b/{parameters['path']}", lineterm=""))


def _title(action: str, parameters: Mapping[str, str]) -> str:
    return f"Revert #{parameters['pull_request']}" if action == "revert_pull_request" else parameters["title"]


def _sha(document: Any) -> str:
    found = document.get("sha") if isinstance(document, dict) else None
    if not isinstance(found, str):
        raise BadArguments("GitHub answered without the id of what it made")
    return found
