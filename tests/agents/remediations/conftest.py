"""A tiny real shop: a git repository with deployments, and a control program that keeps its state in a file."""

import ipaddress
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from agents.connecting.connector import ConnectorContext, Service
from agents.connecting.connectors.commands import Commands, CommandsConfig
from agents.connecting.connectors.git import Git, GitConfig
from agents.connecting.outbound import EgressPolicy, Outbound
from agents.remediation import PlanReason, RemediationContext
from tests.agents.connecting.connectors.github.conftest import connect, documented, github, ticking

__all__ = ["connect", "documented", "github", "ticking"]  # fixtures

CONTROL = """
import json, pathlib, sys
path = pathlib.Path(sys.argv[1])
state = json.loads(path.read_text())
operation, service, *rest = sys.argv[2:]
one = state[service]
if operation == "status":
    print(json.dumps(one))
elif operation == "rollback":
    one["previous_version"], one["version"] = one["version"], rest[0]
elif operation == "restart":
    one["started_at"] = "2026-03-01T12:30:00Z"
path.write_text(json.dumps(state))
"""
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


class Shop:
    def __init__(self, folder: Path, outbound: Outbound) -> None:
        self.folder, self.outbound, self.now = folder, outbound, NOW
        self.at = NOW - timedelta(hours=5)
        self.repository, self.state_file, self.control = folder / "repo", folder / "state.json", folder / "control.py"
        self.control.write_text(CONTROL)
        self.repository.mkdir()
        self.git("init", "--quiet", "--initial-branch=main")

    def git(self, *arguments: str) -> str:
        environment = {"PATH": os.environ["PATH"], "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}
        for who in ("AUTHOR", "COMMITTER"):
            environment |= {
                f"GIT_{who}_NAME": "a",
                f"GIT_{who}_EMAIL": "a@example.com",
                f"GIT_{who}_DATE": f"{int(self.at.timestamp())} +0000",
            }
        done = subprocess.run(
            ["git", *arguments],  # noqa: S607
            cwd=self.repository,
            env=environment,
            capture_output=True,
            check=True,
        )
        return done.stdout.decode().strip()

    def commit(self, subject: str, path: str) -> str:
        self.at += timedelta(minutes=1)
        (self.repository / path).parent.mkdir(parents=True, exist_ok=True)
        (self.repository / path).write_text(subject)
        self.git("add", "--all")
        self.git("commit", "--quiet", "-m", subject)
        return self.git("rev-parse", "HEAD")

    def deploy(self, version: str, service: str = "checkout") -> None:
        self.at += timedelta(minutes=1)
        number = len(self.git("tag", "--list", f"deploy/{service}/*").splitlines()) + 1
        self.git("tag", "-a", "-m", "deploy", f"deploy/{service}/{number}", version)
        previous = self.state().get(service, {}).get("version")
        self.write(service, version=version, previous_version=previous)

    def state(self) -> dict[str, Any]:
        return dict(json.loads(self.state_file.read_text())) if self.state_file.exists() else {}

    def write(self, service: str, **changed: object) -> None:
        state = self.state()
        start = {"version": "", "previous_version": None, "state": "running", "instances": 1}
        start["started_at"] = "2026-03-01T09:00:00Z"
        state[service] = {**state.get(service, start), **changed}
        self.state_file.write_text(json.dumps(state))

    def context(self, *, git: bool = True, risk: str = "medium", forward: bool = False) -> RemediationContext:
        services = (Service(name="checkout", environment="production"), Service(name="payments"))
        connected = ConnectorContext(services=services, outbound=self.outbound, now=lambda: self.now)
        program = [sys.executable, str(self.control), str(self.state_file)]
        roll = [*program, "rollback", "{service}", "{version}"]
        declared = [
            {"name": "status", "action": "read_target", "argv": [*program, "status", "{service}"], "risk": "read"},
            {"name": "rollback", "action": "rollback_deployment", "argv": roll, "risk": risk, "services": ["checkout"]},
            {
                "name": "restart",
                "action": "restart_service",
                "argv": [*program, "restart", "{service}"],
                "risk": "low",
                "services": ["checkout"],
            },
        ]
        if forward:
            declared.append({"name": "deploy", "action": "deploy", "argv": roll, "risk": "medium"})
        commands = Commands(CommandsConfig.model_validate({"command": declared}), connected)
        link = "https://git.example/compare/{from}...{to}"
        source = Git(GitConfig(repository=self.repository, link=link), connected)
        return RemediationContext(
            actuators=(commands,), changes=(source,) if git else (), services=services, now=lambda: self.now
        )


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Shop]:
    outbound = Outbound(EgressPolicy(allow_networks=(ipaddress.ip_network("127.0.0.0/8"),)))
    yield Shop(tmp_path, outbound)
    await outbound.close()


@pytest.fixture
def reason() -> PlanReason:
    return PlanReason(cause="pool cut 50->5", confidence="high", evidence=("a1",), requested_by="U1", healing=None)
