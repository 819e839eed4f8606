"""What can happen to the shop. Each scenario is a genuine cause: a deployment, traffic, or something outside the shop.

Only the referee's process runs this; what it knows stays in its memory. A scenario changes the world through `World`,
and returns the truth to judge by. `SCENARIOS` is in the order in which a demonstration shows them.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Literal, Protocol

from bot.demo.shop.edits import CUTS, INNOCENT, KEEPERS, MISTAKES, SETTLE_RARELY, SLOW, Edit
from bot.demo.shop.plan import Role, ShopTopology

LISTS = ("/products",)
PRODUCT_PAGES = ("/products/{id}", "/checkout")
CHECKOUT = ("/checkout",)
ACCOUNT = ("/account/orders",)
SEARCHES = ("/products", "/products/{id}", "/search")
ALL_KINDS = ("/products", "/products/{id}", "/search", "/checkout", "/account/orders", "/account/receipts/{order}")


@dataclass(frozen=True, kw_only=True)
class Truth:
    """`kinds` are the requests in which customers notice it; with `crashes` the service must have died once."""

    service: str | None
    change: str | None
    healable: bool | None
    kinds: tuple[str, ...]
    text: str
    visible: bool = True
    crashes: bool = False


class World(Protocol):
    """What a scenario may do."""

    topology: ShopTopology

    def set_load(self, **more: float) -> None:
        """Requests per second of these kinds on top of the ordinary ones; other kinds go back to what is ordinary."""

    async def ship(self, edit: Edit) -> str:
        """Commits the edit, deploys it and returns the commit."""

    async def ship_something_ordinary(self, avoid: Role) -> None:
        """An innocent deployment of another service."""

    async def ask_provider(self, state: Literal["gone", "hanging", "failing"]) -> None: ...

    async def metric(self, service: str, name: str) -> float:
        """The present value of a metric without labels."""

    async def restarts(self, service: str) -> int:
        """How often it was started again after it had died."""


async def slow_query(world: World, choose: random.Random) -> Truth:
    edit = choose.choice(SLOW)
    commit = await _deploy_among_others(world, edit, choose)
    kinds, what = {
        "catalogue": (LISTS, "product lists have become slow"),
        "orders": (ACCOUNT, "customers say that the page with their orders takes long"),
        "payments": (CHECKOUT, "checkouts have become slow"),
    }[edit.role]
    return _changed(world, edit, commit, kinds, f"{_entry(world)}: {what}, since a moment ago. Can you look?")


async def config_cut(world: World, choose: random.Random) -> Truth:
    edit = choose.choice(CUTS)
    commit = await _deploy_among_others(world, edit, choose)
    return _changed(world, edit, commit, CHECKOUT, f"checkouts on {_entry(world)} are slow or fail, it just started")


async def exception_path(world: World, choose: random.Random) -> Truth:
    edit = choose.choice(MISTAKES)
    commit = await _deploy_among_others(world, edit, choose)
    if edit.role in {"catalogue", "entry"}:
        text = f"some product pages on {_entry(world)} show an error, others are fine. What happened?"
        return _changed(world, edit, commit, ("/products/{id}",), text)
    text = f"checkouts on {_entry(world)} fail for some customers, not for all, since about now"
    return _changed(world, edit, commit, CHECKOUT, text)


async def memory_leak(world: World, choose: random.Random) -> Truth:
    place = choose.choice(("catalogue by change", "orders by change", "catalogue by traffic"))
    if place == "catalogue by traffic":
        name = world.topology.names["catalogue"]
        before = await world.restarts(name)
        world.set_load(crawl=16.0)
        await _until(lambda: world.restarts(name), reaches=before + 1)
        world.set_load(crawl=3.0)  # goes on, slower: the process fills up again and dies again
        return Truth(
            service=name, change=None, healable=True, kinds=SEARCHES, crashes=True,
            text=f"{_entry(world)} shows errors on product pages and search again and again, every few seconds",
        )  # fmt: skip
    edit = next(known for known in KEEPERS if place.startswith(known.role))
    commit = await _deploy_among_others(world, edit, choose)
    kinds = SEARCHES if edit.role == "catalogue" else (*CHECKOUT, *ACCOUNT)
    pages = "product pages" if edit.role == "catalogue" else "checkout and order pages"
    truth = _changed(
        world, edit, commit, kinds, f"{pages} on {_entry(world)} fail in bursts, then work again, then fail"
    )
    return replace(truth, crashes=True)


async def provider_down(world: World, choose: random.Random) -> Truth:
    if choose.random() < 0.6:
        await world.ship_something_ordinary("payments")
        await asyncio.sleep(choose.uniform(0.8, 2.0))
    await world.ask_provider(choose.choice(("gone", "hanging")))
    return Truth(
        service=world.topology.names["payments"], change=None, healable=None, kinds=CHECKOUT,
        text=f"nobody can check out on {_entry(world)} any more",
    )  # fmt: skip


async def traffic_surge(world: World, choose: random.Random) -> Truth:
    if choose.random() < 0.6:
        await world.ship_something_ordinary("entry")
        await asyncio.sleep(choose.uniform(0.8, 2.0))
    lists = choose.uniform(15.0, 25.0)
    world.set_load(**{"/checkout": choose.uniform(58.0, 66.0), "/products": lists, "/products/{id}": lists})
    return Truth(
        service=_entry(world), change=None, healable=None, kinds=ALL_KINDS,
        text=f"{_entry(world)} is slow everywhere, some customers get errors",
    )  # fmt: skip


async def file_quota(world: World, choose: random.Random) -> Truth:
    role: Role = choose.choice(("orders", "payments"))
    if choose.random() < 0.5:
        await world.ship_something_ordinary(role)
    await _fill_journal(world, role, 1.0)
    return Truth(
        service=world.topology.names[role], change=None, healable=True, kinds=CHECKOUT,
        text=f"all checkouts on {_entry(world)} end with an error since a moment ago",
    )  # fmt: skip


async def false_alarm(world: World, choose: random.Random) -> Truth:
    if choose.random() < 0.7:
        await world.ship_something_ordinary("payments")
    entry = _entry(world)
    text = choose.choice((
        f"is {entry} slow at the moment? One customer complained",
        f"somebody says that checkout on {entry} did not work for them, is something wrong?",
        f"can you check {entry}? A customer had trouble with the product pages",
    ))  # fmt: skip
    return Truth(service=None, change=None, healable=None, kinds=ALL_KINDS, text=text, visible=False)


async def innocent_rollback(world: World, choose: random.Random) -> Truth:
    """An innocent deployment of the service that shows the symptom, just before it; the cause is another."""
    payments = world.topology.names["payments"]
    text = f"checkouts on {_entry(world)} fail since a moment ago, please look"
    cause = choose.choice(("settlement", "journal", "provider"))
    if cause == "settlement":
        commit = await world.ship(SETTLE_RARELY)
        await _until(lambda: world.metric(payments, "settlement_queue_length"), reaches=30)
        await world.ship(INNOCENT["orders"])
        return Truth(service=payments, change=commit, healable=True, kinds=CHECKOUT, text=text)
    if cause == "journal":
        await _fill_journal(world, "payments", 0.6)
        await world.ship(INNOCENT["orders"])
        await _fill_journal(world, "payments", 1.0)
        return Truth(service=payments, change=None, healable=True, kinds=CHECKOUT, text=text)
    await world.ship(INNOCENT["payments"])
    await asyncio.sleep(choose.uniform(1.0, 2.0))
    await world.ask_provider("failing")
    return Truth(service=payments, change=None, healable=None, kinds=CHECKOUT, text=text)


@dataclass(frozen=True, kw_only=True)
class Scenario:
    description: str
    inject: Callable[[World, random.Random], Awaitable[Truth]]


PLAYED: dict[str, Scenario] = {
    "slow-query": Scenario(description="a deployment makes a query slow", inject=slow_query),
    "config-cut": Scenario(description="a configuration deployment cuts a pool or a time-out", inject=config_cut),
    "exception-path": Scenario(description="a deployment raises on one path", inject=exception_path),
    "memory-leak": Scenario(description="a service grows until it dies, again and again", inject=memory_leak),
    "provider-down": Scenario(description="the outside payment provider is down", inject=provider_down),
    "traffic-surge": Scenario(description="far more customers than usual", inject=traffic_surge),
    "file-quota": Scenario(description="a service hits its limit for the size of a file", inject=file_quota),
    "false-alarm": Scenario(description="somebody asks, but nothing is wrong", inject=false_alarm),
    "innocent-rollback": Scenario(description="a plausible deployment that is not the cause", inject=innocent_rollback),
}
SCENARIOS: dict[str, str] = {name: scenario.description for name, scenario in PLAYED.items()}


def _entry(world: World) -> str:
    return world.topology.names["entry"]


def _changed(world: World, edit: Edit, commit: str, kinds: tuple[str, ...], text: str) -> Truth:
    service = world.topology.names[edit.role]
    return Truth(service=service, change=commit, healable=True, kinds=kinds, text=text)


async def _deploy_among_others(world: World, edit: Edit, choose: random.Random) -> str:
    """Ships the edit; often another service is deployed shortly before or after it."""
    other = choose.choice(("before", "after", "none"))
    if other == "before":
        await world.ship_something_ordinary(edit.role)
        await asyncio.sleep(choose.uniform(0.5, 1.5))
    commit = await world.ship(edit)
    if other == "after":
        await world.ship_something_ordinary(edit.role)
    return commit


async def _fill_journal(world: World, role: Role, share: float) -> None:
    """Customers with very long texts, until the journal has grown to this share of the largest file allowed."""
    service = world.topology.names[role]
    limit = await world.metric(service, "process_max_file_bytes")
    world.set_load(**{"long note" if role == "orders" else "long reference": 12.0})
    await _until(lambda: world.metric(service, "journal_file_bytes"), reaches=limit * share - 1)
    world.set_load()


async def _until(read: Callable[[], Awaitable[float]], *, reaches: float, timeout_s: float = 20.0) -> None:
    """Raises TimeoutError when the value does not get there."""
    async with asyncio.timeout(timeout_s):
        while await read() < reaches:  # noqa: ASYNC110 - the value is in another process, which announces nothing
            await asyncio.sleep(0.1)
