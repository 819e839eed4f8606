"""The operator's file of the sample shop, written as a team would write its own."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Final

from bot.demo.github import REPOSITORY
from bot.demo.grafana import LABEL, LOKI_UID
from bot.demo.shop import ShopDescription

_SCRAPE_S = 1.0


GITHUB_TOKEN: Final = "SHOP_GITHUB_TOKEN"  # noqa: S105 -- the name of a variable, not a secret
"""The environment variable that the file names where the deployments come from GitHub."""


GRAFANA_TOKEN: Final = "SHOP_GRAFANA_TOKEN"  # noqa: S105 -- the name of a variable, not a secret
"""The same where logs come from Loki behind Grafana."""


def operator_file(shop: ShopDescription, *, github: str | None = None, grafana: str | None = None) -> str:
    """TOML. Strings are written as JSON, which TOML reads the same way. `github` is the address of the API from which
    deployments come instead of the checkout, and by which they go back; `grafana` that of the Grafana from which logs
    do instead of the files.
    """
    changes = _git(shop) if github is None else _github(shop, github)
    logs = _logfiles(shop) if grafana is None else _grafana(grafana)
    commands = _commands(shop, deploys=github is None)
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
    yield f"token = {_text(f'env:{GRAFANA_TOKEN}')}"


def _git(shop: ShopDescription) -> Iterable[str]:
    yield f"\n[connectors.git]\nrepository = {_text(shop.repository)}\n[connectors.git.paths]"
    yield from (f"{_text(s.name)} = {json.dumps([f'services/{s.name}'])}" for s in shop.services)


def _github(shop: ShopDescription, api: str) -> Iterable[str]:
    yield f"\n[connectors.github]\napi = {_text(api)}\nrepositories = {json.dumps([REPOSITORY])}"
    yield f"token = {_text(f'env:{GITHUB_TOKEN}')}"
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
