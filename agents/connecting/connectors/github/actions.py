"""What one connection may change at GitHub, by the name of the action: each by the part that can do it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from agents.connecting.code_host import HostPreview
from agents.connecting.connector import ActionResult, ConnectorContext, TargetState
from agents.connecting.connectors.github.client import GitHubClient
from agents.connecting.connectors.github.deployments import Deployments
from agents.connecting.connectors.github.drafts import DraftActions
from agents.connecting.connectors.github.git_data import GitData
from agents.connecting.connectors.github.repositories import Repositories
from agents.connecting.connectors.github.rollback import DeploymentActions
from agents.connecting.connectors.github.runs import WorkflowActions
from agents.connecting.connectors.github.settings import GitHubConfig
from agents.errors import BadArguments, NotPermitted

_NEEDS: Final[Mapping[str, tuple[str, ...]]] = {
    "deploy": ("rollback_deployment",),
    "cancel_run": ("rerun_workflow", "dispatch_workflow"),
    "close_pull_request": ("revert_pull_request", "propose_fix"),
}
"""What takes something back is permitted where that is."""
_DEPLOYS: Final = ("rollback_deployment", "deploy")
_RUNS: Final = ("rerun_workflow", "dispatch_workflow", "cancel_run")


class GitHubActions:
    """Of one connection."""

    def __init__(
        self,
        client: GitHubClient,
        repositories: Repositories,
        deployments: Deployments,
        config: GitHubConfig,
        context: ConnectorContext,
    ) -> None:
        data = GitData(client)
        self._repositories, self._config, self._context = repositories, config, context
        self.deployments = DeploymentActions(client, deployments, repositories, config, context)
        self._runs = WorkflowActions(client, data, config, context)
        self._drafts = DraftActions(client, data, config, context)

    def can(self, action: str, service: str) -> bool:
        """What an admin permitted, for services whose repository somebody named."""
        permitted = any(one in self._config.actions for one in _NEEDS.get(action, (action,)))
        return permitted and service in self._context.names and self._home(service) is not None

    def argv(self, action: str, parameters: Mapping[str, str]) -> tuple[str, ...]:
        if action in _DEPLOYS:
            return self.deployments.argv(self._home(parameters["service"]) or "", parameters)
        return (self._runs if action in _RUNS else self._drafts).argv(action, parameters)

    async def preview(self, action: str, service: str, asked: Mapping[str, str]) -> HostPreview:
        """Raises BadArguments with the reason where it cannot be done."""
        self._require(action, service)
        preview = {
            "rerun_workflow": self._runs.preview_rerun,
            "dispatch_workflow": self._runs.preview_dispatch,
            "cancel_run": self._runs.preview_cancel,
            "revert_pull_request": self._drafts.preview_revert,
            "propose_fix": self._drafts.preview_fix,
            "close_pull_request": self._drafts.preview_close,
        }.get(action)
        if preview is None:
            raise BadArguments(f"{action[:40]} is not previewed here")
        return await preview(service, await self._repositories.of(service), asked)

    async def read(self, action: str, parameters: Mapping[str, str]) -> TargetState:
        if action in _RUNS:
            return await self._runs.read(action, parameters)
        return await self._drafts.read(parameters)

    async def act(self, action: str, parameters: Mapping[str, str], *, idempotency_key: str) -> ActionResult:
        self._require(action, parameters.get("service", ""))
        if action in _DEPLOYS:
            return await self.deployments.act(parameters, idempotency_key=idempotency_key)
        if parameters["repository"] != await self._repositories.of(parameters["service"]):
            raise NotPermitted(
                f"{parameters['repository'][:100]} is not the repository of {parameters['service']} any more"
            )
        if action in _RUNS:
            return await self._runs.act(action, parameters)
        return await self._drafts.act(action, parameters, idempotency_key=idempotency_key)

    def _require(self, action: str, service: str) -> None:
        if not self.can(action, service):
            raise NotPermitted(f"GitHub may not do {action[:40]!r} for {service[:60]!r} here")

    def _home(self, service: str) -> str | None:
        named = self._repositories.named(self._repositories.service(service))
        return named or (self._config.repositories[0] if len(self._config.repositories) == 1 else None)
