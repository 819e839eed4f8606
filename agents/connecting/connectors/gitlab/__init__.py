"""Reads a GitLab: deployments and the merge requests that they brought, pipelines, traces of jobs, what lies between
two versions, and code at a version. Acts where an admin permits it, by `actions.py`.

https://docs.gitlab.com/api/rest/ -- gitlab.com or one of the team's own, also behind an authority of its own. What
GitLab refuses is a gap: a 403 or 404 is a fact about access and proves nothing.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import PurePosixPath
from typing import Any, Final

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
from agents.connecting.connectors.gitlab.actions import GitLabActions
from agents.connecting.connectors.gitlab.answers import GitLabJob, MergeRequest, Pipeline, lies_in, unified
from agents.connecting.connectors.gitlab.asked import (
    GitLabTrace,
    GitLabVersions,
    OfGitLabDeployment,
    OfGitLabService,
)
from agents.connecting.connectors.gitlab.client import GitLabClient, as_several, project_path
from agents.connecting.connectors.gitlab.code import GitLabCode
from agents.connecting.connectors.gitlab.projects import GitLabProjects
from agents.connecting.connectors.gitlab.settings import FORM, SCOPES, GitLabConfig
from agents.connecting.source_code import CodeFile, FilesAt, TextsRead
from agents.english import counted
from agents.errors import AgentError, BadArguments
from agents.evidence.types import Change, Window
from agents.rows import Changed, Logged, Row, Searched
from agents.tool import ToolOutput, tool

_MAX_TEXT: Final = 60_000
_PIPELINES: Final = 20
_WITH_JOBS: Final = 6  # failed pipelines whose jobs are read; each costs one question
_TRACE_LINES: Final = 120
_TRACE_BYTES: Final = 4_000_000
_COLOURS: Final = re.compile(r"\x1b\[[0-9;]*[A-Za-z]|section_(start|end):\d+:[^\r\n]*\r?")
_LONGEST: Final = 400


class GitLab(Connector):
    name = "gitlab"
    title = "GitLab"
    config_model = GitLabConfig
    names_are = "repository"
    about = "Deployments, merge requests, pipelines, job traces and code."
    docs_url = "https://docs.gitlab.com/user/project/settings/project_access_tokens/"
    form = FORM
    scopes = SCOPES
    instructions = (
        "Read gitlab_deployments of the service that the symptom leads to, then gitlab_compare between the version "
        "before and the suspected one; a deployment is no cause before its diff was read. A 403 or 404 says that I may "
        "not look, not that nothing is there. A failed pipeline is seldom a cause: it mostly stops a deployment."
    )
    leaves_behind = "The token stays valid: revoke it under Settings, Access tokens, of its group or project."

    def __init__(self, config: Any, context: ConnectorContext) -> None:
        super().__init__(config, context)
        for names, key in ((config.services, "services"), (config.paths, "paths")):
            context.require_declared(names, key=f"connectors.gitlab.{key}")
        if "token" not in context.credentials:
            raise BadArguments("connectors.gitlab: give a token")
        self._client = GitLabClient(config, context)
        self._projects = GitLabProjects(self._client, config, context)
        self._code = GitLabCode(self._client, context, self._projects, config.paths)
        self._actions = GitLabActions(self._client, config, context, self._projects)

    @classmethod
    def hosts(cls, config: Any) -> tuple[str, ...]:
        return (config.url.host,)

    async def close(self) -> None:
        await self._client.close()

    async def check(self) -> Check:
        """Reads one of each kind from the first project, so that a missing right is told before an incident."""
        try:
            projects = await self._projects.all()
        except AgentError as exc:
            return Check(ok=False, detail=str(exc), next_action="Correct the address or the token, and test again.")
        if not projects:
            return Check(
                ok=False,
                detail="GitLab answers, but this token is a member of no project",
                next_action="Make it one of the group or the projects of your services.",
            )
        first = projects[0].path_with_namespace
        lost: list[str] = []
        for what, path in (
            ("deployments", "deployments"),
            ("pipelines", "pipelines"),
            ("merge requests", "merge_requests"),
            ("code", "repository/commits"),
        ):
            try:
                asked = {"per_page": "1"}
                await self._client.get(f"{project_path(first)}/{path}", asked, what=f"{what} of {first}", timeout_s=4.0)
            except AgentError as exc:
                lost.append(f"{what}: {exc}")
        if self.config.actions and not await self._may_act():
            lost.append("api: no job can be retried and nothing drafted")
        seen = f"GitLab answers, {counted(len(projects), 'project')} can be read"
        if not lost:
            return Check(ok=True, detail=seen)
        advice = "Give the token the scope read_api, or api for remedies, and a role that may see that."
        return Check(ok=False, answers=True, detail=seen, lacks=tuple(lost), next_action=advice)

    async def discover(self) -> Discovery:
        """A service for each project."""
        projects = await self._projects.all()
        names = await self.context.clean_words([one.path_with_namespace for one in projects])
        return Discovery(
            services=tuple(Discovered(name=name.rpartition("/")[2].lower(), repository=name) for name in names)
        )

    async def revoke(self) -> None:
        """The token revokes itself. Safe to repeat."""
        await self._client.send("DELETE", "/personal_access_tokens/self", what="the token", absent=True)

    # Sources

    async def read_changes(self, window: Window, services: Sequence[str] | None = None) -> ChangesRead:
        """Deployments that took effect within the window, oldest first. Raises an AgentError when none can be read."""
        chosen = [s for s in self.context.services if services is None or s.name in services]
        gaps, failures, found = list[str](), list[AgentError](), list[Change]()
        projects = await self._projects.of_services(chosen, gaps)
        for name in projects:
            try:
                owned = await self._projects.owned_by(name)
                found += await self._projects.changes(name, owned, window, gaps)
            except AgentError as exc:
                failures.append(exc)
                gaps.append(f"GitLab: deployments of {name} could not be read: {exc}")
        if failures and len(failures) == len(projects):
            raise failures[0]
        wanted = {one.name for one in chosen}
        mine = sorted((one for one in found if one.service in wanted), key=lambda one: one.at)
        return ChangesRead(changes=mine, gaps=tuple(gaps))

    async def read_diff(self, service: str, from_version: str, to_version: str) -> Diff:
        """What `to_version` has over `from_version`. Raises BadArguments for versions that GitLab does not know."""
        project = await self._projects.of(service)
        compared = await self._projects.compared(project, from_version, to_version)
        folders = self.config.paths.get(service, ())
        text, whole = unified(compared.diffs, folders)
        text = await self.context.clean(text)
        files = [one for one in compared.diffs if lies_in(one.new_path, folders)]
        paths = tuple(await self.context.clean_words([one.new_path for one in files]))
        others = [one for one in compared.commits if not one.id.startswith(to_version)]
        subjects = await self.context.clean_words([f"{one.id[:7]} {one.title[:120]}" for one in reversed(others)])
        migrations = [one.new_path for one in files if not one.deleted_file and self._is_migration(one.new_path)]
        return Diff(
            change_id=f"{service}@{to_version[:7]}",
            service=service,
            from_version=from_version,
            to_version=compared.commits[-1].id if compared.commits else to_version,
            text=text[:_MAX_TEXT],
            paths=paths,
            others=tuple(subjects[:50]),
            migrations=tuple(await self.context.clean_words(migrations)),
            link=compared.web_url,
            whole=whole and len(text) <= _MAX_TEXT and not compared.compare_timeout,
        )

    async def deployed(self, service: str) -> Sequence[Change]:
        return await self._code.deployed(service)

    async def files_at(self, service: str, version: str) -> FilesAt:
        return await self._code.files_at(service, version)

    async def files_with(self, service: str, at: FilesAt, text: str) -> Collection[str] | None:
        return await self._code.files_with(service, at, text)

    async def read_texts(self, service: str, files: Sequence[CodeFile]) -> TextsRead:
        return await self._code.read_texts(service, files)

    # Tools

    @tool()
    async def gitlab_deployments(self, arguments: OfGitLabService) -> ToolOutput:
        """Deployments of a service as GitLab recorded them: when each took effect, which commit, what ran before."""
        self.context.require_declared([arguments.service], key="service")
        window = self._window(arguments.hours)
        read = await self.read_changes(window, [arguments.service])
        rows = [
            Changed(
                service=one.service,
                change=one.id,
                at=one.at,
                version=one.version or "",
                previous_version=one.previous_version or "",
                summary=one.summary,
                link=one.link,
                line=f"{_clock(one.at)} {(one.version or '')[:7]} {one.summary} [{one.id}]",
            )
            for one in reversed(read.changes)
        ]
        return _listing(rows, f"deployments of {arguments.service}", window, arguments.service, read.gaps)

    @tool()
    async def gitlab_merge_requests(self, arguments: OfGitLabDeployment) -> ToolOutput:
        """The merge requests that a deployment brought: title, when merged, link."""
        project = await self._projects.of(arguments.service)
        what = f"merge requests of deployment {arguments.deployment}"
        path = f"{project_path(project)}/deployments/{arguments.deployment}/merge_requests"
        read = await self._client.pages(path, {}, what=what)
        found = as_several(MergeRequest, read.items, what)
        titles = await self.context.clean_words([one.title[:200] for one in found])
        rows = [
            Changed(
                service=arguments.service,
                change=f"!{one.iid}",
                at=one.merged_at.astimezone(UTC),
                kind="merge request",
                version=one.commit or "",
                summary=title,
                link=one.web_url,
                line=f"!{one.iid} merged {_clock(one.merged_at)}: {title}",
            )
            for one, title in zip(found, titles, strict=True)
            if one.merged_at is not None
        ]
        gaps = ["there are more"] if read.more else []
        return _listing(rows, what, None, arguments.service, gaps)

    @tool()
    async def gitlab_pipelines(self, arguments: OfGitLabService) -> ToolOutput:
        """Pipelines of a service's project, newest first: which, for which commit, how they ended, and the jobs that
        failed with their numbers.
        """
        window, project = self._window(arguments.hours), await self._projects.of(arguments.service)
        what = f"pipelines of {project}"
        asked = {"updated_after": window.start.astimezone(UTC).isoformat(), "order_by": "id", "sort": "desc"}
        read = await self._client.pages(f"{project_path(project)}/pipelines", asked, what=what, most_pages=1)
        every = as_several(Pipeline, read.items, what)
        found, gaps = every[:_PIPELINES], list[str]()
        if len(every) > len(found) or read.more:
            gaps.append(f"only the newest {len(found)} pipelines are shown")
        failed = [one.id for one in found if one.status == "failed"]
        jobs: dict[int, list[GitLabJob]] = {}
        for number in failed[:_WITH_JOBS]:
            path = f"{project_path(project)}/pipelines/{number}/jobs"
            try:
                listed = await self._client.pages(path, {"scope[]": "failed"}, what=f"jobs of {number}", most_pages=1)
                jobs[number] = as_several(GitLabJob, listed.items, f"jobs of {number}")
            except AgentError as exc:
                gaps.append(f"jobs of pipeline {number} could not be read: {exc}")
        if len(failed) > _WITH_JOBS:
            gaps.append(f"jobs of the newest {_WITH_JOBS} failed pipelines were read")
        told = [
            ", ".join(f"{job.name} (job {job.id}): {job.failure_reason or 'failed'}" for job in jobs.get(one.id, ()))
            for one in found
        ]
        words = await self.context.clean_rows(
            [{"ref": one.ref or "", "jobs": said} for one, said in zip(found, told, strict=True)]
        )
        rows = [
            Changed(
                service=arguments.service,
                change=f"pipeline {one.id}",
                at=one.created_at.astimezone(UTC),
                kind="pipeline",
                version=one.sha,
                summary=f"{one.status}{': ' if row['jobs'] else ''}{row['jobs']}",
                link=one.web_url or None,
                line=f"{_clock(one.created_at)} pipeline {one.id} of {one.sha[:7]} {row['ref']} ({one.source}): "
                f"{one.status}{'; ' if row['jobs'] else ''}{row['jobs']}",
            )
            for one, row in zip(found, words, strict=True)
        ]
        return _listing(rows, what, window, arguments.service, gaps)

    @tool()
    async def gitlab_job_trace(self, arguments: GitLabTrace) -> ToolOutput:
        """The last lines that a job printed, or those with words that are looked for to the letter."""
        project = await self._projects.of(arguments.service)
        path = f"{project_path(project)}/jobs/{arguments.job}/trace"
        raw = await self._client.text(path, what=f"trace of job {arguments.job}", max_bytes=_TRACE_BYTES)
        text = await self.context.clean(_COLOURS.sub("", raw.decode("utf-8", errors="replace")))
        every = [line.rstrip() for line in text.replace("\r", "\n").splitlines() if line.strip()]
        lines = [line for line in every if arguments.contains.casefold() in line.casefold()]
        link = f"{self.config.base}/{project}/-/jobs/{arguments.job}"
        rows = [
            Logged(service=arguments.service, example=line[:_LONGEST], line=line[:_LONGEST], link=link)
            for line in lines[-_TRACE_LINES:]
        ]
        gaps = [f"only the last {len(rows)} of {len(lines)} lines are shown"] if len(lines) > len(rows) else []
        what = f"lines of job {arguments.job}"
        return _listing(rows, what, None, arguments.service, gaps)

    @tool()
    async def gitlab_compare(self, arguments: GitLabVersions) -> ToolOutput:
        """What changed between two versions of a service: commits in between, migrations, files and patch.

        Read it of a suspected deployment before naming that as a cause.
        """
        diff = await self.read_diff(arguments.service, arguments.from_version, arguments.to_version)
        return diff_output(diff, cut=f"GitLab does not show the whole diff of {diff.change_id}")

    # Acting

    def can(self, action: str, service: str) -> bool:
        return self._actions.can(action, service)

    def argv(self, action: str, parameters: Mapping[str, str]) -> tuple[str, ...]:
        return self._actions.argv(action, parameters)

    async def preview(self, action: str, service: str, asked: Mapping[str, str]) -> HostPreview:
        return await self._actions.preview(action, service, asked)

    async def read_host_target(self, action: str, parameters: Mapping[str, str]) -> TargetState:
        return await self._actions.read(action, parameters)

    async def read_target(self, service: str) -> TargetState:
        """The last version that was deployed, as far as GitLab was told."""
        newest = await self._code.deployed(service)
        return TargetState(
            service=service,
            version=newest[0].version or "" if newest else "",
            previous_version=newest[1].version if len(newest) > 1 else None,
            state="as last deployed" if newest else "no deployment known",
            instances=0,
            started_at=newest[0].at if newest else None,
            read_at=self.context.now(),
        )

    async def act(self, action: str, parameters: Mapping[str, str], *, idempotency_key: str) -> ActionResult:
        del idempotency_key  # the API knows none: what is there is looked at first
        return await self._actions.act(action, parameters)

    async def _may_act(self) -> bool:
        """Whether the token has the scope for it; one that may not look at itself is taken for one that has."""
        try:
            told = await self._client.get("/personal_access_tokens/self", what="the token")
        except AgentError:
            return True
        return not isinstance(told, dict) or "api" in told.get("scopes", ["api"])

    def _window(self, hours: int) -> Window:
        end = self.context.now()
        return Window(start=end - timedelta(hours=hours), end=end)

    def _is_migration(self, path: str) -> bool:
        return any(folder in PurePosixPath(path).parts[:-1] for folder in self.config.migrations)


def _clock(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def _listing(rows: Sequence[Row], what: str, window: Window | None, service: str, gaps: Iterable[str]) -> ToolOutput:
    """The rows with what was looked for: where nothing was found, that is said, with the time that was looked at."""
    gap = "; ".join(dict.fromkeys(gaps)) or None
    absent = "" if rows else f"nothing found: no {what}"
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


CONNECTOR = GitLab
