"""The local vendors through which the demo's shop can be seen, by the name that `autoheal demo --as` takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Final, Literal, Protocol
from urllib.parse import urlsplit

from bot.demo.github import LocalGitHub
from bot.demo.grafana import LocalGrafana
from bot.demo.kubernetes import LocalCluster
from bot.demo.shop import ShopDescription
from bot.demo.shop.control import ask_async

SeenAs = Literal["git", "github", "grafana", "kubernetes"]
"""`git` is the shop's own checkout and files, without any vendor."""


class LocalVendor(Protocol):
    """Its `url` is known once it was started; `refused` is what was asked of it that the vendor does not document."""

    url: str
    token: str
    refused: list[str]

    async def start(self) -> None: ...

    async def stop(self) -> None: ...


def _github(shop: ShopDescription) -> LocalVendor:
    return LocalGitHub(shop.repository, shop.shopctl)


def _grafana(shop: ShopDescription) -> LocalVendor:
    return LocalGrafana({one.name: one.log for one in shop.services})


def _kubernetes(shop: ShopDescription) -> LocalVendor:
    return LocalCluster(
        shop.repository,
        ports={one.name: urlsplit(one.url).port or 0 for one in shop.services},
        logs={one.name: one.log for one in shop.services},
        supervisor=partial(ask_async, home=shop.home),
    )


VENDORS: Final[Mapping[SeenAs, Callable[[ShopDescription], LocalVendor]]] = {
    "github": _github,
    "grafana": _grafana,
    "kubernetes": _kubernetes,
}
