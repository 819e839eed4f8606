"""A deployment of an earlier commit: a new one that GitHub records, or the run that deployed it, run again.

https://docs.github.com/en/rest/deployments/deployments -- whoever deploys what GitHub records takes it from there, so
the action waits for the deployment's own status and says where that stays away.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from agents.connecting.connector import ActionResult, ConnectorContext, TargetState
from agents.connecting.connectors.github import answers
from agents.connecting.connectors.github.answers import Deployment, DeploymentStatus
from agents.connecting.connectors.github.client import GitHubClient
from agents.connecting.connectors.github.deployments import Deployments
from agents.connecting.connectors.github.repositories import Repositories, quoted
from agents.connecting.connectors.github.settings import GitHubConfig
from agents.errors import BadArguments

_RUN: Final = re.compile(r"/actions/runs/(\d{1,18})(?:/|$)")
_KEY: Final = "autoheal"
_LOOKS: Final = 40
_PAUSE_S: Final = 5.0
_ENDED: Final = frozenset({"success", "failure", "error"})


class DeploymentActions:
    """Of one connection."""

    def __init__(
        self,
        client: GitHubClient,
        deployments: Deployments,
        repositories: Repositories,
        config: GitHubConfig,
        context: ConnectorContext,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._client, self._deployments, self._repositories = client, deployments, repositories
        self._by_workflow, self._context, self._sleep = config.rollback == "workflow", context, sleep

    async def read(self, service: str) -> TargetState:
        """What the newest deployment that took effect put there. Raises BadArguments where none is known."""
        name = await self._repositories.of(service)
        known = await self._deployments.newest(name, service, self._repositories.owned_by(name))
        if not known:
            raise BadArguments(f"GitHub knows no deployment of {service}")
        others = [one.version for one in known if one.version != known[0].version]
        return TargetState(
            service=service,
            version=str(known[0].version),
            previous_version=others[0] if others else None,
            state="deployed",
            instances=0,
            started_at=known[0].at,
            read_at=self._context.now(),
        )

    def argv(self, repository: str, parameters: Mapping[str, str]) -> tuple[str, ...]:
        version = parameters["version"]
        if self._by_workflow:
            return ("POST", f"/repos/{repository}/actions/runs/ID/rerun", f"ID=the run that deployed {version}")
        return ("POST", f"/repos/{repository}/deployments", f"ref={version}", "task and environment as it had then")

    async def act(self, parameters: Mapping[str, str], *, idempotency_key: str) -> ActionResult:
        service, version = parameters["service"], parameters["version"]
        name = await self._repositories.of(service)
        owned = self._repositories.owned_by(name)
        listed = [d for d in await self._deployments.listed(name) if answers.service_of(d, owned) == service]
        made = next((d for d in listed if answers.payload_of(d).get(_KEY) == idempotency_key), None)
        if made is not None:
            return await self._followed(name, made.id)
        earlier = next((d for d in listed if d.sha == version), None)
        if earlier is None:
            raise BadArguments(f"GitHub knows no deployment of {service} at {version[:10]}")
        if self._by_workflow:
            return await self._run_again(name, earlier)
        body = {
            "ref": version,
            "task": earlier.task,
            "environment": earlier.environment,
            "auto_merge": False,
            "required_contexts": [],
            "payload": {**answers.payload_of(earlier), "service": service, _KEY: idempotency_key},
            "description": f"{service} back to {version[:10]}",
        }
        document = await self._client.send(
            "POST", f"/repos/{quoted(name)}/deployments", body, what=f"a deployment of {version[:10]}"
        )
        return await self._followed(name, answers.one(Deployment, document, "the deployment").id)

    async def _run_again(self, name: str, earlier: Deployment) -> ActionResult:
        statuses = await self._statuses(name, earlier.id)
        told = (match for s in statuses for url in (s.log_url, s.target_url) if (match := _RUN.search(url)))
        run = next(told, None)
        if run is None:
            raise BadArguments(f"which run deployed {earlier.sha[:10]} is not known: no status of it names one")
        path = f"/repos/{quoted(name)}/actions/runs/{run[1]}/rerun"
        await self._client.send("POST", path, what=f"a rerun of run {run[1]}")
        return ActionResult(ok=True, detail=f"run {run[1]}, which deployed {earlier.sha[:10]}, runs again")

    async def _followed(self, name: str, number: int) -> ActionResult:
        """Waits for the deployment's end, as long as that may take here."""
        for _ in range(_LOOKS):
            state, _at = answers.effect_of(await self._statuses(name, number))
            if state in _ENDED:
                return ActionResult(ok=state == "success", detail=f"deployment {number} ended: {state}")
            await self._sleep(_PAUSE_S)
        told = (
            f"deployment {number} is recorded, and nobody reported its end within {_LOOKS * _PAUSE_S / 60:.0f} minutes"
        )
        return ActionResult(ok=False, detail=told)

    async def _statuses(self, name: str, number: int) -> list[DeploymentStatus]:
        what = f"the statuses of deployment {number}"
        path = f"/repos/{quoted(name)}/deployments/{number}/statuses"
        listed = await self._client.pages(path, {}, what=what, most_pages=1)
        return answers.several(DeploymentStatus, listed.items, what)
