"""What can be done at GitLab where an admin permits it: a failed job run again, drafts of merge requests.

https://docs.gitlab.com/api/jobs/#retry-a-job -- nothing is ever merged here. A draft's branch is named after what it
holds and the commit it starts from, so that one that was made already is found.
"""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Mapping
from typing import Final
from urllib.parse import quote

from agents.connecting.code_host import HostPreview
from agents.connecting.connector import ActionResult, ConnectorContext, TargetState
from agents.connecting.connectors.gitlab.answers import Branch, GitLabJob, MergeRequest, Pipeline, lies_in
from agents.connecting.connectors.gitlab.client import GitLabClient, as_one, as_several, project_path
from agents.connecting.connectors.gitlab.projects import GitLabProjects
from agents.connecting.connectors.gitlab.settings import GitLabConfig
from agents.english import counted
from agents.errors import AgentError, BadArguments, NotPermitted

_RETRY, _CANCEL = "retry_job", "cancel_job"
_REVERT, _FIX, _CLOSE = "revert_merge_request", "propose_fix", "close_pull_request"
_UNDOES: Final = {_CANCEL: (_RETRY,), _CLOSE: (_REVERT, _FIX)}
_ABSENT, _OPEN, _CLOSED = "no draft", "draft is open", "draft is closed"
_MOST_LINES: Final = 40
_LARGEST: Final = 1_000_000
_RUNS: Final = frozenset({"created", "pending", "preparing", "running", "waiting_for_resource", "scheduled"})


