"""Workflow runs as what can be acted on: a failed one run again, a permitted workflow started, a run cancelled.

https://docs.github.com/en/rest/actions/workflow-runs
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

import yaml
from pydantic import BaseModel, ConfigDict

from agents.connecting.code_host import HostPreview
from agents.connecting.connector import ActionResult, ConnectorContext, TargetState
from agents.connecting.connectors.github import answers
from agents.connecting.connectors.github.answers import WorkflowRun
from agents.connecting.connectors.github.client import GitHubClient
from agents.connecting.connectors.github.git_data import GitData
from agents.connecting.connectors.github.repositories import quoted
from agents.connecting.connectors.github.settings import GitHubConfig
from agents.connecting.foreign_json import read_json
from agents.errors import BadArguments, NotPermitted

_FAILED: Final = ("failure", "timed_out", "cancelled", "startup_failure")
_MOST_INPUTS: Final = 25  # GitHub's own limit
_LONGEST_INPUT: Final = 500


class _Workflow(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)
    id: int
    name: str
    path: str
    state: str


class WorkflowActions:
    """Of one connection."""

    def __init__(self, client: GitHubClient, data: GitData, config: GitHubConfig, context: ConnectorContext) -> None:
        self._client, self._data, self._config, self._context = client, data, config, context

    async def preview_rerun(self, service: str, repository: str, asked: Mapping[str, str]) -> HostPreview:
        run = await self._run(repository, asked["run"]) if asked.get("run") else await self._failed(repository)
        if run.status != "completed" or run.conclusion not in _FAILED:
            raise BadArguments(f"run {run.id} did not fail: it is {run.conclusion or run.status}")
        return HostPreview(
            title=f"Run the failed jobs of {await self._named(run)} again",
            parameters={
                "service": service,
                "repository": repository,
                "run": str(run.id),
                "attempt": str(run.run_attempt),
            },
            target=self._state(service, run),
            to_version=f"run {run.id}, attempt {run.run_attempt + 1}",
            interruption="what the jobs do, they do again",
            link=run.html_url,
            undo="Cancel the new attempt, while it runs",
            undo_parameters={"run": str(run.id)},
        )

    async def preview_dispatch(self, service: str, repository: str, asked: Mapping[str, str]) -> HostPreview:
        name = asked["workflow"]
        self._permitted(name)
        what = f"workflow {name} of {repository}"
        document = await self._client.get(f"/repos/{quoted(repository)}/actions/workflows/{name}", what=what)
        workflow = answers.one(_Workflow, document, what)
        if workflow.state != "active":
            raise BadArguments(f"{name} is {workflow.state} at GitHub")
        branch = await self._data.default_branch(repository)
        declared = await self._declared(repository, branch, workflow.path)
        inputs = _fitting(asked.get("inputs", "{}"), declared)
        newest = await self._newest_of(repository, name)
        told = ", ".join(f"{key}={value}" for key, value in inputs.items()) or "no inputs"
        return HostPreview(
            title=f"Start {workflow.name} ({name}) on {branch}",
            parameters={
                "service": service,
                "repository": repository,
                "workflow": name,
                "branch": branch,
                "inputs": json.dumps(inputs),
            },
            target=self._newest_state(service, newest),
            to_version="a newer run",
            interruption=f"as the workflow does, with {told}",
            known=(f"{name} takes these inputs: {', '.join(declared) or 'none'}",),
            link=newest.html_url if newest else None,
            undo="Cancel its run while it runs; what it did until then stays",
            undo_parameters={"workflow": name, "after": str(newest.id if newest else 0)},
        )

    async def preview_cancel(self, service: str, repository: str, asked: Mapping[str, str]) -> HostPreview:
        if asked.get("run"):
            run: WorkflowRun | None = await self._run(repository, asked["run"])
        else:
            run = await self._newest_of(repository, asked["workflow"])
            if run is not None and run.id <= int(asked["after"]):
                run = None
        if run is None or run.status == "completed":
            raise BadArguments("it does not run any more" if run else "no run of it is known")
        return HostPreview(
            title=f"Cancel {await self._named(run)}",
            parameters={"service": service, "repository": repository, "run": str(run.id)},
            target=self._state(service, run),
            to_version=f"run {run.id}, attempt {run.run_attempt}",
            interruption="what its jobs began stays half done",
            link=run.html_url,
        )

    async def read(self, action: str, parameters: Mapping[str, str]) -> TargetState:
        service, repository = parameters["service"], parameters["repository"]
        if action == "dispatch_workflow":
            return self._newest_state(service, await self._newest_of(repository, parameters["workflow"]))
        return self._state(service, await self._run(repository, parameters["run"]))

    def argv(self, action: str, parameters: Mapping[str, str]) -> tuple[str, ...]:
        base = f"/repos/{parameters['repository']}/actions"
        if action == "dispatch_workflow":
            path = f"{base}/workflows/{parameters['workflow']}/dispatches"
            return ("POST", path, f"ref={parameters['branch']}", f"inputs={parameters['inputs']}")
        return (
            "POST",
            f"{base}/runs/{parameters['run']}/{'cancel' if action == 'cancel_run' else 'rerun-failed-jobs'}",
        )

    async def act(self, action: str, parameters: Mapping[str, str]) -> ActionResult:
        base = f"/repos/{quoted(parameters['repository'])}/actions"
        if action == "dispatch_workflow":
            name = parameters["workflow"]
            self._permitted(name)
            body = {"ref": parameters["branch"], "inputs": json.loads(parameters["inputs"])}
            await self._client.send("POST", f"{base}/workflows/{name}/dispatches", body, what=f"a start of {name}")
            return ActionResult(ok=True, detail=f"GitHub took the start of {name}")
        run = await self._run(parameters["repository"], parameters["run"])
        if action == "cancel_run":
            if run.status == "completed":
                return ActionResult(ok=True, detail=f"run {run.id} has ended already: {run.conclusion}")
            await self._client.send("POST", f"{base}/runs/{run.id}/cancel", what=f"cancelling run {run.id}")
            return ActionResult(ok=True, detail=f"run {run.id} is being cancelled")
        if str(run.run_attempt) != parameters["attempt"]:
            return ActionResult(ok=True, detail=f"run {run.id} was started again already, attempt {run.run_attempt}")
        await self._client.send("POST", f"{base}/runs/{run.id}/rerun-failed-jobs", what=f"a rerun of run {run.id}")
        return ActionResult(ok=True, detail=f"run {run.id} runs again, attempt {run.run_attempt + 1}")

    def _permitted(self, name: str) -> None:
        if name not in self._config.workflows:
            known = ", ".join(self._config.workflows) or "none"
            raise NotPermitted(f"an admin did not permit {name[:100]}; permitted are: {known}")

    async def _declared(self, repository: str, branch: str, path: str) -> dict[str, Any]:
        """The inputs that a workflow's file declares. Raises BadArguments where it cannot be started by hand."""
        text = await self._data.text_at(repository, branch, path)
        try:
            document = yaml.safe_load(text)
            on = document.get("on", document.get(True))  # YAML 1.1 reads the word `on` as true
            begins = on if isinstance(on, dict) else dict.fromkeys([on] if isinstance(on, str) else on)
            if "workflow_dispatch" not in begins:
                raise BadArguments(f"{path} is not started by hand: it has no workflow_dispatch")
            return dict((begins["workflow_dispatch"] or {}).get("inputs") or {})
        except (yaml.YAMLError, AttributeError, TypeError, ValueError) as exc:
            raise BadArguments(f"{path} cannot be read as a workflow") from exc

    async def _run(self, repository: str, number: str) -> WorkflowRun:
        what = f"run {number} of {repository}"
        document = await self._client.get(f"/repos/{quoted(repository)}/actions/runs/{int(number)}", what=what)
        return answers.one(WorkflowRun, document, what)

    async def _failed(self, repository: str) -> WorkflowRun:
        what = f"failed runs of {repository}"
        asked = {"status": "failure", "per_page": "1"}
        path = f"/repos/{quoted(repository)}/actions/runs"
        listed = await self._client.pages(path, asked, what=what, key="workflow_runs", most_pages=1)
        runs = answers.several(WorkflowRun, listed.items, what)
        if not runs:
            raise BadArguments(f"no run of {repository} failed")
        return runs[0]

    async def _newest_of(self, repository: str, workflow: str) -> WorkflowRun | None:
        what = f"runs of {workflow} of {repository}"
        path = f"/repos/{quoted(repository)}/actions/workflows/{workflow}/runs"
        asked = {"event": "workflow_dispatch", "per_page": "1"}
        listed = await self._client.pages(path, asked, what=what, key="workflow_runs", most_pages=1)
        return next(iter(answers.several(WorkflowRun, listed.items, what)), None)

    async def _named(self, run: WorkflowRun) -> str:
        (name,) = await self._context.clean_words([run.name or "workflow"])
        return f"{name[:60]} (run {run.id})"

    def _state(self, service: str, run: WorkflowRun) -> TargetState:
        return TargetState(
            service=service,
            version=f"run {run.id}, attempt {run.run_attempt}",
            previous_version=None,
            state=f"{run.conclusion or run.status} for {run.head_sha[:7]}",
            instances=0,
            started_at=run.run_started_at,
            read_at=self._context.now(),
        )

    def _newest_state(self, service: str, run: WorkflowRun | None) -> TargetState:
        return TargetState(
            service=service,
            version=f"run {run.id} is the newest" if run else "no run yet",
            previous_version=None,
            state="started by hand",
            instances=0,
            started_at=run.run_started_at if run else None,
            read_at=self._context.now(),
        )


def _fitting(written: str, declared: Mapping[str, Any]) -> dict[str, str]:
    """Inputs that the workflow declares, all that it requires, each one of its options where it has any."""
    try:
        given = read_json(written)
    except ValueError as exc:
        raise BadArguments("inputs: write a JSON object of texts") from exc
    if not isinstance(given, dict) or not all(isinstance(value, str) for value in given.values()):
        raise BadArguments("inputs: write a JSON object of texts")
    unknown = sorted(set(given) - set(declared))
    if unknown or len(given) > _MOST_INPUTS:
        raise BadArguments(f"inputs: {', '.join(unknown)[:200]} is none; there are: {', '.join(declared) or 'none'}")
    for name, said in declared.items():
        of = said if isinstance(said, dict) else {}
        if of.get("required") and name not in given and "default" not in of:
            raise BadArguments(f"inputs: {name} is required")
        options = of.get("options")
        if name in given and options and given[name] not in map(str, options):
            raise BadArguments(f"inputs: {name} is one of {', '.join(map(str, options))[:200]}")
        if len(given.get(name, "")) > _LONGEST_INPUT:
            raise BadArguments(f"inputs: {name} is longer than {_LONGEST_INPUT} characters")
    return dict(given)
