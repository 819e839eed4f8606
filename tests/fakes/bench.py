"""A small estate for tests of the engine: one service whose state is a file, a control program, a metrics source.

The control program is a real process that appends each effect to a log, so that doing something twice cannot hide.
"""

import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import numpy as np

from agents.connecting.connector import Check, Connector, ConnectorConfig, ConnectorContext, SeriesRead, Service
from agents.connecting.connectors.commands import Commands, CommandsConfig, DeclaredCommand
from agents.connecting.outbound import EgressPolicy, Outbound
from agents.connecting.toolbox import Toolbox
from agents.evidence.types import RawSeries, Window
from agents.tool import Risk

CONTROL = """
import json, os, pathlib, signal, sys, datetime
folder = pathlib.Path(sys.argv[1]); action = sys.argv[2]
state = json.loads((folder / "state.json").read_text())
if action == "restart":
    with open(folder / "effects.log", "a") as log:
        log.write("restart\\n"); log.flush(); os.fsync(log.fileno())
    if (folder / "kill-parent").exists():
        (folder / "kill-parent").unlink()
        os.kill(os.getppid(), signal.SIGKILL)
        sys.exit(1)
    if (folder / "fails").exists():
        print("no such process", file=sys.stderr)
        sys.exit(3)
    if (folder / "hangs").exists():
        __import__("time").sleep(60)
    state = {"started_at": datetime.datetime.now(datetime.UTC).isoformat(),
             "healthy": not (folder / "stays-ill").exists()}
    (folder / "state.json").write_text(json.dumps(state))
    print("restarted")
elif action == "deploy":
    with open(folder / "effects.log", "a") as log:
        log.write(f"deploy {sys.argv[3]}\\n")
    (folder / "state.json").write_text(json.dumps({**state, "version": sys.argv[3]}))
else:
    print(json.dumps({"version": state.get("version", "a" * 40), "previous_version": "b" * 40,
                      "state": "running", "instances": 1, "started_at": state["started_at"]}))
"""


class BenchMetrics(Connector):
    """Five minutes of one-second samples, half of the requests failing for the last 30 s while the service is ill."""

    name = "bench"
    title = "Bench metrics"
    config_model = ConnectorConfig

    def __init__(self, folder: Path, context: ConnectorContext) -> None:
        super().__init__(ConnectorConfig(), context)
        self._folder = folder

    async def check(self) -> Check:
        return Check(ok=True, detail="a file")

    async def read_series(self, window: Window, services: Any = None) -> SeriesRead:
        end = window.end.timestamp()
        times = np.arange(end - 300, end, 1.0)
        healthy = json.loads((self._folder / "state.json").read_text())["healthy"]
        ill = np.zeros_like(times) if healthy else (times > end - 30).astype(float)
        labels = {"service": "checkout", "route": "/pay", "method": "POST"}
        good = np.cumsum(20.0 - 10.0 * ill)
        bad = np.cumsum(10.0 * ill)
        series = [
            RawSeries(
                name="http_requests_total", labels={**labels, "status": code}, kind="counter", times=times, values=v
            )
            for code, v in (("200", good), ("500", bad))
        ]
        return SeriesRead(series=tuple(series))


def make_bench(folder: Path) -> None:
    """State and control program in `folder`."""
    (folder / "state.json").write_text(json.dumps({"started_at": "2026-01-01T00:00:00+00:00", "healthy": False}))
    (folder / "control.py").write_text(CONTROL)


def effects(folder: Path) -> int:
    """How often the control program really acted."""
    log = folder / "effects.log"
    return len(log.read_text().splitlines()) if log.exists() else 0


def restarted_by_hand(folder: Path) -> None:
    """Somebody restarted the service: the target is no longer what a plan has read."""
    state = json.loads((folder / "state.json").read_text())
    (folder / "state.json").write_text(json.dumps({**state, "started_at": "2026-01-02T00:00:00+00:00"}))


def broken_again(folder: Path) -> None:
    """The service fails as before."""
    state = json.loads((folder / "state.json").read_text())
    (folder / "state.json").write_text(json.dumps({**state, "healthy": False}))


def bench_toolbox(
    folder: Path,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    *,
    risk: Literal["medium", "high"] = "medium",
    timeout_s: float = 30.0,
) -> Toolbox:
    services = (Service(name="checkout"), Service(name="payments"))
    context = ConnectorContext(services=services, outbound=Outbound(EgressPolicy()), now=now)
    program = (sys.executable, str(folder / "control.py"), str(folder))
    commands = CommandsConfig(
        command=(
            DeclaredCommand(name="deploy", action="deploy", argv=(*program, "deploy", "{version}"), risk=Risk.MEDIUM),
            DeclaredCommand(name="status", action="read_target", argv=(*program, "status"), risk=Risk.READ),
            DeclaredCommand(
                name="restart",
                action="restart_service",
                argv=(*program, "restart"),
                risk=Risk(risk),
                timeout_s=timeout_s,
            ),
        )
    )
    return Toolbox(connectors=(BenchMetrics(folder, context), Commands(commands, context)), services=services)
