"""What a seed decides about a shop before anything breaks (names, provider, load), and where a shop's files lie."""

import json
import random
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

Role = Literal["entry", "catalogue", "orders", "payments"]
ROLES: tuple[Role, ...] = get_args(Role)

NAMES: dict[Role, tuple[str, ...]] = {
    "entry": ("storefront", "gateway", "web", "shopfront", "edge"),
    "catalogue": ("catalogue", "catalog", "products", "inventory", "assortment"),
    "orders": ("checkout", "orders", "ordering", "purchases", "sales"),
    "payments": ("payments", "billing", "charges", "cashier", "pay-api"),
}
PROVIDERS = (
    "api.cardrail.example",
    "gateway.paynorth.example",
    "api.quickcharge.example",
    "pay.meridian.example",
    "v2.coinbridge.example",
)
DEPENDS_ON: dict[Role, tuple[Role, ...]] = {
    "entry": ("catalogue", "orders"),
    "catalogue": (),
    "orders": ("catalogue", "payments"),
    "payments": (),
}
CATEGORIES = ("books", "garden", "kitchen", "toys", "audio", "sport", "lamps", "tools", "shoes", "bags",
              "games", "music", "pets", "desk", "bath", "travel", "art", "baby", "bikes", "tea")  # fmt: skip
WORDS = ("oak", "steel", "linen", "amber", "cedar", "ivory", "cobalt", "olive", "slate", "coral", "maple", "onyx")
CUSTOMERS = 30
CARDS = 40
PRODUCTS = 40_000


@dataclass(frozen=True, kw_only=True)
class ShopPlan:
    """`rates` are requests per second by route of the entry service, in a healthy shop."""

    seed: int
    names: dict[Role, str]
    provider: str
    rates: dict[str, float]


def plan_shop(seed: int) -> ShopPlan:
    choose = random.Random(f"shop:{seed}")  # noqa: S311 - a reproducible variation, nothing secret
    names = {role: choose.choice(NAMES[role]) for role in ROLES}
    rates = {
        "/products": choose.uniform(7.0, 9.0),
        "/products/{id}": choose.uniform(5.0, 10.0),
        "/search": choose.uniform(1.0, 2.0),
        "/checkout": choose.uniform(7.2, 8.5),
        "/account/orders": choose.uniform(6.0, 7.5),
        "/account/receipts/{order}": choose.uniform(1.5, 3.0),
    }
    return ShopPlan(seed=seed, names=names, provider=choose.choice(PROVIDERS), rates=rates)


@dataclass(frozen=True, kw_only=True)
class ShopTopology:
    """Where everything of one running shop is. It is a file, and so says nothing about what is going to break."""

    home: Path
    names: dict[Role, str]
    ports: dict[str, int]
    provider: str
    provider_port: int

    @property
    def repository(self) -> Path:
        return self.home / "repo"

    def url(self, service: str) -> str:
        return f"http://127.0.0.1:{self.ports[service]}"

    def log(self, service: str) -> Path:
        return self.home / "logs" / f"{service}.log"

    def save(self) -> None:
        content = {
            "names": self.names,
            "ports": self.ports,
            "provider": self.provider,
            "provider_port": self.provider_port,
        }
        (self.home / "run").mkdir(parents=True, exist_ok=True)
        (self.home / "run" / "topology.json").write_text(json.dumps(content, indent=2))


def load_topology(home: Path) -> ShopTopology:
    """Raises FileNotFoundError when `home` is not the folder of a shop."""
    return ShopTopology(home=home, **json.loads((home / "run" / "topology.json").read_text()))


def free_ports(number: int) -> list[int]:
    """Free ports below the range from which systems take the ports of outgoing connections."""
    choose = random.SystemRandom()
    found: list[int] = []
    while len(found) < number:
        port = choose.randrange(20_000, 32_000)
        with socket.socket() as trial:
            try:
                trial.bind(("127.0.0.1", port))
            except OSError:
                continue
        if port not in found:
            found.append(port)
    return found
