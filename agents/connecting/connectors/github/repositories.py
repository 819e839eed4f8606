"""Which repositories there are, and which is whose: as the settings or the catalog say, else by name."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final
from urllib.parse import quote

from agents.connecting.connector import (
    ConnectorContext,
    Service,
)
from agents.connecting.connectors.github import answers
from agents.connecting.connectors.github.answers import (
    GitHubRepository,
)
from agents.connecting.connectors.github.client import GitHubClient
from agents.connecting.connectors.github.settings import GitHubConfig
from agents.errors import BadArguments

MOST_REPOSITORIES: Final = 20


class Repositories:
    """Of the declared services. Asks GitHub each time."""

    def __init__(self, client: GitHubClient, config: GitHubConfig, context: ConnectorContext) -> None:
        self._client, self._config, self._context = client, config, context

    async def all(self) -> list[str]:
        """Those that were named, each seen for real; else all that the credential may see and that are in use."""
        if self._config.repositories:
            seen = await asyncio.gather(
                *(self._client.get(f"/repos/{quoted(n)}", what=f"repository {n}") for n in self._config.repositories)
            )
            return [answers.one(GitHubRepository, document, "a repository").full_name for document in seen]
        if self._config.app_id:
            listed = await self._client.pages(
                "/installation/repositories", {}, what="the App's repositories", key="repositories"
            )
        else:
            listed = await self._client.pages("/user/repos", {"sort": "pushed"}, what="your repositories")
        found = answers.several(GitHubRepository, listed.items, "repositories")
        return [one.full_name for one in found if not (one.archived or one.disabled or one.fork)]

    async def of_services(self, services: Sequence[Service], gaps: list[str]) -> dict[str, list[Service]]:
        """Services by repository. Of those whose repository nobody named, all of the only one there is."""
        found: dict[str, list[Service]] = {}
        homeless = []
        for service in services:
            name = self.named(service)
            if name is not None:
                found.setdefault(name, []).append(service)
            else:
                homeless.append(service)
        if homeless:
            names = self._config.repositories or await self.all()
            by_end = {name.partition("/")[2].lower(): name for name in names}
            for service in homeless:
                if service.name in by_end:
                    found.setdefault(by_end[service.name], []).append(service)
                elif len(names) == 1:
                    found.setdefault(names[0], []).append(service)
                else:
                    gaps.append(
                        f"{service.name}: which repository at GitHub is its own is not known; see /autoheal services"
                    )
        if len(found) > MOST_REPOSITORIES:
            left = list(found)[MOST_REPOSITORIES:]
            gaps.append(f"GitHub: {len(left)} further repositories were not read")
            found = {name: found[name] for name in list(found)[:MOST_REPOSITORIES]}
        return found

    async def of(self, service: str) -> str:
        """Raises BadArguments where it is not known."""
        gaps: list[str] = []
        found = await self.of_services([self.service(service)], gaps)
        if not found:
            raise BadArguments(gaps[0])
        return next(iter(found))

    def owned_by(self, name: str) -> list[Service]:
        """The services of a repository; all, where none is known to be elsewhere."""
        mine = [s for s in self._context.services if self.named(s) == name]
        same = [s for s in self._context.services if s.name == name.partition("/")[2].lower()]
        return mine or same or [s for s in self._context.services if self.named(s) is None]

    def service(self, name: str) -> Service:
        self._context.require_declared([name], key="service")
        return next(s for s in self._context.services if s.name == name)

    def named(self, service: Service) -> str | None:
        """As the settings or the catalog say; those of another forge, or outside of the limit, are none of ours."""
        named: str | None = self._config.services.get(service.name) or service.repository
        aliases = [alias.removeprefix("repository:") for alias in service.aliases if alias.startswith("repository:")]
        names: list[str] = [name for name in (named, *aliases) if name]
        for name in names:
            if name.count("/") == 1 and (not self._config.repositories or name in self._config.repositories):
                return name
        return None


def quoted(name: str) -> str:
    return quote(name, safe="/")
