"""The referee: the one process that knows what is wrong with the shop, and judges healing by what customers get.

It speaks JSON lines with its parent (`baseline`, `begin`, `judge`, `reset`), and owns the customers and the outside
provider. Nothing that it knows is written to disk.
"""

import argparse
import asyncio
import contextlib
import http.client
import json
import os
import random
import re
import signal
import sys
import urllib.request
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from bot.demo.shop.control import ControlError, ask_async
from bot.demo.shop.edits import ORDINARY, TUNABLE, Edit
from bot.demo.shop.lifetime import die_with_parent
from bot.demo.shop.plan import ROLES, Role, ShopTopology, load_topology, plan_shop
from bot.demo.shop.repository import RepositoryError, ShopRepository
from bot.demo.shop.scenarios import ALL_KINDS, PLAYED, Truth
from bot.demo.shop.streams import next_value, put, say, standard_input
from bot.demo.shop.traffic import Traffic, TrafficSample, is_healed, is_sick, slow_kinds

BASELINE_S = 12.0
BASELINE_ERRORS = 0.01
BASELINE_TIMEOUT_S = 90.0
SHOWN_FOR_S = 5.0
SYMPTOM_TIMEOUT_S = 30.0
JUDGED_S = 8.0


class RefereeError(Exception):
    """The shop did not do what was expected; the text says what was seen."""


class Child:
    """A process of the referee with JSON lines both ways."""

    def __init__(self, module: str, *arguments: str) -> None:
        self.argv = (sys.executable, "-m", f"bot.demo.shop.{module}", *arguments, "--parent", str(os.getpid()))
        self.process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        pipe = asyncio.subprocess.PIPE
        self.process = await asyncio.create_subprocess_exec(*self.argv, stdin=pipe, stdout=pipe)

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.returncode is None

    def tell(self, value: object) -> None:
        if self.running and self.process is not None:
            put(self.process.stdin, value)

    def signal(self, number: signal.Signals) -> None:
        if self.running and self.process is not None:
            self.process.send_signal(number)

    async def stop(self) -> None:
        self.signal(signal.SIGKILL)
        if self.process is not None:
            await self.process.wait()


