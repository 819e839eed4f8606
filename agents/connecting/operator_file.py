"""The operator's file: which services there are, what is connected to this host, and where calls may go.

TOML, written by the person who runs the process and read once at start; host connectors can be declared nowhere else.
Secrets stand in it only as `env:NAME`. A bad file is refused with the file, the key and what to do.
"""

from __future__ import annotations

import asyncio
import ipaddress
import os
import tomllib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from agents.connecting.connector import (
    Compute,
    Connector,
    ConnectorConfig,
    ConnectorContext,
    ForgetsAll,
    RecordKeeper,
    Service,
    discover_connectors,
    plain_redactor,
)
from agents.connecting.outbound import EgressPolicy, IPNetwork, Outbound
from agents.errors import BadArguments
from store.secrets.redaction import Redactor, Secret

SERVICE: Final = r"^[a-z0-9][a-z0-9._-]{0,39}$"
ALIAS: Final = r"^([a-z]{1,20}:)?[!-~]{1,120}$"
REPOSITORY: Final = r"^[A-Za-z0-9._-]{1,100}(/[A-Za-z0-9._-]{1,100}){1,3}$"
RUNBOOK: Final = r"^https://[!-~]{1,240}$"


class OperatorFileError(ValueError):
    """The operator's file cannot be used; the message names file, key and what to do."""


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ServiceEntry(_Entry):
    name: str = Field(pattern=SERVICE)
    depends_on: tuple[str, ...] = ()
    environment: str = Field(default="production", max_length=40)
    owners: tuple[str, ...] = ()
    aliases: tuple[Annotated[str, Field(pattern=ALIAS)], ...] = ()
    repository: str | None = Field(default=None, pattern=REPOSITORY)
    runbook: str | None = Field(default=None, pattern=RUNBOOK)


class EgressEntry(_Entry):
    """`connections` names stored connections, or `*` for all of the tenant's, with networks of ours they may reach."""

    allow_networks: tuple[str, ...] = ()
    allow_hosts: tuple[str, ...] = ()
    connections: Mapping[str, tuple[str, ...]] = Field(default_factory=dict)

    @field_validator("allow_networks")
    @classmethod
    def _networks(cls, networks: tuple[str, ...]) -> tuple[str, ...]:
        for network in networks:
            ipaddress.ip_network(network)
        return networks

    @field_validator("connections")
    @classmethod
    def _all_networks(cls, connections: Mapping[str, tuple[str, ...]]) -> Mapping[str, tuple[str, ...]]:
        for networks in connections.values():
            cls._networks(networks)
        return connections


class _Document(_Entry):
    tenant: str = Field(default="default", pattern=r"^(default|[TE][A-Z0-9]{2,30})$")
    service: tuple[ServiceEntry, ...] = Field(min_length=1)
    egress: EgressEntry = EgressEntry()
    connectors: Mapping[str, Mapping[str, Any]] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _services_known(self) -> _Document:
        names = [service.name for service in self.service]
        if len(set(names)) < len(names):
            raise ValueError("two services have the same name")
        for service in self.service:
            unknown = sorted(set(service.depends_on) - set(names))
            if unknown:
                raise ValueError(f"service {service.name} depends on {unknown[0]}, which is not declared as a service")
        return self


@dataclass(frozen=True, kw_only=True)
class ConnectorSection:
    """One `[connectors.NAME]`. `credentials` maps a credential field to the environment variable that holds it."""

    name: str
    config: ConnectorConfig
    credentials: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class OperatorFile:
    """The file, checked. `tenant` is "default" or the Slack team (T...) or enterprise (E...) that it is bound to."""

    path: Path
    tenant: str
    services: tuple[Service, ...]
    egress: EgressPolicy
    sections: tuple[ConnectorSection, ...]
    connection_networks: Mapping[str, tuple[IPNetwork, ...]] = field(default_factory=dict)

    def egress_of(self, label: str) -> EgressPolicy:
        """For a stored connection of the file's own tenant: the operator's networks only where they are permitted to
        it by name.
        """
        named = (*self.connection_networks.get(label, ()), *self.connection_networks.get("*", ()))
        return EgressPolicy(allow_networks=named, allow_hosts=self.egress.allow_hosts)