class GitLabActions:
    """Of one connection."""

    def __init__(
        self, client: GitLabClient, config: GitLabConfig, context: ConnectorContext, projects: GitLabProjects
    ) -> None:
        self._client, self._config, self._context, self._projects = client, config, context, projects

    def can(self, action: str, service: str) -> bool:
        """What an admin permitted, for services whose project somebody named."""
        permitted = any(one in self._config.actions for one in _UNDOES.get(action, (action,)))
        return permitted and service in self._context.names and self._projects.home(service) is not None

    async def preview(self, action: str, service: str, asked: Mapping[str, str]) -> HostPreview:
        """Raises BadArguments with the reason where it cannot be done."""
        self._require(action, service)
        project = await self._projects.of(service)
        if action in (_RETRY, _CANCEL):
            return await self._preview_job(action, service, project, asked)
        if action == _CLOSE:
            return await self._preview_close({"service": service, "project": project, **asked})
        into, base = await self._branch_of(project)
        parameters = {"service": service, "project": project, "into": into, "base": base}
        if action == _REVERT:
            return await self._preview_revert(parameters, asked)
        return await self._preview_fix(parameters, asked)

    async def read(self, action: str, parameters: Mapping[str, str]) -> TargetState:
        if action in (_RETRY, _CANCEL):
            return self._job_state(parameters["service"], await self._attempts(parameters))
        made = await self._of_branch(parameters["project"], parameters["branch"])
        version = _ABSENT if made is None else _OPEN if made.state == "opened" else _CLOSED
        head = await self._head(parameters["project"], parameters["into"])
        return self._state(parameters["service"], version, f"{parameters['into']} is at {head[:10]}")

    def argv(self, action: str, parameters: Mapping[str, str]) -> tuple[str, ...]:
        """The request, in the words of GitLab's API."""
        path = f"/api/v4{project_path(parameters['project'])}"
        if action in (_RETRY, _CANCEL):
            return ("POST", f"{path}/jobs/{parameters['job']}/{'retry' if action == _RETRY else 'cancel'}")
        requests = f"{path}/merge_requests"
        if action == _CLOSE:
            return ("PUT", requests, f"source_branch={parameters['branch']}", "closed, and its branch is deleted")
        way = f"{parameters['branch']} into {parameters['into']}, as a draft"
        if action == _REVERT:
            return ("POST", requests, way, f"takes back {parameters['commit'][:10]} of !{parameters['merge_request']}")
        return ("POST", requests, way, _shown(parameters))

    async def act(self, action: str, parameters: Mapping[str, str]) -> ActionResult:
        """Once: what is there already is looked at first. Raises NotPermitted and as GitLab refuses."""
        self._require(action, parameters["service"])
        if parameters["project"] != await self._projects.of(parameters["service"]):
            raise NotPermitted(f"{parameters['project'][:100]} is not the project of {parameters['service']} any more")
        if action in (_RETRY, _CANCEL):
            return await self._act_on_job(action, parameters)
        project, branch = parameters["project"], parameters["branch"]
        made = await self._of_branch(project, branch)
        if action == _CLOSE:
            return await self._close(project, branch, made)
        if made is not None:
            return ActionResult(ok=True, detail=f"!{made.iid} is there already: {made.web_url}")
        if (head := await self._head(project, parameters["into"])) != parameters["base"]:
            told = f"{parameters['into']} is at {head[:10]}, not {parameters['base'][:10]}: nothing was done"
            return ActionResult(ok=False, detail=told)
        await (self._commit_revert if action == _REVERT else self._commit_fix)(parameters)
        body = {
            "source_branch": branch,
            "target_branch": parameters["into"],
            "title": f"Draft: {parameters['title']}",
            "description": "Drafted by Autoheal after somebody approved it. Nothing is merged without you.",
            "remove_source_branch": True,
        }
        document = await self._client.send("POST", f"{project_path(project)}/merge_requests", body, what="a draft")
        draft = as_one(MergeRequest, document, "a draft")
        return ActionResult(ok=True, detail=f"drafted !{draft.iid}: {draft.web_url}")

    # Jobs

    async def _preview_job(self, action: str, service: str, project: str, asked: Mapping[str, str]) -> HostPreview:
        number = asked.get("job") or await self._failed(project)
        what = f"job {number} of {project}"
        job = as_one(GitLabJob, await self._client.get(f"{project_path(project)}/jobs/{int(number)}", what=what), what)
        if job.pipeline is None:
            raise BadArguments(f"{what} belongs to no pipeline")
        (name,) = await self._context.clean_words([job.name])
        if name != job.name:
            raise BadArguments(f"{what} has a name that looks like a secret")
        parameters = {"service": service, "project": project, "pipeline": str(job.pipeline.id), "name": job.name}
        attempts = await self._attempts(parameters)
        newest = attempts[-1]
        parameters["job"] = str(newest.id)
        state = self._job_state(service, attempts)
        if action == _CANCEL:
            if newest.status not in _RUNS:
                raise BadArguments(f"the new attempt of {name} is {newest.status}, so nothing can be cancelled")
            return HostPreview(
                title=f"Cancel {name} (job {newest.id})",
                parameters=parameters,
                target=state,
                to_version=state.version,
                interruption="what it did until then stays done",
                link=newest.web_url or None,
            )
        if newest.status not in ("failed", "canceled"):
            raise BadArguments(f"{name} is {newest.status}, not failed")
        return HostPreview(
            title=f"Retry {name} (job {newest.id})",
            parameters=parameters,
            target=state,
            to_version=_attempt(job.name, job.pipeline.id, len(attempts) + 1),
            interruption="whatever the job does happens again",
            known=(f"it failed: {newest.failure_reason}",) if newest.failure_reason else (),
            link=newest.web_url or None,
            undo="Cancel the new attempt while it runs",
            undo_parameters={"job": str(newest.id)},
        )

    async def _act_on_job(self, action: str, parameters: Mapping[str, str]) -> ActionResult:
        newest = (await self._attempts(parameters))[-1]
        if str(newest.id) != parameters["job"]:
            return ActionResult(ok=action == _RETRY, detail=f"job {newest.id} took its place already")
        verb = "retry" if action == _RETRY else "cancel"
        path = f"{project_path(parameters['project'])}/jobs/{newest.id}/{verb}"
        done = as_one(GitLabJob, await self._client.send("POST", path, what=f"{verb} of job {newest.id}"), "a job")
        return ActionResult(ok=True, detail=f"job {done.id} is {done.status}")

    async def _attempts(self, parameters: Mapping[str, str]) -> list[GitLabJob]:
        """All of a job in its pipeline, oldest first."""
        path = f"{project_path(parameters['project'])}/pipelines/{parameters['pipeline']}/jobs"
        what = f"jobs of pipeline {parameters['pipeline']}"
        read = await self._client.pages(path, {"include_retried": "true"}, what=what, most_pages=5)
        found = [one for one in as_several(GitLabJob, read.items, what) if one.name == parameters["name"]]
        if not found:
            raise BadArguments(f"GitLab shows no job {parameters['name'][:60]} in pipeline {parameters['pipeline']}")
        return sorted(found, key=lambda one: one.id)

    async def _failed(self, project: str) -> str:
        path, what = project_path(project), f"failed pipelines of {project}"
        read = await self._client.pages(f"{path}/pipelines", {"status": "failed"}, what=what, most_pages=1)
        for pipeline in as_several(Pipeline, read.items, what)[:1]:
            asked = {"scope[]": "failed"}
            jobs = await self._client.pages(f"{path}/pipelines/{pipeline.id}/jobs", asked, what=what, most_pages=1)
            failed = [one for one in as_several(GitLabJob, jobs.items, what) if not one.allow_failure]
            if failed:
                return str(max(one.id for one in failed))
        raise BadArguments(f"no job of {project} failed")

    def _job_state(self, service: str, attempts: list[GitLabJob]) -> TargetState:
        newest = attempts[-1]
        state = "cancelled" if newest.status == "canceled" else newest.status
        pipeline = newest.pipeline.id if newest.pipeline else 0
        return self._state(service, _attempt(newest.name, pipeline, len(attempts)), state)

    # Drafts

    async def _preview_revert(self, parameters: dict[str, str], asked: Mapping[str, str]) -> HostPreview:
        number = asked["merge_request"].lstrip("!")
        what = f"merge request !{number} of {parameters['project']}"
        path = f"{project_path(parameters['project'])}/merge_requests/{int(number)}"
        merged = as_one(MergeRequest, await self._client.get(path, what=what), what)
        if merged.state != "merged" or merged.commit is None:
            raise BadArguments(f"!{number} is {merged.state}, and no commit of it can be taken back")
        (title,) = await self._context.clean_words([merged.title[:80]])
        parameters |= {
            "merge_request": number,
            "commit": merged.commit,
            "branch": f"autoheal-revert-{number}-{parameters['base'][:10]}",
            "title": f"Revert !{number} {title}",
        }
        known = f"!{number} was merged at {merged.merged_at:%Y-%m-%d %H:%M} UTC" if merged.merged_at else ""
        return await self._previewed(parameters, (), merged.web_url, known)

    async def _preview_fix(self, parameters: dict[str, str], asked: Mapping[str, str]) -> HostPreview:
        path, old, new, version = asked["path"], asked["old"], asked.get("new", ""), asked["version"]
        service = parameters["service"]
        outside = path.startswith(("/", ".gitlab-ci", ".gitlab/")) or ".." in path.split("/")
        if outside or not lies_in(path, self._config.paths.get(service, ())):
            raise BadArguments(f"{path[:120]} is no file of {service} that may be changed")
        if max(old.count("\n"), new.count("\n")) >= _MOST_LINES:
            raise BadArguments(f"more than {_MOST_LINES} lines are no small fix")
        if old == new:
            raise BadArguments("old and new are the same")
        for where in (version, parameters["base"]):
            times = (await self._file(parameters["project"], path, where)).count(old)
            if times != 1:
                raise BadArguments(f"what is to be replaced stands {times} times in {path} at {where[:10]}, not once")
        token = hashlib.sha256(repr((path, old, new)).encode()).hexdigest()[:10]
        parameters |= {
            "path": path,
            "old": old,
            "new": new,
            "branch": f"autoheal-fix-{token}-{parameters['base'][:10]}",
            "title": asked["title"],
        }
        known = f"what is replaced stands once in {path}, at {version[:10]} and on {parameters['into']}"
        return await self._previewed(parameters, (path,), None, known)

    async def _previewed(
        self, parameters: dict[str, str], paths: tuple[str, ...], link: str | None, known: str
    ) -> HostPreview:
        target = await self.read(_FIX, parameters)
        if target.version != _ABSENT:
            raise BadArguments(f"it was drafted before: {target.version}")
        return HostPreview(
            title=f"Draft: {parameters['title']}"[:120],
            parameters=parameters,
            target=target,
            to_version=_OPEN,
            interruption="users notice nothing: a draft is opened, and nothing is merged",
            known=(known,) if known else (),
            paths=paths,
            link=link,
            undo="Close the draft and delete its branch",
            undo_parameters={key: parameters[key] for key in ("branch", "into")},
        )

    async def _preview_close(self, parameters: dict[str, str]) -> HostPreview:
        target = await self.read(_CLOSE, parameters)
        if target.version != _OPEN:
            raise BadArguments(f"there is nothing to close: {target.version}")
        return HostPreview(
            title="Close the draft and delete its branch",
            parameters=parameters,
            target=target,
            to_version=_CLOSED,
            interruption="users notice nothing",
        )

    async def _commit_revert(self, parameters: Mapping[str, str]) -> None:
        """On a branch of its own, which goes again where GitLab finds that it cannot be taken back."""
        path, branch = f"{project_path(parameters['project'])}/repository", parameters["branch"]
        made = {"branch": branch, "ref": parameters["base"]}
        await self._client.send("POST", f"{path}/branches", made, what=f"branch {branch}")
        try:
            revert = f"{path}/commits/{parameters['commit']}/revert"
            await self._client.send("POST", revert, {"branch": branch}, what="the revert")
        except AgentError:
            await self._delete(parameters["project"], branch)
            raise

    async def _commit_fix(self, parameters: Mapping[str, str]) -> None:
        text = await self._file(parameters["project"], parameters["path"], parameters["base"])
        if text.count(parameters["old"]) != 1:
            raise BadArguments(f"{parameters['path']} changed since; nothing was done")
        change = {
            "action": "update",
            "file_path": parameters["path"],
            "content": text.replace(parameters["old"], parameters["new"]),
        }
        body = {
            "branch": parameters["branch"],
            "start_sha": parameters["base"],
            "commit_message": parameters["title"],
            "actions": [change],
        }
        path = f"{project_path(parameters['project'])}/repository/commits"
        await self._client.send("POST", path, body, what="a commit")

    async def _close(self, project: str, branch: str, made: MergeRequest | None) -> ActionResult:
        if made is not None and made.state == "merged":
            return ActionResult(ok=False, detail=f"!{made.iid} was merged; nothing was closed")
        if made is not None and made.state == "opened":
            path = f"{project_path(project)}/merge_requests/{made.iid}"
            await self._client.send("PUT", path, {"state_event": "close"}, what=f"!{made.iid}")
        await self._delete(project, branch)
        return ActionResult(ok=True, detail="the draft is closed and its branch deleted")

    async def _delete(self, project: str, branch: str) -> None:
        path = f"{project_path(project)}/repository/branches/{quote(branch, safe='')}"
        await self._client.send("DELETE", path, what=f"branch {branch}", absent=True)

    async def _of_branch(self, project: str, branch: str) -> MergeRequest | None:
        what = f"drafts of {project}"
        path = f"{project_path(project)}/merge_requests"
        read = await self._client.pages(path, {"source_branch": branch}, what=what, most_pages=1)
        return next(iter(as_several(MergeRequest, read.items, what)), None)

    async def _branch_of(self, project: str) -> tuple[str, str]:
        """The default branch, and its newest commit."""
        into = (await self._projects.one(project)).default_branch
        if not into:
            raise BadArguments(f"{project} has no default branch")
        return into, await self._head(project, into)

    async def _head(self, project: str, branch: str) -> str:
        what = f"branch {branch} of {project}"
        path = f"{project_path(project)}/repository/branches/{quote(branch, safe='')}"
        return as_one(Branch, await self._client.get(path, what=what), what).commit.id

    async def _file(self, project: str, path: str, ref: str) -> str:
        where = f"{project_path(project)}/repository/files/{quote(path, safe='')}/raw"
        raw = await self._client.text(where, {"ref": ref}, what=f"{path} of {project}", max_bytes=_LARGEST)
        try:
            return raw.decode()
        except UnicodeDecodeError as exc:
            raise BadArguments(f"{path} is no text") from exc

    def _require(self, action: str, service: str) -> None:
        if not self.can(action, service):
            raise NotPermitted(f"GitLab may not do {action[:40]!r} here")

    def _state(self, service: str, version: str, state: str) -> TargetState:
        return TargetState(
            service=service,
            version=version,
            previous_version=None,
            state=state,
            instances=0,
            started_at=None,
            read_at=self._context.now(),
        )


def _attempt(name: str, pipeline: int, number: int) -> str:
    return f"{name} of pipeline {pipeline}, {counted(number, 'attempt')}"


def _shown(parameters: Mapping[str, str]) -> str:
    path, old, new = parameters["path"], parameters["old"].splitlines(), parameters["new"].splitlines()
    return "\n".join(difflib.unified_diff(old, new, f"a/{path}", f"b/{path}", lineterm=""))
