"""Reads GitHub: deployments, commits, pull requests, workflow runs, and what lies between two versions.

https://docs.github.com/en/rest -- by a token, or as a GitHub App of the team's own, whose installation token is renewed
before it ends. Reads only. What GitHub refuses is a gap: a 403 or 404 is a fact about access and proves nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import PurePosixPath
from typing import Any, Final
from urllib.parse import quote, urlsplit

from pydantic import Field, HttpUrl, field_validator

from agents.connecting.connector import (
    ChangesRead,
    Check,
    Connector,
    ConnectorConfig,
    ConnectorContext,
    Diff,
    Discovered,
    Discovery,
    Service,
    diff_output,
)
from agents.connecting.connectors.github import answers
from agents.connecting.connectors.github.answers import (
    Commit,
    Deployed,
    Deployment,
    DeploymentStatus,
    GitHubComparison,
    GitHubRepository,
    PullRequest,
    WorkflowRun,
)
from agents.connecting.connectors.github.client import GitHubClient
from agents.connecting.fields import Field as Asked
from agents.connecting.fields import Form, Scope, Way
from agents.errors import AgentError, BadArguments
from agents.evidence.types import Change, Window
from agents.rows import Changed, Row, Searched
from agents.tool import Arguments, ToolOutput, tool

_VERSION: Final = r"^[0-9a-f]{7,64}$"
_MAX_TEXT: Final = 60_000
_WITH_PATHS: Final = 12  # the newest deployments whose files are read; each costs one question
_WITH_STATUS: Final = 40
_AT_ONCE: Final = 4
_MOST_REPOSITORIES: Final = 20
_DISCOVERED: Final = 200
_FAILED: Final = frozenset({"failure", "error"})


class GitHubConfig(ConnectorConfig):
    """`repositories` limits what is read, `environments` whose deployments. `services` maps a declared service to its
    repository where the catalog does not say so, `paths` narrows it to folders of that.
    """

    api: HttpUrl = HttpUrl("https://api.github.com")
    repositories: tuple[str, ...] = ()
    environments: tuple[str, ...] = ()
    app_id: str = ""
    installation_id: str = ""
    services: Mapping[str, str] = Field(default_factory=dict)
    paths: Mapping[str, tuple[str, ...]] = Field(default_factory=dict)
    migrations: tuple[str, ...] = ("migrations",)

    @field_validator("repositories")
    @classmethod
    def _named(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if name.count("/") != 1 or not all(name.split("/")):
                raise ValueError(f"{name!r} is no repository; write owner/name")
        return names

    @field_validator("app_id", "installation_id")
    @classmethod
    def _number(cls, number: str) -> str:
        if number and not (number.isascii() and number.isdigit()):
            raise ValueError("is a number")
        return number


class OfService(Arguments):
    service: str = Field(description="A declared service.")
    hours: int = Field(default=24, ge=1, le=720, description="How far back from now.")


class OfCommit(Arguments):
    service: str = Field(description="A declared service whose repository has the commit.")
    version: str = Field(pattern=_VERSION, description="A commit id of at least 7 hexadecimal characters.")


class BetweenVersions(Arguments):
    service: str = Field(description="A declared service.")
    from_version: str = Field(pattern=_VERSION, description="Commit id before the change.")
    to_version: str = Field(pattern=_VERSION, description="Commit id after the change.")


class GitHub(Connector):
    name = "github"
    title = "GitHub"
    config_model = GitHubConfig
    names_are = "repository"
    about = "Deployments, commits, pull requests and workflow runs."
    docs_url = "https://docs.github.com/en/rest"
    form = Form(
        fields=(
            Asked(
                name="repositories",
                label="Repositories",
                help="Which ones to read, one a line. Empty: all that the credential may see.",
                example="acme/shop",
                kind="lines",
                long=True,
            ),
            Asked(
                name="token",
                label="Token",
                help="GitHub: Settings, Developer settings, Fine-grained tokens. Give it read access to the rights "
                "named above, for these repositories only.",
                secret=True,
                pattern=r"[A-Za-z0-9_.-]{20,300}",
            ),
            Asked(
                name="app_id",
                label="App id",
                help="Instead of a token, a GitHub App of your own: its number stands on the App's page.",
                example="123456",
                pattern=r"[0-9]{1,12}",
            ),
            Asked(
                name="installation_id",
                label="Installation id",
                help="The number at the end of the address of its installation in your organisation's settings.",
                example="7654321",
                pattern=r"[0-9]{1,12}",
            ),
            Asked(
                name="private_key",
                label="Private key",
                help="The whole .pem file that the App's page made, from BEGIN to END.",
                secret=True,
                long=True,
                pattern=r".*-----BEGIN [A-Z ]*PRIVATE KEY-----.*",
            ),
            Asked(
                name="environments",
                label="Environments",
                help="Only deployments to these, one a line. Empty: all.",
                example="production",
                kind="lines",
            ),
            Asked(
                name="api",
                label="Address of the API",
                help="Only for GitHub Enterprise Server: https://HOST/api/v3.",
                example="https://github.example.com/api/v3",
                pattern=r"https?://\S+",
            ),
        ),
        ways=(
            Way(title="Token", fields=("token",)),
            Way(title="GitHub App", fields=("app_id", "installation_id", "private_key")),
        ),
    )
    scopes = (
        Scope(name="metadata:read", without="repositories cannot be listed"),
        Scope(name="deployments:read", without="deployments are not known"),
        Scope(name="contents:read", without="commits and diffs are not known"),
        Scope(name="pull_requests:read", without="pull requests are not known"),
        Scope(name="actions:read", without="workflow runs are not known"),
    )
    instructions = (
        "Read github_deployments of the service that the symptom leads to, then github_compare between the version "
        "before and the suspected one; a deployment is no cause before its diff was read. A 403 or 404 says that I may "
        "not look, not that nothing is there. A failed workflow run is seldom a cause: it mostly stops a deployment."
    )

    def __init__(self, config: Any, context: ConnectorContext) -> None:
        super().__init__(config, context)
        for names, key in ((config.services, "services"), (config.paths, "paths")):
            context.require_declared(names, key=f"connectors.github.{key}")
        app = (config.app_id, config.installation_id) if config.app_id else None
        if app is None and "token" not in context.credentials:
            raise BadArguments("connectors.github: give a token, or app_id, installation_id and private_key")
        if app is not None and not (config.installation_id and "private_key" in context.credentials):
            raise BadArguments("connectors.github: a GitHub App needs app_id, installation_id and private_key")
        self._client = GitHubClient(str(config.api), context, app=app)

    @classmethod
    def hosts(cls, config: Any) -> tuple[str, ...]:
        return (urlsplit(str(config.api)).hostname or "",)

    leaves_behind = "The private key of a GitHub App stays valid: delete it on the App's page at GitHub."

    async def check(self) -> Check:
        """Reads one of each kind from the first repository, so that a missing right is told before an incident."""
        try:
            names = await self._repositories()
        except AgentError as exc:
            return Check(ok=False, detail=str(exc), next_action="Correct that, and test again.")
        if not names:
            return Check(
                ok=False,
                detail="GitHub answers, but this credential may see no repository",
                next_action="Give it access to the repositories of your services.",
            )
        first = f"/repos/{names[0]}"
        probes = {
            "deployments:read": f"{first}/deployments",
            "contents:read": f"{first}/commits",
            "pull_requests:read": f"{first}/pulls",
            "actions:read": f"{first}/actions/runs",
        }
        found = await asyncio.gather(*(self._probe(path, names[0]) for path in probes.values()))
        failures = {scope: failure for scope, failure in zip(probes, found, strict=True) if failure}
        seen = f"GitHub answers, {len(names)} {'repository' if len(names) == 1 else 'repositories'} can be read"
        if len(failures) == len(probes):
            return Check(
                ok=False, detail=str(next(iter(failures.values()))), next_action="Correct that, and test again."
            )
        if not failures:
            return Check(ok=True, detail=seen)
        without = {scope.name: scope.without for scope in self.scopes}
        lost = tuple(f"{scope}: {without[scope]} ({failures[scope]})" for scope in failures)
        advice = f"Give the credential {', '.join(failures)}, where you want that."
        return Check(ok=False, answers=True, detail=seen, lacks=lost, next_action=advice)

    async def discover(self) -> Discovery:
        """A service for each repository; where deployments of one name several services, those instead."""
        names, gaps = await self._repositories(), list[str]()
        services: list[Discovered] = []
        if len(names) > _DISCOVERED:
            gaps.append(f"only the first {_DISCOVERED} of {len(names)} repositories were looked at")
        for name in names[:_DISCOVERED]:
            inside: list[str] = []
            if len(services) < _MOST_REPOSITORIES:
                try:
                    inside = answers.services_named(await self._listed_deployments(name, most_pages=1))
                except AgentError as exc:
                    gaps.append(f"{name}: its deployments could not be read: {exc}")
            cleaned = await self.context.clean_words(inside)
            services += [Discovered(name=one, repository=name) for one in cleaned]
            if not inside:
                services.append(Discovered(name=name.partition("/")[2], repository=name))
        return Discovery(services=tuple(services), gaps=tuple(gaps))

    async def revoke(self) -> None:
        """The installation token of an App, or the token itself, is invalid from then on."""
        if self.config.app_id:
            await self._client.end()
        else:
            await self._client.end_plain()

    async def read_changes(self, window: Window, services: Sequence[str] | None = None) -> ChangesRead:
        """Deployments that took effect within the window, oldest first; the newest with their files.

        Raises an AgentError when no repository can be read.
        """
        chosen = [s for s in self.context.services if services is None or s.name in services]
        gaps: list[str] = []
        failures: list[AgentError] = []
        found: list[Change] = []
        repositories = await self._repositories_of(chosen, gaps)
        for name, owned in repositories.items():
            try:
                found += await self._deployed_changes(name, owned, window, gaps)
            except AgentError as exc:
                failures.append(exc)
                gaps.append(f"GitHub: deployments of {name} could not be read: {exc}")
        if failures and len(failures) == len(repositories):
            raise failures[0]
        wanted = {s.name for s in chosen}
        found = sorted((c for c in found if c.service in wanted), key=lambda change: change.at)
        return ChangesRead(
            changes=(*found[:-_WITH_PATHS], *await self._with_paths(found[-_WITH_PATHS:], gaps)), gaps=tuple(gaps)
        )

    async def read_diff(self, service: str, from_version: str, to_version: str) -> Diff:
        """What `to_version` has over `from_version`. Raises BadArguments for versions that GitHub does not know."""
        self.context.require_declared([service], key="service")
        name = await self._repository_of(service)
        compared = await self._compared(name, from_version, to_version)
        folders = self.config.paths.get(service, ())
        files = [file for file in compared.files if answers.within(file.filename, folders)]
        text, whole = answers.as_diff(files)
        text = await self.context.clean(text)
        paths = tuple(await self.context.clean_words([file.filename for file in files]))
        others = [c for c in compared.commits if not c.sha.startswith(to_version)]
        subjects = await self.context.clean_words([f"{c.sha[:7]} {c.subject[:120]}" for c in reversed(others)])
        kept = [file.filename for file in files if file.status != "removed"]
        return Diff(
            change_id=f"{service}@{to_version[:7]}",
            service=service,
            from_version=from_version,
            to_version=compared.commits[-1].sha if compared.commits else to_version,
            text=text[:_MAX_TEXT],
            paths=paths,
            others=tuple(subjects[:50]),
            migrations=tuple(path for path in kept if self._is_migration(path)),
            link=compared.html_url,
            whole=whole and len(text) <= _MAX_TEXT and compared.total_commits <= len(compared.commits),
        )

    @tool()
    async def github_deployments(self, arguments: OfService) -> ToolOutput:
        """Deployments of a service as GitHub recorded them: when each took effect, which commit, what ran before."""
        window = self._window(arguments)
        service = self._service(arguments.service)
        gaps: list[str] = []
        name = await self._repository_of(service.name)
        deployed = await self._deployments_of(name, self._owned(name), window, gaps)
        mine = [d for d in deployed if d.service == service.name]
        words = await self.context.clean_words([d.deployment.description or "" for d in mine])
        rows: list[Row] = []
        for at, (one, said) in enumerate(zip(mine, words, strict=True)):
            before = mine[at - 1].deployment.sha if at else ""
            tail = "" if one.state == "success" else f", {one.state}"
            where = f"{one.deployment.sha[:7]} to {one.deployment.environment}{tail}"
            rows.append(
                Changed(
                    service=service.name,
                    change=_id(one),
                    at=one.at,
                    version=one.deployment.sha,
                    previous_version=before,
                    summary=said,
                    link=one.link,
                    line=f"{_clock(one.at)} {where} {said}".strip(),
                )
            )
        return _listing(rows[::-1], f"deployments of {service.name}", window, service.name, gaps)

    @tool()
    async def github_commits(self, arguments: OfService) -> ToolOutput:
        """Commits of a service's repository on its default branch. A commit is not deployed because it is there."""
        window, service = self._window(arguments), self._service(arguments.service)
        name = await self._repository_of(service.name)
        folders = self.config.paths.get(service.name, ())
        asked = {"since": _iso(window.start), "until": _iso(window.end)}
        lists = [
            await self._client.pages(
                f"/repos/{name}/commits", {**asked, **({"path": f} if f else {})}, what=f"commits of {name}"
            )
            for f in folders or ("",)
        ]
        unique = {c.sha: c for one in lists for c in answers.several(Commit, one.items, f"commits of {name}")}
        commits = sorted(unique.values(), key=lambda c: c.at or window.start, reverse=True)
        subjects = await self.context.clean_words([c.subject[:200] for c in commits])
        rows = [
            Changed(
                service=service.name,
                change=c.sha[:12],
                at=c.at or window.start,
                kind="commit",
                version=c.sha,
                summary=said,
                link=c.html_url,
                line=f"{_clock(c.at or window.start)} {c.sha[:7]} {said}",
            )
            for c, said in zip(commits, subjects, strict=True)
        ]
        gaps = [f"older commits of {name} were not read"] if any(one.more for one in lists) else []
        return _listing(rows, f"commits of {name}", window, service.name, gaps)

    @tool()
    async def github_pull_requests(self, arguments: OfCommit) -> ToolOutput:
        """The pull requests that brought a commit: title, when merged, link."""
        service = self._service(arguments.service)
        name = await self._repository_of(service.name)
        what = f"pull requests of {arguments.version[:7]}"
        listed = await self._client.pages(f"/repos/{name}/commits/{arguments.version}/pulls", {}, what=what)
        found = answers.several(PullRequest, listed.items, what)
        titles = await self.context.clean_words([p.title[:200] for p in found])
        rows = [
            Changed(
                service=service.name,
                change=f"#{p.number}",
                at=(p.merged_at or p.updated_at).astimezone(UTC),
                kind="pull request",
                version=p.merge_commit_sha or "",
                summary=title,
                link=p.html_url,
                line=f"#{p.number} {'merged' if p.merged_at else p.state} "
                f"{_clock(p.merged_at or p.updated_at)}: {title}",
            )
            for p, title in zip(found, titles, strict=True)
        ]
        return _listing(rows, what, None, service.name, [])

    @tool()
    async def github_workflow_runs(self, arguments: OfService) -> ToolOutput:
        """Workflow runs of a service's repository: which, for which commit, how they ended."""
        window, service = self._window(arguments), self._service(arguments.service)
        name = await self._repository_of(service.name)
        what = f"workflow runs of {name}"
        asked = {"created": f"{_iso(window.start)}..{_iso(window.end)}"}
        listed = await self._client.pages(f"/repos/{name}/actions/runs", asked, what=what, key="workflow_runs")
        found = answers.several(WorkflowRun, listed.items, what)
        titles = await self.context.clean_words([run.name or "workflow" for run in found])
        rows = [
            Changed(
                service=service.name,
                change=f"run {run.id}",
                at=(run.run_started_at or run.created_at).astimezone(UTC),
                kind="workflow run",
                version=run.head_sha,
                summary=f"{title}: {run.conclusion or run.status or 'unknown'}",
                link=run.html_url,
                line=f"{_clock(run.run_started_at or run.created_at)} {title} of {run.head_sha[:7]} "
                f"({run.event}): {run.conclusion or run.status or 'unknown'}",
            )
            for run, title in zip(found, titles, strict=True)
        ]
        gaps = [f"older {what} were not read"] if listed.more else []
        return _listing(rows, what, window, service.name, gaps)

    @tool()
    async def github_compare(self, arguments: BetweenVersions) -> ToolOutput:
        """What changed between two versions of a service: commits in between, migrations, files and patch.

        Read it of a suspected deployment before naming that as a cause.
        """
        diff = await self.read_diff(arguments.service, arguments.from_version, arguments.to_version)
        return diff_output(diff, cut=f"GitHub does not show the whole diff of {diff.change_id}")

    async def _probe(self, path: str, repository: str) -> AgentError | None:
        try:
            await self._client.get(
                path, {"per_page": "1"}, what=f"{path.rpartition('/')[2]} of {repository}", timeout_s=4
            )
        except AgentError as exc:
            return exc
        return None

    async def _repositories(self) -> list[str]:
        """Those that were named, each seen for real; else all that the credential may see and that are in use."""
        if self.config.repositories:
            seen = await asyncio.gather(
                *(self._client.get(f"/repos/{_path(n)}", what=f"repository {n}") for n in self.config.repositories)
            )
            return [answers.one(GitHubRepository, document, "a repository").full_name for document in seen]
        if self.config.app_id:
            listed = await self._client.pages(
                "/installation/repositories", {}, what="the App's repositories", key="repositories"
            )
        else:
            listed = await self._client.pages("/user/repos", {"sort": "pushed"}, what="your repositories")
        found = answers.several(GitHubRepository, listed.items, "repositories")
        return [one.full_name for one in found if not (one.archived or one.disabled or one.fork)]

    async def _repositories_of(self, services: Sequence[Service], gaps: list[str]) -> dict[str, list[Service]]:
        """Services by repository. Of those whose repository nobody named, all of the only one there is."""
        found: dict[str, list[Service]] = {}
        homeless = []
        for service in services:
            name = self._named_repository(service)
            if name is not None:
                found.setdefault(name, []).append(service)
            else:
                homeless.append(service)
        if homeless:
            names = self.config.repositories or await self._repositories()
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
        if len(found) > _MOST_REPOSITORIES:
            left = list(found)[_MOST_REPOSITORIES:]
            gaps.append(f"GitHub: {len(left)} further repositories were not read")
            found = {name: found[name] for name in list(found)[:_MOST_REPOSITORIES]}
        return found

    async def _repository_of(self, service: str) -> str:
        """Raises BadArguments where it is not known."""
        gaps: list[str] = []
        found = await self._repositories_of([self._service(service)], gaps)
        if not found:
            raise BadArguments(gaps[0])
        return next(iter(found))

    def _named_repository(self, service: Service) -> str | None:
        """As the settings or the catalog say; those of another forge, or outside of the limit, are none of ours."""
        named: str | None = self.config.services.get(service.name) or service.repository
        aliases = [alias.removeprefix("repository:") for alias in service.aliases if alias.startswith("repository:")]
        names: list[str] = [name for name in (named, *aliases) if name]
        for name in names:
            if name.count("/") == 1 and (not self.config.repositories or name in self.config.repositories):
                return name
        return None

    def _owned(self, name: str) -> list[Service]:
        """The services of a repository; all, where none is known to be elsewhere."""
        mine = [s for s in self.context.services if self._named_repository(s) == name]
        same = [s for s in self.context.services if s.name == name.partition("/")[2].lower()]
        return mine or same or [s for s in self.context.services if self._named_repository(s) is None]

    async def _listed_deployments(self, name: str, *, most_pages: int = 3) -> list[Deployment]:
        asked = {"environment": self.config.environments[0]} if len(self.config.environments) == 1 else {}
        what = f"deployments of {name}"
        listed = await self._client.pages(f"/repos/{_path(name)}/deployments", asked, what=what, most_pages=most_pages)
        found = answers.several(Deployment, listed.items, what)
        return [d for d in found if not self.config.environments or d.environment in self.config.environments]

    async def _deployments_of(
        self, name: str, owned: Sequence[Service], window: Window, gaps: list[str]
    ) -> list[Deployed]:
        """Oldest first, with the last one of each service before the window."""
        listed = await self._listed_deployments(name)
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
            link = f"{self._web()}/{name}/deployments/{quote(deployment.environment, safe='')}"
            return Deployed(
                service=service,
                deployment=deployment,
                at=at or deployment.created_at.astimezone(UTC),
                state=state,
                link=link,
            )

        found = await asyncio.gather(*(effect(d, s) for d, s in chosen))
        return sorted(found, key=lambda one: one.at)

    async def _effect(
        self, name: str, deployment: Deployment, gate: asyncio.Semaphore, gaps: list[str]
    ) -> tuple[str, datetime | None]:
        what = f"the statuses of deployment {deployment.id}"
        try:
            async with gate:
                path = f"/repos/{_path(name)}/deployments/{deployment.id}/statuses"
                listed = await self._client.pages(path, {}, what=what, most_pages=1)
            return answers.effect_of(answers.several(DeploymentStatus, listed.items, what))
        except AgentError as exc:
            gaps.append(f"{name}: {what} could not be read: {exc}")
            return "unknown", None

    async def _deployed_changes(
        self, name: str, owned: Sequence[Service], window: Window, gaps: list[str]
    ) -> list[Change]:
        """Those that took effect. One that failed changed nothing, as far as GitHub was told."""
        found: list[Change] = []
        last: dict[str, str] = {}
        deployed = [d for d in await self._deployments_of(name, owned, window, gaps) if d.state not in _FAILED]
        words = await self.context.clean_words([d.deployment.description or d.deployment.ref for d in deployed])
        for one, said in zip(deployed, words, strict=True):
            if window.start <= one.at <= window.end:
                found.append(
                    Change(
                        id=_id(one),
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

    async def _with_paths(self, changes: Sequence[Change], gaps: list[str]) -> list[Change]:
        gate = asyncio.Semaphore(_AT_ONCE)

        async def one(change: Change) -> Change:
            if change.version is None or change.previous_version in (None, change.version):
                return change
            try:
                async with gate:
                    name = await self._repository_of(change.service)
                    compared = await self._compared(name, str(change.previous_version), change.version)
            except AgentError as exc:
                gaps.append(f"{change.id}: the files it changed could not be read: {exc}")
                return change
            folders = self.config.paths.get(change.service, ())
            names = [f.filename for f in compared.files if answers.within(f.filename, folders)]
            return replace(change, paths=tuple(await self.context.clean_words(names)))

        return list(await asyncio.gather(*map(one, changes)))

    async def _compared(self, name: str, old: str, new: str) -> GitHubComparison:
        what = f"comparison {old[:7]}...{new[:7]} of {name}"
        document = await self._client.get(f"/repos/{_path(name)}/compare/{old}...{new}", what=what, timeout_s=15)
        return answers.one(GitHubComparison, document, what)

    def _service(self, name: str) -> Service:
        self.context.require_declared([name], key="service")
        return next(s for s in self.context.services if s.name == name)

    def _window(self, arguments: OfService) -> Window:
        end = self.context.now()
        return Window(start=end - timedelta(hours=arguments.hours), end=end)

    def _web(self) -> str:
        """Where people look: github.com, or the server itself."""
        parts = urlsplit(str(self.config.api))
        return "https://github.com" if parts.hostname == "api.github.com" else f"{parts.scheme}://{parts.netloc}"

    def _is_migration(self, path: str) -> bool:
        return any(folder in PurePosixPath(path).parts[:-1] for folder in self.config.migrations)


def _id(one: Deployed) -> str:
    return f"deployment/{one.service}/{one.deployment.id}"


def _path(name: str) -> str:
    return quote(name, safe="/")


def _iso(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _clock(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def _listing(rows: Sequence[Row], what: str, window: Window | None, service: str, gaps: Iterable[str]) -> ToolOutput:
    """The rows with what was looked for: where nothing was found, that is said, with the time that was looked at."""
    gap = "; ".join(dict.fromkeys(gaps)) or None
    absent = "" if rows else f"no {what} found"
    searched = Searched(
        service=service,
        what=what,
        found=len(rows),
        start=window.start if window else None,
        end=window.end if window else None,
        whole=gap is None,
        line=absent,
    )
    return ToolOutput(
        text="\n".join(row.line for row in rows) or absent,
        rows=(searched, *rows),
        summary=f"{len(rows)} {what}",
        gap=gap,
    )


CONNECTOR = GitHub
