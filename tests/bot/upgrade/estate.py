"""What the kept data folder was made beside, and is opened beside: a service that is ill, the operator's programs, a
scripted model, and a workspace whose threads are kept with the folder.

The programs are declared with relative paths, so that a plan that was stored in one folder is carried out in another.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any
from unittest.mock import patch

from fakes.bench import BenchMetrics
from fakes.rig import rank_then_restart
from fakes.scripted_model import call, say

from agents.connecting.connector import ConnectorContext, Service
from agents.connecting.connectors.commands import Commands, CommandsConfig, DeclaredCommand
from agents.connecting.outbound import EgressPolicy, Outbound
from agents.connecting.toolbox import Toolbox
from agents.connecting.toolboxes import Toolboxes
from agents.models.model import Block, OnText, Turn, TurnRequest
from agents.tool import Risk
from bot import assemble
from bot.demo.workspace import Workspace
from bot.demo.workspace.model import StoredMessage
from bot.manifest import load_manifest
from bot.settings import Settings
from store.database.session import Database
from store.ids import TenantId

PAST, WAITING, RUNNING = "checkout fails", "checkout fails, who may restart it?", "checkout is slow, look at everything"
STATUS = '{"version": "aaaaaaaaaaaa", "state": "running", "instances": 1, "started_at": "%s"}'
RESTART = """
echo "$AUTOHEAL_IDEMPOTENCY_KEY" >> effects.log
[ -e stays-ill ] || echo '{"healthy": true}' > state.json
printf '{"version": "aaaaaaaaaaaa", "state": "running", "instances": 1, "started_at": "%s"}' \
    "2026-01-01T00:00:$(printf %02d $(($(wc -l < effects.log) % 60)))Z" > status.json
echo restarted
"""


def make_target(folder: Path) -> None:
    """The service, its state and its restart script."""
    folder.mkdir(exist_ok=True)
    (folder / "status.json").write_text(STATUS % "2026-01-01T00:00:00Z")
    (folder / "restart.sh").write_text(RESTART)
    fall_ill(folder)


def fall_ill(folder: Path, *, for_good: bool = False) -> None:
    (folder / "state.json").write_text(json.dumps({"healthy": False}))
    (folder / "stays-ill").unlink(missing_ok=True)
    if for_good:
        (folder / "stays-ill").touch()


def effects(folder: Path) -> list[str]:
    """The idempotency key of each restart that really happened."""
    log = folder / "effects.log"
    return log.read_text().split() if log.exists() else []


class Investigator:
    """Ranks, then proposes a restart. What is asked decides; a run that is asked to look at everything hangs until
    `let_go` is set.
    """

    name, offline = "scripted", True

    def __init__(self) -> None:
        self.let_go = asyncio.Event()
        self.hanging = asyncio.Event()

    async def ask(self, request: TurnRequest, *, on_text: OnText | None = None) -> Turn:
        question = str(request.messages[0]["content"])
        turn = sum(1 for message in request.messages if message["role"] == "assistant")
        if turn == 1 and RUNNING in question:
            self.hanging.set()
            await self.let_go.wait()
        content = self._answer(question, request, turn)
        calls = any(block["type"] == "tool_use" for block in content)
        return Turn(content=content, stop_reason="tool_use" if calls else "end_turn", model=self.name)

    @staticmethod
    def _answer(question: str, request: TurnRequest, turn: int) -> list[Block]:
        if "our own fault" in question:
            raise ZeroDivisionError
        if "nobody knows" in question:
            return [call(0, 0, "rank_causes", {"minutes": 5})] if turn == 0 else [say("I do not know.")]
        return rank_then_restart(request, turn)


def toolbox(folder: Path, now: Callable[[], datetime]) -> Toolbox:
    services = (Service(name="checkout"), Service(name="payments"))
    context = ConnectorContext(services=services, outbound=Outbound(EgressPolicy()), now=now)
    commands = CommandsConfig(
        command=(
            DeclaredCommand(
                name="status", action="read_target", argv=("/bin/cat", "status.json"), risk=Risk.READ, folder=folder
            ),
            DeclaredCommand(
                name="restart",
                action="restart_service",
                argv=("/bin/sh", "restart.sh", "{service}"),
                risk=Risk.MEDIUM,
                folder=folder,
            ),
        )
    )
    return Toolbox(connectors=(BenchMetrics(folder, context), Commands(commands, context)), services=services)


def settings_for(data: Path, workspace: Workspace) -> Settings:
    """As an operator's environment would give them."""
    return Settings(
        data=data,
        SLACK_BOT_TOKEN=workspace.bot_token,
        SLACK_APP_TOKEN=workspace.app_token,
        SLACK_API_URL=workspace.api_url,
        backups="operator",
        verify="off",
        healing_check_s=0.2,
        healing_hold_s=0.5,
        healing_window_s=2.0,
    )


@asynccontextmanager
async def served(data: Path, target: Path, workspace: Workspace, model: Investigator) -> AsyncIterator[None]:
    """`autoheal serve` in this process, with the model and the sources of this module."""
    with (
        patch.object(assemble, "open_toolboxes", the_same_for_all(toolbox(target, assemble.now))),
        patch.object(assemble, "OfflineModel", lambda: model),
    ):
        async with assemble.serving(settings_for(data, workspace)):
            yield


def the_same_for_all(made: Toolbox) -> Any:
    """Instead of what tenants connected: one toolbox."""

    class EveryTenant(Toolboxes):
        async def of(self, tenant: TenantId) -> Toolbox:
            return made

    @asynccontextmanager
    async def opened(_settings: Any, db: Database, *_: Any, **__: Any) -> AsyncIterator[Toolboxes]:
        yield EveryTenant(db, now=assemble.now)

    return opened


def dump(workspace: Workspace) -> str:
    """The channels' messages and the app's tokens, as JSON."""
    state = workspace._state
    messages = [asdict(m) for channel in state.channels for m in state.messages(channel)]
    return json.dumps({"bot_token": state.bot_token, "app_token": state.app_token, "messages": messages})


def load(kept: str) -> Workspace:
    """A workspace in which all that was said is there."""
    workspace = Workspace(load_manifest())
    state, said = workspace._state, json.loads(kept)
    state.bot_token, state.app_token = said["bot_token"], said["app_token"]
    for message in said["messages"]:
        state.add(StoredMessage(**message))
    return workspace
