"""A running sample shop, as the demonstration, the benchmarks and the tests use it."""

import asyncio
import contextlib
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot.demo.shop.datasets import fill_databases
from bot.demo.shop.plan import DEPENDS_ON, ROLES, ShopTopology, free_ports, plan_shop
from bot.demo.shop.repository import ShopRepository
from bot.demo.shop.scenarios import SCENARIOS

START_TIMEOUT_S = 60.0  # longer than the supervisor gives each service
ANSWER_TIMEOUT_S = 150.0
STOP_TIMEOUT_S = 30.0  # longer than the supervisor takes to stop the services


class ShopError(Exception):
    """The shop did not start, or the referee could not do what was asked; the text says what was seen."""


@dataclass(frozen=True, kw_only=True)
class ServiceDescription:
    name: str
    url: str
    metrics_url: str
    log: Path
    depends_on: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class ShopDescription:
    """`provider` is the outside payment provider's host name, which is also the `peer` label in the metrics.

    `shopctl` is the beginning of each shopctl command line.
    """

    entry: str
    services: tuple[ServiceDescription, ...]
    home: Path
    repository: Path
    logs: Path
    shopctl: tuple[str, ...]
    provider: str


@dataclass(frozen=True, kw_only=True)
class ShopMention:
    """What an on-call person would type, and in which channel."""

    text: str
    channel_hint: str


@dataclass(frozen=True, kw_only=True)
class Phases:
    """A measure of the requests in which customers notice the incident."""

    before: float
    during: float
    now: float


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """`healable` and `healed` are None where nothing in the shop can be healed."""

    expected_service: str | None
    expected_change: str | None
    healable: bool | None
    healed: bool | None
    error_rate: Phases
    p95_s: Phases


class Shop:
    """Supervisor, four services, outside provider, referee and customers, each in a process of its own.

    They end with the thread that started them, so start a shop from the main thread.
    """

    def __init__(self, topology: ShopTopology, seed: int) -> None:
        self.topology = topology
        self.seed = seed
        self._supervisor: asyncio.subprocess.Process | None = None
        self._referee: asyncio.subprocess.Process | None = None
        self._talking = asyncio.Lock()

    @classmethod
    async def start(cls, home: Path, *, seed: int) -> "Shop":
        """`home` must be empty or not exist yet. Raises ShopError when the shop does not come up."""
        topology = await asyncio.to_thread(_provision, home, seed)
        home = topology.home
        shop = cls(topology, seed)
        try:
            shop._supervisor = await _spawn("supervisor", home)
            await _ready(shop._supervisor, home)
            shop._referee = await _spawn("referee", home, "--seed", str(seed))
            await _ready(shop._referee, home)
        except BaseException:
            await shop.stop()
            raise
        return shop

    def describe(self) -> ShopDescription:
        topology, names = self.topology, self.topology.names
        return ShopDescription(
            entry=names["entry"],
            services=tuple(
                ServiceDescription(
                    name=names[role],
                    url=topology.url(names[role]),
                    metrics_url=f"{topology.url(names[role])}/metrics",
                    log=topology.log(names[role]),
                    depends_on=tuple(names[other] for other in DEPENDS_ON[role]),
                )
                for role in ROLES
            ),
            home=topology.home,
            repository=topology.repository,
            logs=topology.home / "logs",
            shopctl=(sys.executable, "-m", "bot.demo.shop.shopctl", "--home", str(topology.home)),
            provider=topology.provider,
        )

    async def baseline(self) -> None:
        """Returns once a healthy time was measured. Raises ShopError, with what was seen, when it does not come."""
        await self._ask({"do": "baseline"})

    async def begin(self, scenario: str, seed: int) -> ShopMention:
        """Breaks the shop; returns when customers have felt it for some seconds. A baseline must have been measured."""
        if scenario not in SCENARIOS:
            raise ShopError(f"there is no scenario {scenario!r}; there are {', '.join(SCENARIOS)}")
        return ShopMention(**await self._ask({"do": "begin", "scenario": scenario, "seed": seed}))

    async def judge(self) -> Judgement:
        """By the customers' last 8 seconds; after a deployment, rollback or restart it first lets 8 seconds pass."""
        answer = await self._ask({"do": "judge"})
        error_rate, p95_s = Phases(**answer.pop("error_rate")), Phases(**answer.pop("p95_s"))
        return Judgement(**answer, error_rate=error_rate, p95_s=p95_s)

    async def reset(self) -> None:
        """Ends the scenario on the running shop; the next one needs a new baseline."""
        await self._ask({"do": "reset"})

    async def stop(self) -> None:
        """Ends all processes, at once. May be called twice."""
        await asyncio.gather(*(_end(one) for one in (self._referee, self._supervisor) if one is not None))

    async def _ask(self, request: dict[str, object]) -> dict[str, Any]:
        referee = self._referee
        if referee is None or referee.stdin is None or referee.stdout is None:
            raise ShopError("the shop is not running")
        async with self._talking:
            referee.stdin.write(json.dumps(request).encode() + b"\n")
            try:
                line = await asyncio.wait_for(referee.stdout.readline(), ANSWER_TIMEOUT_S)
            except TimeoutError as late:
                raise ShopError(f"the referee did not answer {request['do']} in {ANSWER_TIMEOUT_S:.0f} s") from late
        if not line:
            raise ShopError("the referee ended")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise ShopError(answer["error"])
        result: dict[str, Any] = answer["answer"]
        return result


async def _end(process: asyncio.subprocess.Process) -> None:
    """They end when their input does."""
    if process.returncode is not None:
        return
    if process.stdin is not None:
        process.stdin.close()
    try:
        await asyncio.wait_for(process.wait(), STOP_TIMEOUT_S)
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def _provision(home: Path, seed: int) -> ShopTopology:
    home = home.resolve()
    if home.exists() and any(home.iterdir()):
        raise ShopError(f"{home} is not empty; a shop needs a folder of its own")
    plan = plan_shop(seed)
    ports = free_ports(len(ROLES) + 1)
    topology = ShopTopology(
        home=home,
        names=plan.names,
        ports=dict(zip(plan.names.values(), ports, strict=False)),
        provider=plan.provider,
        provider_port=ports[-1],
    )
    (home / "logs").mkdir(parents=True, exist_ok=True)
    ShopRepository(topology.repository, plan.names).create(plan)
    fill_databases(topology, seed)
    topology.save()
    return topology


async def _spawn(module: str, home: Path, *arguments: str) -> asyncio.subprocess.Process:
    """In a session of its own, so that Ctrl-C reaches only the parent, which then stops the shop in order."""
    with (home / "run" / f"{module}.err").open("ab") as errors:
        return await asyncio.create_subprocess_exec(
            sys.executable, "-m", f"bot.demo.shop.{module}",
            "--home", str(home), "--parent", str(os.getpid()), *arguments,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=errors, start_new_session=True,
        )  # fmt: skip


async def _ready(process: asyncio.subprocess.Process, home: Path) -> None:
    line = b""
    if process.stdout is not None:
        with contextlib.suppress(TimeoutError):
            line = await asyncio.wait_for(process.stdout.readline(), START_TIMEOUT_S)
    if not line:
        raise ShopError(f"the shop did not start; see {home / 'run'}")