class Referee:
    def __init__(self, topology: ShopTopology, seed: int) -> None:
        self.topology = topology
        self.plan = plan_shop(seed)
        self.repository = ShopRepository(topology.repository, topology.names)
        self.traffic = Traffic()
        self.ordinary = random.Random(f"ordinary:{seed}")  # noqa: S311 - a reproducible variation
        self.unused = list(ORDINARY)
        self.provider = Child("provider", "--port", str(topology.provider_port))
        entry_port = topology.ports[topology.names["entry"]]
        self.load = Child("load", "--port", str(entry_port), "--rates", json.dumps(self.plan.rates))
        self.truth: Truth | None = None
        self.shipped: list[Edit] = []
        self.began_at = datetime.now(UTC)
        self.steady_since = self.traffic.clock()
        self.before = TrafficSample(requests=0, error_rate=0.0, p95_s=0.0, p75_s={})
        self.healthy_from = self.healthy_until = 0.0
        self.worst: TrafficSample | None = None
        self.commands: dict[str, Callable[[dict[str, Any]], Awaitable[object]]] = {
            "baseline": self.baseline,
            "begin": self.begin,
            "judge": self.judge,
            "reset": self.reset,
        }

    async def start(self) -> None:
        await self._start_provider()
        await self.load.start()
        self.listening = asyncio.create_task(self._listen())

    async def _start_provider(self) -> None:
        await self.provider.start()
        if self.provider.process is not None and self.provider.process.stdout is not None:
            await self.provider.process.stdout.readline()

    async def stop(self) -> None:
        await self.load.stop()
        await self.provider.stop()

    async def _listen(self) -> None:
        if self.load.process is None or self.load.process.stdout is None:
            return
        while (outcome := await next_value(self.load.process.stdout)) is not None:
            self.traffic.note(outcome["kind"], outcome["status"], outcome["seconds"])

    # What scenarios may do

    def set_load(self, **more: float) -> None:
        ordinary = self.plan.rates
        self.load.tell(
            {"rates": {kind: ordinary.get(kind, 0.0) + more.get(kind, 0.0) for kind in {**ordinary, **more}}}
        )

    async def ship(self, edit: Edit) -> str:
        self.shipped.append(edit)
        return await self._deploy(edit)

    async def _deploy(self, edit: Edit) -> str:
        commit = await asyncio.to_thread(self.repository.commit, edit)
        await ask_async({"command": "deploy", "service": self.topology.names[edit.role], "ref": commit})
        return commit

    async def ship_something_ordinary(self, avoid: Role) -> None:
        role = self.ordinary.choice([role for role in ROLES if role != avoid])
        edit = next((known for known in self.unused if known.role == role), None)
        if edit is None:
            edit = self._tuned(role)
        else:
            self.unused.remove(edit)
        await self._deploy(edit)

    def _tuned(self, role: Role) -> Edit:
        key, message = TUNABLE[role]
        config = self.topology.repository / "services" / self.topology.names[role] / "config.toml"
        found = re.search(rf"{key} = (\d+)", config.read_text())
        if found is None:
            raise RefereeError(f"{config.name} of {role} has no {key} any more")
        number = int(found[1]) + self.ordinary.choice((-2, -1, 1, 2, 3))
        return Edit(role=role, file="config.toml", message=message, changes=((found[0], f"{key} = {max(number, 1)}"),))

    async def ask_provider(self, state: Literal["gone", "hanging", "failing"]) -> None:
        match state:
            case "gone":
                await self.provider.stop()
            case "hanging":
                self.provider.signal(signal.SIGSTOP)
            case "failing":
                self.provider.tell({"failing_share": 0.7})

    async def metric(self, service: str, name: str) -> float:
        text = await asyncio.to_thread(_fetch, f"{self.topology.url(service)}/metrics")
        found = re.search(rf"^{name} (\S+)$", text, re.MULTILINE)
        return float(found[1]) if found else 0.0

    async def restarts(self, service: str) -> int:
        return int((await self._status())[service]["restarts"])

    # What the parent may ask for

    async def baseline(self, _: dict[str, Any]) -> object:
        """Waits until customers had a healthy time of BASELINE_S; raises with what was seen when that does not come."""
        clock = self.traffic.clock
        gives_up = clock() + BASELINE_TIMEOUT_S
        while True:
            since = max(self.steady_since, clock() - BASELINE_S)
            middle = (since + clock()) / 2
            whole = self.traffic.sample(ALL_KINDS, since)
            first, second = self.traffic.sample(ALL_KINDS, since, middle), self.traffic.sample(ALL_KINDS, middle)
            steady = not slow_kinds(second, first) and not slow_kinds(first, second)
            if clock() - since >= BASELINE_S - 0.1 and whole.error_rate < BASELINE_ERRORS and steady:
                self.healthy_from, self.healthy_until = since, clock()
                return asdict(whole)
            if clock() > gives_up:
                raise RefereeError(
                    f"no healthy baseline within {BASELINE_TIMEOUT_S:.0f} s, the last seconds were {whole}"
                )
            await asyncio.sleep(0.2)

    async def begin(self, request: dict[str, Any]) -> object:
        scenario = PLAYED[request["scenario"]]
        if self.truth is not None:
            raise RefereeError("a scenario is under way; reset first")
        if not self.healthy_until:
            raise RefereeError("measure a baseline first")
        self.began_at = datetime.now(UTC)
        restarts = {name: one["restarts"] for name, one in (await self._status()).items()}
        self.truth = truth = await scenario.inject(self, random.Random(f"{request['scenario']}:{request['seed']}"))  # noqa: S311
        self.before = self.traffic.sample(truth.kinds, self.healthy_from, self.healthy_until)
        if truth.visible:
            await self._until_it_shows(truth, restarts)
        return {"text": truth.text, "channel_hint": "incidents"}

    async def _until_it_shows(self, truth: Truth, restarts: dict[str, int]) -> None:
        """Customers must have seen it clearly, for SHOWN_FOR_S in a row or since the first crash."""
        clock = self.traffic.clock
        gives_up, shown_since = clock() + SYMPTOM_TIMEOUT_S, None
        while True:
            crashed = (
                not truth.crashes
                or (await self._status())[truth.service or ""]["restarts"] > restarts[truth.service or ""]
            )
            window_s = 6.0 if truth.crashes else 3.0
            recent = self.traffic.sample(truth.kinds, clock() - window_s)
            if crashed and is_sick(recent, self.before):
                shown_since = shown_since or clock()
                if clock() - shown_since >= (2.0 if truth.crashes else SHOWN_FOR_S):
                    self.worst = self.traffic.sample(truth.kinds, clock() - SHOWN_FOR_S)
                    return
            else:
                shown_since = None
            if clock() > gives_up:
                raise RefereeError(
                    f"the symptom did not show within {SYMPTOM_TIMEOUT_S:.0f} s: before {self.before}, now {recent}"
                )
            await asyncio.sleep(0.1)

    async def judge(self, _: dict[str, Any]) -> object:
        """The verdict over the last JUDGED_S; right after an operator's action it first lets that time pass."""
        truth = self.truth
        if truth is None:
            raise RefereeError("no scenario is under way")
        waits_s = 0.0
        for one in (await self._status()).values():
            if one["last_operation"] is not None:
                age = datetime.now(UTC) - datetime.fromisoformat(one["last_operation"]["at"])
                waits_s = max(waits_s, (timedelta(seconds=JUDGED_S) - age).total_seconds())
        if truth.healable:
            await asyncio.sleep(waits_s)
        now = self.traffic.sample(truth.kinds, self.traffic.clock() - JUDGED_S)
        during = self.worst or now
        return {
            "expected_service": truth.service,
            "expected_change": truth.change,
            "healable": truth.healable,
            "healed": is_healed(now, during, self.before) if truth.healable else None,
            "error_rate": {"before": self.before.error_rate, "during": during.error_rate, "now": now.error_rate},
            "p95_s": {"before": self.before.p95_s, "during": during.p95_s, "now": now.p95_s},
        }

    async def reset(self, _: dict[str, Any]) -> object:
        """Takes back what the scenario did and nobody has taken back yet; the shop goes on running."""
        self.set_load()
        self.provider.signal(signal.SIGCONT)
        self.provider.tell({"failing_share": 0.0})
        if not self.provider.running:
            await self._start_provider()
        truth, self.truth, self.worst = self.truth, None, None
        await self._take_back_edits()
        service = truth.service if truth is not None and truth.healable else None
        if service is not None and not self._was_operated((await self._status())[service]):
            await ask_async({"command": "restart", "service": service})
        self.steady_since = self.traffic.clock() + 1.0
        return {}

    async def _take_back_edits(self) -> None:
        """Reverts what the scenario committed and deploys the newest commit where it, or somebody since, deployed.

        So no service's previous version is a harmful one when the next scenario begins.
        """
        names = {self.topology.names[edit.role] for edit in self.shipped}
        while self.shipped:
            await asyncio.to_thread(self.repository.revert, self.shipped.pop())
        for name, one in (await self._status()).items():
            if name in names or (
                self._was_operated(one) and await asyncio.to_thread(self._differs_from_head, name, one["version"])
            ):
                await ask_async({"command": "deploy", "service": name, "ref": self.repository.head()})

    def _was_operated(self, one: dict[str, Any]) -> bool:
        """Whether this service was deployed, rolled back or restarted since the scenario began."""
        operation = one["last_operation"]
        return operation is not None and datetime.fromisoformat(operation["at"]) > self.began_at

    def _differs_from_head(self, service: str, version: str) -> bool:
        return bool(self.repository.git("diff", "--name-only", version, "HEAD", "--", f"services/{service}"))

    async def _status(self) -> dict[str, dict[str, Any]]:
        services: dict[str, dict[str, Any]] = (await ask_async({"command": "status"}))["services"]
        return services


def _fetch(url: str) -> str:
    try:
        with urllib.request.urlopen(url, timeout=2.0) as response:  # noqa: S310 - our own loopback address
            return str(response.read(), "utf-8")
    except (OSError, http.client.HTTPException):
        return ""


async def run(home: Path, seed: int) -> None:
    os.chdir(home)
    referee = Referee(load_topology(home), seed)
    await referee.start()
    say({"ready": True})
    orders = await standard_input()
    try:
        while (request := await next_value(orders)) is not None:
            try:
                say({"answer": await referee.commands[request["do"]](request)})
            except (RefereeError, RepositoryError, ControlError, TimeoutError) as failure:
                say({"error": str(failure) or "the shop did not get there in time"})
    finally:
        await referee.stop()


def main() -> None:
    parser = argparse.ArgumentParser(prog="referee")
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--parent", type=int, default=os.getppid())
    options = parser.parse_args()
    die_with_parent(options.parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(run(options.home.resolve(), options.seed))


if __name__ == "__main__":
    main()
