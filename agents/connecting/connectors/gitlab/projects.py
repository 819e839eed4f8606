"""Which projects there are, whose they are, and what was deployed of them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from agents.connecting.connector import ConnectorContext, Service
from agents.connecting.connectors.gitlab.answers import GitLabComparison, GitLabDeployment, GitLabProject, whose
from agents.connecting.connectors.gitlab.client import GitLabClient, as_one, as_several, project_path
from agents.connecting.connectors.gitlab.settings import GitLabConfig
from agents.errors import BadArguments
from agents.evidence.types import Change, Window

_MOST_PROJECTS: Final = 20
_BEFORE: Final = timedelta(days=90)
_NEWEST: Final = 10


class GitLabProjects:
    """Of the declared services. Asks GitLab each time."""

    def __init__(self, client: GitLabClient, config: GitLabConfig, context: ConnectorContext) -> None:
        self._client, self._config, self._context = client, config, context

    async def all(self) -> list[GitLabProject]:
        """Those that were named, each seen for real; else those that the token is a member of, in use lately first."""
        if self._config.projects:
            return list(await asyncio.gather(*(self.one(name) for name in self._config.projects)))
        asked = {"membership": "true", "archived": "false", "order_by": "last_activity_at"}
        read = await self._client.pages("/projects", asked, what="your projects")
        return as_several(GitLabProject, read.items, "projects")

    async def one(self, name: str) -> GitLabProject:
        return as_one(GitLabProject, await self._client.get(project_path(name), what=f"project {name}"), "a project")

    async def of_services(self, services: Sequence[Service], gaps: list[str]) -> dict[str, list[Service]]:
        """Services by project. Of those whose project nobody named, by the last part of its path."""
        found: dict[str, list[Service]] = {}
        homeless = [s for s in services if self._named(s) is None]
        for service in services:
            if (name := self._named(service)) is not None:
                found.setdefault(name, []).append(service)
        names = (list(self._config.projects) or [p.path_with_namespace for p in await self.all()]) if homeless else []
        for service in homeless:
            fitting = [name for name in names if name.rpartition("/")[2].lower() == service.name]
            fitting = fitting or (names if len(names) == 1 else [])
            if len(fitting) == 1:
                found.setdefault(fitting[0], []).append(service)
            else:
                gaps.append(f"{service.name}: which project at GitLab is its own is not known; see /autoheal services")
        if len(found) > _MOST_PROJECTS:
            gaps.append(f"GitLab: {len(found) - _MOST_PROJECTS} further projects were not read")
        return {name: found[name] for name in list(found)[:_MOST_PROJECTS]}

    async def of(self, service: str) -> str:
        """Raises BadArguments where it is not known."""
        self._context.require_declared([service], key="service")
        gaps: list[str] = []
        found = await self.of_services([s for s in self._context.services if s.name == service], gaps)
        if not found:
            raise BadArguments(gaps[0])
        return next(iter(found))

    def home(self, service: str) -> str | None:
        """The project that somebody named for a service, or the only one that is read; None where it is looked for."""
        named = self._named(next(one for one in self._context.services if one.name == service))
        return named or (self._config.projects[0] if len(self._config.projects) == 1 else None)

    async def owned_by(self, project: str) -> list[Service]:
        found = await self.of_services(self._context.services, [])
        return found.get(project, [])

    async def deployed(self, project: str, window: Window) -> tuple[list[GitLabDeployment], bool]:
        """Those that succeeded, newest first, with what ran before the window; whether there were more."""
        what = f"deployments of {project}"
        asked = {
            "order_by": "finished_at",
            "sort": "desc",
            "status": "success",
            "finished_after": (window.start - _BEFORE).astimezone(UTC).isoformat(),
            "finished_before": window.end.astimezone(UTC).isoformat(),
        }
        read = await self._client.pages(f"{project_path(project)}/deployments", asked, what=what, most_pages=2)
        found = as_several(GitLabDeployment, read.items, what)
        wanted = self._config.environments
        return [one for one in found if not wanted or one.environment.name in wanted], read.more

    async def changes(self, project: str, owned: Sequence[Service], window: Window, gaps: list[str]) -> list[Change]:
        """Deployments of the window, oldest first."""
        listed, more = await self.deployed(project, window)
        told = [(one, service) for one in listed if (service := whose(one, owned)) is not None]
        if not listed:
            gaps.append(f"{project}: GitLab has no deployments of it; whoever deploys it does not tell GitLab")
        elif not told:
            gaps.append(f"{project}: its {len(listed)} deployments do not say which service they are of")
        if more and listed[-1].at > window.start:
            gaps.append(f"{project}: only the newest {len(listed)} deployments were read")
        found: list[Change] = []
        last: dict[str, str] = {}
        refs = await self._context.clean_words([f"{one.ref} to {one.environment.name}" for one, _ in told])
        for (one, service), said in sorted(zip(told, refs, strict=True), key=lambda pair: pair[0][0].at):
            if window.start <= one.at <= window.end:
                found.append(self._change(project, one, service, said, last.get(service)))
            last[service] = one.sha
        return found

    async def newest(self, project: str, service: str, now: datetime) -> list[Change]:
        """The last ones of a service, newest first."""
        window = Window(start=now - timedelta(days=1), end=now)
        listed, _ = await self.deployed(project, window)
        owned = await self.owned_by(project)
        mine = [one for one in listed if whose(one, owned) == service][:_NEWEST]
        return [self._change(project, one, service, "", None) for one in mine]

    async def compared(self, project: str, old: str, new: str) -> GitLabComparison:
        what = f"comparison {old[:7]}...{new[:7]} of {project}"
        path = f"{project_path(project)}/repository/compare"
        return as_one(GitLabComparison, await self._client.get(path, {"from": old, "to": new}, what=what), what)

    def _change(self, project: str, one: GitLabDeployment, service: str, said: str, before: str | None) -> Change:
        return Change(
            id=f"deployment/{service}/{one.id}",
            service=service,
            at=one.at,
            kind="deployment",
            version=one.sha,
            previous_version=before,
            summary=said[:200],
            link=(one.deployable.web_url if one.deployable else "") or f"{self._config.base}/{project}/-/environments",
        )

    def _named(self, service: Service) -> str | None:
        """As the settings or the catalog say; those outside of the limit are none of ours."""
        named: str | None = self._config.services.get(service.name) or service.repository
        aliases = [alias.removeprefix("repository:") for alias in service.aliases if alias.startswith("repository:")]
        for name in filter(None, (named, *aliases)):
            if "/" in name and (not self._config.projects or name in self._config.projects):
                return str(name)
        return None
