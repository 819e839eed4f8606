"""Tests a connection: what of it can be read, and which rights are missing, named with what is lost for want of them.

Rights to change something are known beforehand of an App only, whose installation lists them. GitHub tells nobody what
a plain token may change until it is used, and nothing is changed for a test.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final

from agents.connecting.connector import Check
from agents.connecting.connectors.github.client import GitHubClient
from agents.connecting.connectors.github.repositories import Repositories
from agents.connecting.connectors.github.settings import SCOPES, GitHubConfig, writes_of
from agents.errors import AgentError

_PROBED: Final = {
    "deployments:read": "deployments",
    "contents:read": "commits",
    "pull_requests:read": "pulls",
    "actions:read": "actions/runs",
}


class GitHubCheck:
    """Of one connection."""

    def __init__(self, client: GitHubClient, repositories: Repositories, config: GitHubConfig) -> None:
        self._client, self._repositories, self._config = client, repositories, config

    async def check(self) -> Check:
        """Reads one of each kind from the first repository, so that a missing right is told before an incident."""
        try:
            names = await self._repositories.all()
        except AgentError as exc:
            return Check(ok=False, detail=str(exc), next_action="Correct that, and test again.")
        if not names:
            return Check(
                ok=False,
                detail="GitHub answers, but this credential may see no repository",
                next_action="Give it access to the repositories of your services.",
            )
        found = await asyncio.gather(*(self._probe(names[0], path) for path in _PROBED.values()))
        failures = {scope: failure for scope, failure in zip(_PROBED, found, strict=True) if failure}
        if len(failures) == len(_PROBED):
            return Check(
                ok=False, detail=str(next(iter(failures.values()))), next_action="Correct that, and test again."
            )
        without = {scope.name: scope.without for scope in SCOPES}
        lost = {scope: f"{without[scope]} ({failure})" for scope, failure in failures.items()}
        granted = await self._client.granted()
        lost |= self._unwritable(granted)
        seen = f"GitHub answers, {len(names)} {'repository' if len(names) == 1 else 'repositories'} can be read"
        if self._config.actions and granted is None:
            seen += "; whether the token may change what its remedies need, GitHub tells only when one is used"
        if not lost:
            return Check(ok=True, detail=seen)
        advice = f"Give the credential {', '.join(lost)}, where you want that."
        lacks = tuple(f"{scope}: {why}" for scope, why in lost.items())
        return Check(ok=False, answers=True, detail=seen, lacks=lacks, next_action=advice)

    def _unwritable(self, granted: Mapping[str, str] | None) -> dict[str, str]:
        """Rights that permitted remedies need and an App does not have."""
        if granted is None:
            return {}
        lost: dict[str, list[str]] = {}
        for action in self._config.actions:
            for scope in writes_of(self._config, action):
                if granted.get(scope.partition(":")[0]) not in ("write", "admin"):
                    lost.setdefault(scope, []).append(action)
        return {scope: f"{', '.join(actions)} cannot be carried out" for scope, actions in lost.items()}

    async def _probe(self, repository: str, path: str) -> AgentError | None:
        what = f"{path.rpartition('/')[2]} of {repository}"
        try:
            await self._client.get(f"/repos/{repository}/{path}", {"per_page": "1"}, what=what, timeout_s=4)
        except AgentError as exc:
            return exc
        return None
