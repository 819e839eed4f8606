"""Deployments: when each took effect, what ran before, and which files lie between two versions."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final
from urllib.parse import quote, urlsplit

from agents.connecting.connector import (
    ConnectorContext,
    Service,
)
from agents.connecting.connectors.github import answers
from agents.connecting.connectors.github.answers import (
    Deployed,
    Deployment,
    DeploymentStatus,
    GitHubComparison,
)
from agents.connecting.connectors.github.client import GitHubClient
from agents.connecting.connectors.github.repositories import Repositories, quoted
from agents.connecting.connectors.github.settings import GitHubConfig
from agents.errors import AgentError, Unavailable
from agents.evidence.types import Change, Window

_WITH_STATUS: Final = 40
_NEWEST: Final = 10
_AT_ONCE: Final = 4
_NOT_YET: Final = frozenset({"pending", "queued", "in_progress", "waiting"})
_FAILED: Final = frozenset({"failure", "error"})


class Deployments:
    """Of repositories, by the services that they are of."""

    def __init__(
        self, client: GitHubClient, config: GitHubConfig, context: ConnectorContext, repositories: Repositories
    ) -> None:
        self._client, self._config, self._context, self._repositories = client, config, context, repositories

    async def listed(self, name: str, *, most_pages: int = 3) -> list[Deployment]:
        asked = {"environment": self._config.environments[0]} if len(self._config.environments) == 1 else {}
        what = f"deployments of {name}"
        listed = await self._client.pages(f"/repos/{quoted(name)}/deployments", asked, what=what, most_pages=most_pages)
        found = answers.several(Deployment, listed.items, what)
        return [d for d in found if not self._config.environments or d.environment in self._config.environments]

    async def of_repository(
        self, name: str, owned: Sequence[Service], window: Window, gaps: list[str]
    ) -> list[Deployed]:
        """Oldest first, with the last one of each service before the window."""
        listed = await self.listed(name)
        if not listed:
            gaps.append(f"{name}: GitHub has no deployments of it; whoever deploys it does not tell GitHub")
        told = [(d, service) for d in listed if (service := answers.service_of(d, owned)) is not None]
        if listed and not told:
            gaps.append(f"{name}: its {len(listed)} deployments do not say which service they are of")
        inside = [(d, s) for d, s in told if window.start <= d.created_at <= window.end]
        before: dict[str, tuple[Deployment, str]] = {}
        for deployment, service in told:
            if deployment.created_at < window.start:
                before.setdefault(service, (deployment, service))
        chosen = [*inside[:_WITH_STATUS], *before.values()]
        if len(inside) > _WITH_STATUS:
            gaps.append(f"{name}: how the {len(inside) - _WITH_STATUS} oldest deployments ended was not read")
        gate = asyncio.Semaphore(_AT_ONCE)

        async def effect(deployment: Deployment, service: str) -> Deployed:
            state, at = await self._effect(name, deployment, gate, gaps)
            link = f"{self.web}/{name}/deployments/{quote(deployment.environment, safe='')}"
            return Deployed(
                service=service,
                deployment=deployment,
                at=at or deployment.created_at.astimezone(UTC),
                state=state,
                link=link,
            )

        found = await asyncio.gather(*(effect(d, s) for d, s in chosen))
        return sorted(found, key=lambda one: one.at)

    async def changes(self, name: str, owned: Sequence[Service], window: Window, gaps: list[str]) -> list[Change]:
        """Those that took effect. One that failed changed nothing, as far as GitHub was told."""
        found: list[Change] = []
        last: dict[str, str] = {}
        deployed = [d for d in await self.of_repository(name, owned, window, gaps) if d.state not in _FAILED]
        words = await self._context.clean_words([d.deployment.description or d.deployment.ref for d in deployed])
        for one, said in zip(deployed, words, strict=True):
            if window.start <= one.at <= window.end:
                found.append(
                    Change(
                        id=change_id(one),
                        service=one.service,
                        at=one.at,
                        kind="deployment",
                        version=one.deployment.sha,
                        previous_version=last.get(one.service),
                        summary=said[:200],
                        link=one.link,
                    )
                )
            last[one.service] = one.deployment.sha
        return found

    async def newest(self, name: str, service: str, owned: Sequence[Service]) -> list[Change]:
        """The last ones of a service that took effect, newest first."""
        mine = [d for d in await self.listed(name, most_pages=1) if answers.service_of(d, owned) == service]
        gate, gaps = asyncio.Semaphore(_AT_ONCE), list[str]()
        effects = await asyncio.gather(*(self._effect(name, d, gate, gaps) for d in mine[:_NEWEST]))
        if gaps:
            raise Unavailable(gaps[0])  # of one whose end is not known nobody can say that it runs
        return [
            Change(
                id=f"deployment/{service}/{deployment.id}",
                service=service,
                at=at or deployment.created_at.astimezone(UTC),
                kind="deployment",
                version=deployment.sha,
            )
            for deployment, (state, at) in zip(mine, effects, strict=False)
            if state not in _FAILED | _NOT_YET
        ]

    async def with_paths(self, changes: Sequence[Change], gaps: list[str]) -> list[Change]:
        gate = asyncio.Semaphore(_AT_ONCE)

        async def one(change: Change) -> Change:
            if change.version is None or change.previous_version in (None, change.version):
                return change
            try:
                async with gate:
                    name = await self._repositories.of(change.service)
                    compared = await self.compared(name, str(change.previous_version), change.version)
            except AgentError as exc:
                gaps.append(f"{change.id}: the files it changed could not be read: {exc}")
                return change
            folders = self._config.paths.get(change.service, ())
            names = [f.filename for f in compared.files if answers.within(f.filename, folders)]
            return replace(change, paths=tuple(await self._context.clean_words(names)))

        return list(await asyncio.gather(*map(one, changes)))

    async def compared(self, name: str, old: str, new: str) -> GitHubComparison:
        what = f"comparison {old[:7]}...{new[:7]} of {name}"
        document = await self._client.get(f"/repos/{quoted(name)}/compare/{old}...{new}", what=what, timeout_s=15)
        return answers.one(GitHubComparison, document, what)

    async def _effect(
        self, name: str, deployment: Deployment, gate: asyncio.Semaphore, gaps: list[str]
    ) -> tuple[str, datetime | None]:
        what = f"the statuses of deployment {deployment.id}"
        try:
            async with gate:
                path = f"/repos/{quoted(name)}/deployments/{deployment.id}/statuses"
                listed = await self._client.pages(path, {}, what=what, most_pages=1)
            return answers.effect_of(answers.several(DeploymentStatus, listed.items, what))
        except AgentError as exc:
            gaps.append(f"{name}: {what} could not be read: {exc}")
            return "unknown", None

    @property
    def web(self) -> str:
        """Where people look: github.com, or the server itself."""
        parts = urlsplit(str(self._config.api))
        return "https://github.com" if parts.hostname == "api.github.com" else f"{parts.scheme}://{parts.netloc}"


def change_id(one: Deployed) -> str:
    return f"deployment/{one.service}/{one.deployment.id}"