def load(path: Path) -> OperatorFile:
    """Read and check the file. Raises OperatorFileError; nothing is connected yet."""
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as exc:
        raise OperatorFileError(f"{path}: cannot be read ({exc.strerror}); set its path or create it") from exc
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
        raise OperatorFileError(f"{path}: is not TOML: {exc}; correct that line") from exc
    try:
        document = _Document.model_validate(raw)
    except ValidationError as exc:
        raise OperatorFileError(_explain(path, exc)) from exc
    return OperatorFile(
        path=path,
        tenant=document.tenant,
        services=tuple(Service(**entry.model_dump()) for entry in document.service),
        egress=EgressPolicy(
            allow_networks=tuple(_network(text) for text in document.egress.allow_networks),
            allow_hosts=document.egress.allow_hosts,
        ),
        sections=tuple(_section(path, name, raw) for name, raw in document.connectors.items()),
        connection_networks={
            label: tuple(_network(text) for text in networks) for label, networks in document.egress.connections.items()
        },
    )


def build_connectors(
    file: OperatorFile,
    *,
    outbound: Outbound,
    now: Callable[[], datetime],
    credentials: Mapping[str, Mapping[str, Secret]] | None = None,
    environment: Mapping[str, str] = os.environ,
    compute: Compute = asyncio.to_thread,
    redactor: Callable[[], Awaitable[Redactor]] = plain_redactor,
    kept: RecordKeeper | None = None,
    services: Sequence[Service] | None = None,
) -> list[Connector]:
    """The declared connectors, not yet started, for the file's services or for `services`. `credentials` holds stored
    ones by connector and field; the file's win. `redactor` answers the tenant's, with the credentials that it has now.

    Raises OperatorFileError for a variable that is not set and for a service that is not declared.
    """
    return [
        _build(
            file,
            section,
            ConnectorContext(
                services=file.services if services is None else tuple(services),
                outbound=outbound,
                now=now,
                credentials={**(credentials or {}).get(section.name, {}), **_secrets(file, section, environment)},
                compute=compute,
                redactor=redactor,
                kept=kept or ForgetsAll(),
            ),
        )
        for section in file.sections
    ]


def secrets_of(file: OperatorFile, environment: Mapping[str, str] = os.environ) -> list[Secret]:
    """The credentials that the file names, but for user names. A variable that is not set is left out."""
    named = [variable for one in file.sections for name, variable in one.credentials.items() if name != "username"]
    return [Secret(environment[variable]) for variable in named if environment.get(variable)]


def _build(file: OperatorFile, section: ConnectorSection, context: ConnectorContext) -> Connector:
    try:
        return discover_connectors()[section.name](section.config, context)
    except BadArguments as exc:
        raise OperatorFileError(f"{file.path}: {exc}; declare it with [[service]] or correct the name") from exc


def _secrets(file: OperatorFile, section: ConnectorSection, environment: Mapping[str, str]) -> dict[str, Secret]:
    secrets = {}
    for name, variable in section.credentials.items():
        if not environment.get(variable):
            raise OperatorFileError(
                f"{file.path}: connectors.{section.name}.{name} names the environment variable {variable}, "
                "which is not set; set it before the start"
            )
        secrets[name] = Secret(environment[variable])
    return secrets


def _section(path: Path, name: str, raw: Mapping[str, Any]) -> ConnectorSection:
    connector = discover_connectors().get(name)
    if connector is None:
        known = ", ".join(sorted(discover_connectors()))
        raise OperatorFileError(f"{path}: connectors.{name}: there is no such connector; there are: {known}")
    credentials = {key: raw[key] for key in connector.credential_fields if key in raw}
    for key, value in credentials.items():
        if not isinstance(value, str) or not value.startswith("env:") or len(value) < 5:
            raise OperatorFileError(
                f"{path}: connectors.{name}.{key}: secrets do not stand in this file; put the value into an "
                f'environment variable and write {key} = "env:NAME"'
            )
    try:
        config = connector.config_model.model_validate({k: v for k, v in raw.items() if k not in credentials})
    except ValidationError as exc:
        raise OperatorFileError(_explain(path, exc, prefix=("connectors", name))) from exc
    variables = {key: value.removeprefix("env:") for key, value in credentials.items()}
    return ConnectorSection(name=name, config=config, credentials={**variables, **connector.variables(config)})


def _explain(path: Path, error: ValidationError, prefix: Sequence[str] = ()) -> str:
    """File, key and advice for each problem. Values are left out: somebody may have written a secret there."""
    problems = []
    for problem in error.errors(include_input=False, include_url=False):
        key = ".".join(str(part) for part in (*prefix, *problem["loc"])) or "the file"
        advice = {
            "missing": "is missing; add it",
            "extra_forbidden": "is not a known key; remove it or correct its spelling",
        }.get(problem["type"], problem["msg"].removeprefix("Value error, "))
        problems.append(f"{path}: {key}: {advice}")
    return "\n".join(problems)


def _network(text: str) -> IPNetwork:
    return ipaddress.ip_network(text)
