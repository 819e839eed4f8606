"""`autoheal connect NAME`: what the form in Slack does, for whoever runs the process.

Secrets are named by the environment variable that holds them, since what stands on a command line is in the shell's
history and in the list of processes.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from uuid import uuid4

from agents.connecting.connecting import Connecting, Consenting, NotConnected, connectable, in_words
from agents.connecting.connector import Connector
from agents.connecting.operator_file import load
from agents.connecting.toolboxes import Toolboxes
from bot.opening import now, open_database, tenant_of_file
from bot.settings import Settings, SettingsError, load_settings
from store.database.session import Database
from store.ids import TenantId
from store.secrets.redaction import Secret
from store.tenancy.tenants import list_tenants


def connect(name: str | None, fields: Sequence[str], *, label: str, tenant: str | None) -> int:
    """Exit code 0 where it is connected, 1 where it is not. Raises SettingsError with what to write."""
    if name is None:
        print("\n".join(listed()))  # noqa: T201 -- for the person who asked
        return 0
    kind = connectable().get(name)
    if kind is None:
        raise SettingsError(f"{name!r} cannot be connected; there are: {', '.join(sorted(connectable()))}")
    values, secrets = read_fields(kind, fields, os.environ)
    told, works = asyncio.run(_connect(load_settings(), name, values, secrets, label=label, tenant=tenant))
    print(told)  # noqa: T201 -- for the person who asked
    return 0 if works else 1


def listed() -> list[str]:
    """What can be connected, with the fields of each."""
    lines = []
    for name, kind in sorted(connectable().items()):
        lines.append(f"{name}: {kind.about}")
        for one in kind.form.fields:
            marks = ", ".join(filter(None, ("needed" if one.required else "", "secret" if one.secret else "")))
            lines.append(f"    {one.name}{f' ({marks})' if marks else ''}: {one.help}")
    return lines


def read_fields(
    kind: type[Connector], fields: Sequence[str], environment: Mapping[str, str]
) -> tuple[dict[str, str], dict[str, Secret]]:
    """`name=value` words by what they are. Raises SettingsError."""
    values: dict[str, str] = {}
    secrets: dict[str, Secret] = {}
    for word in fields:
        name, equals, value = word.partition("=")
        asked = kind.form.field(name)
        if not equals or asked is None:
            known = ", ".join(one.name for one in kind.form.fields)
            raise SettingsError(f"{name!r} is not a field of {kind.name}; write FIELD=VALUE with one of: {known}")
        if not asked.secret:
            values[name] = value.replace("\\n", "\n")
            continue
        variable = value.removeprefix("env:")
        if variable == value or not environment.get(variable):
            raise SettingsError(f"{name} is a secret: put it into an environment variable and write {name}=env:NAME")
        secrets[name] = Secret(environment[variable])
    return values, secrets


async def _connect(
    settings: Settings,
    name: str,
    values: Mapping[str, str],
    secrets: Mapping[str, Secret],
    *,
    label: str,
    tenant: str | None,
) -> tuple[str, bool]:
    file = None if settings.operator_file is None else load(settings.operator_file)
    async with open_database(settings) as (db, _):
        chosen = await _tenant(db, tenant)
        host = None if file is None else await tenant_of_file(db, file)
        toolboxes = Toolboxes(db, file=file, bound=lambda one: one == host, now=now)
        try:
            result = await Connecting(db, toolboxes, now=now).connect(
                Consenting(tenant=chosen),
                connector=name,
                values=values,
                secrets=secrets,
                label=label,
                source="operator",
                source_id=f"operator:{uuid4()}",
            )
        finally:
            await toolboxes.close()
    return in_words(result).replace("*", "").replace("`", ""), not isinstance(result, NotConnected)


async def _tenant(db: Database, wanted: str | None) -> TenantId:
    known = [one.id for one in await list_tenants(db, "active")]
    if wanted is None and len(known) == 1:
        return known[0]
    if wanted is None:
        reason = "there is no workspace yet: start `autoheal serve` once" if not known else "there are several"
        raise SettingsError(f"{reason}; name one with --tenant (`autoheal tenant` lists them)")
    if wanted not in known:
        raise SettingsError(f"there is no active workspace {wanted}; `autoheal tenant` lists them")
    return TenantId(wanted)
