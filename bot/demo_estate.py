"""The operator's file of the sample shop, written as a team would write its own."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Final

from bot.demo.github import REPOSITORY
from bot.demo.grafana import LABEL, LOKI_UID
from bot.demo.kubernetes import NAMESPACE
from bot.demo.shop import ShopDescription
from bot.demo_vendors import SeenAs

_SCRAPE_S = 1.0
TOKEN: Final = "SHOP_VENDOR_TOKEN"  # noqa: S105 -- the name of a variable, not a secret
"""The environment variable that the file names for the vendor through which the shop is seen."""


def operator_file(shop: ShopDescription, seen_as: SeenAs = "git", url: str = "") -> str:
    """TOML. Strings are written as JSON, which TOML reads the same way. `url` is the address of the vendor's API.

    From GitHub come the deployments, which go back through it; from Grafana the logs; from Kubernetes rollouts, pods,
    events and logs, and what is done goes through it: the checkout then only tells what of the code changed.
    """
    changes = _github(shop, url) if seen_as == "github" else _git(shop)
    logs = _grafana(url) if seen_as == "grafana" else _logfiles(shop)
    commands = _commands(shop, deploys=seen_as != "github")
    if seen_as == "kubernetes":
        logs, commands = _kubernetes(url), ()
    return "\n".join([*_services(shop), *_connectors(shop), *logs, *changes, *commands]) + "\n"


def _services(shop: ShopDescription) -> Iterable[str]:
    yield 'tenant = "default"'
    for service in shop.services:
        yield "\n[[service]]"
        yield f"name = {_text(service.name)}"
        yield f"depends_on = {json.dumps(list(service.depends_on))}"
        yield 'environment = "production"'


def _connectors(shop: ShopDescription) -> Iterable[str]:
    yield '\n[egress]\nallow_networks = ["127.0.0.1/32"]'
    yield '[egress.connections]\n"*" = ["127.0.0.1/32"]'
    yield f"\n[connectors.openmetrics]\ninterval_s = {_SCRAPE_S}\n[connectors.openmetrics.targets]"
    yield from (f"{_text(s.name)} = {_text(s.metrics_url)}" for s in shop.services)


def _logfiles(shop: ShopDescription) -> Iterable[str]:
    yield f"\n[connectors.logfiles]\nroots = [{_text(shop.logs)}]\n[connectors.logfiles.files]"
    yield from (f"{_text(s.name)} = {_text(s.log)}" for s in shop.services)


def _grafana(url: str) -> Iterable[str]:
    yield f"\n[connectors.grafana]\nurl = {_text(url)}\nlogs = {json.dumps([LOKI_UID])}\nlogs_label = {_text(LABEL)}"
    yield f"token = {_text(f'env:{TOKEN}')}"


def _kubernetes(url: str) -> Iterable[str]:
    yield f"\n[connectors.kubernetes]\napi = {_text(url)}\nnamespaces = {json.dumps([NAMESPACE])}"
    yield f"token = {_text(f'env:{TOKEN}')}\nactions = {json.dumps(['restart_workload', 'undo_rollout'])}"


def _git(shop: ShopDescription) -> Iterable[str]:
    yield f"\n[connectors.git]\nrepository = {_text(shop.repository)}\n[connectors.git.paths]"
    yield from (f"{_text(s.name)} = {json.dumps([f'services/{s.name}'])}" for s in shop.services)


def _github(shop: ShopDescription, api: str) -> Iterable[str]:
    yield f"\n[connectors.github]\napi = {_text(api)}\nrepositories = {json.dumps([REPOSITORY])}"
    yield f"token = {_text(f'env:{TOKEN}')}"
    yield f"actions = {json.dumps(['rollback_deployment'])}\n[connectors.github.paths]"
    yield from (f"{_text(s.name)} = {json.dumps([f'services/{s.name}'])}" for s in shop.services)


def _commands(shop: ShopDescription, *, deploys: bool) -> Iterable[str]:
    declared = (
        ("status", "read_target", "read", ("status", "{service}", "--json"), ()),
        (
            "rollback",
            "rollback_deployment",
            "medium",
            ("rollback", "{service}", "--to", "{version}"),
            ("undo", "deploy"),
        ),
        ("deploy", "deploy", "medium", ("deploy", "{service}", "--ref", "{version}"), ()),
        ("restart", "restart_service", "medium", ("restart", "{service}"), ()),
    )
    for name, action, risk, rest, undo in declared:
        if action in ("rollback_deployment", "deploy") and not deploys:
            continue
        yield f"\n[[connectors.commands.command]]\nname = {_text(name)}\naction = {_text(action)}\nrisk = {_text(risk)}"
        yield f"argv = {json.dumps([*shop.shopctl, *rest])}"
        if undo:
            yield f"undo = {_text(undo[1])}"


def _text(value: object) -> str:
    return json.dumps(str(value))
