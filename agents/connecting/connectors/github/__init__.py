"""Reads GitHub: deployments, commits, pull requests, workflow runs, and what lies between two versions.

https://docs.github.com/en/rest -- by a token, or as a GitHub App of the team's own, whose installation token is renewed
before it ends. Reads only, except for the remedies
that an admin permitted. What GitHub refuses is a gap: a 403 or 404 is a fact about access and proves nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import PurePosixPath
from typing import Any, Final
from urllib.parse import urlsplit

from pydantic import Field

from agents.connecting.code_host import HostPreview
from agents.connecting.connector import (
    ActionResult,
    ChangesRead,
    Check,
    Connector,
    ConnectorContext,
    Diff,
    Discovered,
    Discovery,
    TargetState,
    diff_output,
)
from agents.connecting.connectors.github import answers
from agents.connecting.connectors.github.actions import GitHubActions
from agents.connecting.connectors.github.answers import (
    Commit,
    PullRequest,
    WorkflowRun,
)
from agents.connecting.connectors.github.checking import GitHubCheck
from agents.connecting.connectors.github.client import GitHubClient
from agents.connecting.connectors.github.code import GitHubCode
from agents.connecting.connectors.github.deployments import Deployments, change_id
from agents.connecting.connectors.github.git_data import GitData
from agents.connecting.connectors.github.repositories import MOST_REPOSITORIES, Repositories
from agents.connecting.connectors.github.settings import FORM, SCOPES, GitHubConfig
from agents.connecting.source_code import CodeFile, FilesAt, TextsRead
from agents.errors import AgentError, BadArguments
from agents.evidence.types import Change, Window
from agents.rows import Changed, Row, Searched
from agents.tool import Arguments, ToolOutput, tool

_VERSION: Final = r"^[0-9a-f]{7,64}$"
_MAX_TEXT: Final = 60_000
_WITH_PATHS: Final = 12  # the newest deployments whose files are read; each costs one question
_DISCOVERED: Final = 200


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
    form = FORM
    scopes = SCOPES
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
        self._repositories = Repositories(self._client, config, context)
        self._deployments = Deployments(self._client, config, context, self._repositories)
        self._code = GitHubCode(GitData(self._client), context, config.paths, web=self._deployments.web)
        self._actions = GitHubActions(self._client, self._repositories, self._deployments, config, context)

    @classmethod
    def hosts(cls, config: Any) -> tuple[str, ...]:
        return (urlsplit(str(config.api)).hostname or "",)

    leaves_behind = "The private key of a GitHub App stays valid: delete it on the App's page at GitHub."

    async def check(self) -> Check:
        """Names in words which rights are missing, for reading and for the remedies that were permitted."""
        return await GitHubCheck(self._client, self._repositories, self.config).check()

    async def discover(self) -> Discovery:
        """A service for each repository; where deployments of one name several services, those instead."""
        names, gaps = await self._repositories.all(), list[str]()
        services: list[Discovered] = []
        if len(names) > _DISCOVERED:
            gaps.append(f"only the first {_DISCOVERED} of {len(names)} repositories were looked at")
        for name in names[:_DISCOVERED]:
            inside: list[str] = []
            if len(services) < MOST_REPOSITORIES:
                try:
                    inside = answers.services_named(await self._deployments.listed(name, most_pages=1))
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
        repositories = await self._repositories.of_services(chosen, gaps)
        for name, owned in repositories.items():
            try:
                found += await self._deployments.changes(name, owned, window, gaps)
            except AgentError as exc:
                failures.append(exc)
                gaps.append(f"GitHub: deployments of {name} could not be read: {exc}")
        if failures and len(failures) == len(repositories):
            raise failures[0]
        wanted = {s.name for s in chosen}
        found = sorted((c for c in found if c.service in wanted), key=lambda change: change.at)
        return ChangesRead(
            changes=(*found[:-_WITH_PATHS], *await self._deployments.with_paths(found[-_WITH_PATHS:], gaps)),
            gaps=tuple(gaps),
        )

    async def read_diff(self, service: str, from_version: str, to_version: str) -> Diff:
        """What `to_version` has over `from_version`. Raises BadArguments for versions that GitHub does not know."""
        self.context.require_declared([service], key="service")
        name = await self._repositories.of(service)
        compared = await self._deployments.compared(name, from_version, to_version)
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

    async def deployed(self, service: str) -> Sequence[Change]:
        """Newest first."""
        name = await self._repositories.of(service)
        return await self._deployments.newest(name, service, self._repositories.owned_by(name))

    async def files_at(self, service: str, version: str) -> FilesAt:
        """Raises BadArguments for a version that GitHub does not know."""
        return await self._code.files_at(service, await self._repositories.of(service), version)

    async def files_with(self, _service: str, _at: FilesAt, _text: str) -> None:
        """Only reading them can tell: GitHub's search knows the default branch alone."""

    async def read_texts(self, service: str, files: Sequence[CodeFile]) -> TextsRead:
        return await self._code.read_texts(await self._repositories.of(service), files)

    def can(self, action: str, service: str) -> bool:
        return self._actions.can(action, service)

    def argv(self, action: str, parameters: Mapping[str, str]) -> tuple[str, ...]:
        return self._actions.argv(action, parameters)

    async def read_target(self, service: str) -> TargetState:
        """What the newest deployment that took effect put there."""
        return await self._actions.deployments.read(service)

    async def preview(self, action: str, service: str, asked: Mapping[str, str]) -> HostPreview:
        """Raises BadArguments with the reason where it cannot be done."""
        return await self._actions.preview(action, service, asked)

    async def read_host_target(self, action: str, parameters: Mapping[str, str]) -> TargetState:
        return await self._actions.read(action, parameters)

    async def act(self, action: str, parameters: Mapping[str, str], *, idempotency_key: str) -> ActionResult:
        """Raises NotPermitted for what no admin permitted, and as the client."""
        return await self._actions.act(action, parameters, idempotency_key=idempotency_key)

    @tool()
    async def github_deployments(self, arguments: OfService) -> ToolOutput:
        """Deployments of a service as GitHub recorded them: when each took effect, which commit, what ran before."""
        window = self._window(arguments)
        service = self._repositories.service(arguments.service)
        gaps: list[str] = []
        name = await self._repositories.of(service.name)
        deployed = await self._deployments.of_repository(name, self._repositories.owned_by(name), window, gaps)
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
                    change=change_id(one),
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
        window, service = self._window(arguments), self._repositories.service(arguments.service)
        name = await self._repositories.of(service.name)
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
        service = self._repositories.service(arguments.service)
        name = await self._repositories.of(service.name)
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
        window, service = self._window(arguments), self._repositories.service(arguments.service)
        name = await self._repositories.of(service.name)
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

    def _window(self, arguments: OfService) -> Window:
        end = self.context.now()
        return Window(start=end - timedelta(hours=arguments.hours), end=end)

    def _is_migration(self, path: str) -> bool:
        return any(folder in PurePosixPath(path).parts[:-1] for folder in self.config.migrations)


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
