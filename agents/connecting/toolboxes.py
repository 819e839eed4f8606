"""Each tenant's toolbox, made of what it connected and, for the tenant that the operator's file names, of that file.

A toolbox is kept until the version of the tenant's connections and catalog moves, which every replica sees, since it
is asked of the store each time. Connectors that did not change go on; at most `MOST_OPEN` stored connections are held
open in a process, those of the tenants that were asked for last. Nobody polls: a tenant that asks nothing costs
nothing.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Final

from pydantic import ValidationError

from agents.connecting.catalog import merged_services
from agents.connecting.connector import (
    Compute,
    Connector,
    ConnectorContext,
    ForgetsAll,
    RecordKeeper,
    Service,
    discover_connectors,
)
from agents.connecting.fields import split
from agents.connecting.operator_file import OperatorFile, build_connectors
from agents.connecting.outbound import EgressPolicy, Outbound, Resolve, resolve_by_system
from agents.connecting.toolbox import Toolbox
from agents.errors import AgentError, BadArguments
from store.database.session import Database
from store.errors import UnreadableConnection
from store.ids import TenantId
from store.incidents import catalog
from store.secrets.redaction import Secret
from store.tenancy import connections
from store.tenancy.connections import Connection

log = logging.getLogger("autoheal.toolboxes")

MOST_OPEN: Final = 400
READ_WITHIN_S: Final = 60.0


@dataclass(frozen=True, kw_only=True)
class _Part:
    """A built connector with its own way out; `made_of` is what it must be made of again when it changes."""

    made_of: str
    connector: Connector
    outbound: Outbound | None


@dataclass(frozen=True, kw_only=True)
class _Box:
    toolbox: Toolbox
    parts: Mapping[str, _Part]


@dataclass(frozen=True, kw_only=True)
class Opened:
    """A connector that was built for one use. Close it."""

    connector: Connector
    outbound: Outbound

    async def close(self) -> None:
        await self.connector.close()
        await self.outbound.close()


class Toolboxes:
    """One a process. `bound` says whether the operator's file is a tenant's."""

    def __init__(
        self,
        db: Database,
        *,
        now: Callable[[], datetime],
        file: OperatorFile | None = None,
        bound: Callable[[TenantId], bool] = lambda _tenant: False,
        compute: Compute = asyncio.to_thread,
        resolve: Resolve = resolve_by_system,
        kept: RecordKeeper | None = None,
    ) -> None:
        """`kept` is where connectors of the tenant that the file is bound to keep what a restart would cost them."""
        self._db, self._file, self._bound = db, file, bound
        self._now, self._compute, self._resolve = now, compute, resolve
        self._kept = kept or ForgetsAll()
        self._boxes: OrderedDict[TenantId, _Box] = OrderedDict()
        self._retiring: set[asyncio.Task[None]] = set()
        self._turns: dict[TenantId, asyncio.Lock] = {}
        self._file_way = None if file is None else Outbound(file.egress, resolve=resolve)

    async def of(self, tenant: TenantId) -> Toolbox:
        """The tenant's, as connections and catalog are now. Raises what opening a session raises."""
        async with self._db.tenant(tenant, readonly=True) as s:
            version = await connections.version(s)
        known = self._boxes.get(tenant)
        if known is not None and known.toolbox.version == version:
            self._boxes.move_to_end(tenant)
            return known.toolbox
        async with self._turns.setdefault(tenant, asyncio.Lock()):
            known = self._boxes.get(tenant)
            if known is None or known.toolbox.version != version:
                known = await self._renew(tenant, known)
        self._make_room(tenant)
        return known.toolbox

    def egress_of(self, tenant: TenantId, label: str) -> EgressPolicy:
        """Where a stored connection may go: public addresses, and what the operator permits it by name."""
        if self._file is None:
            return EgressPolicy()
        if not self._bound(tenant):
            return EgressPolicy(allow_hosts=self._file.egress.allow_hosts)
        return self._file.egress_of(label)

    async def services(self, tenant: TenantId) -> tuple[Service, ...]:
        """The tenant's, from the file and the catalog."""
        async with self._db.tenant(tenant, readonly=True) as s:
            known = await catalog.services(s)
        return merged_services(self._declared(tenant), known)

    def open(
        self,
        tenant: TenantId,
        *,
        connector: str,
        label: str,
        config: Mapping[str, object],
        credentials: Mapping[str, Secret],
        services: Sequence[Service] = (),
    ) -> Opened:
        """One connector of a stored connection, or of one that is yet to be stored. Not started.

        Raises BadArguments for settings that do not fit it (any more).
        """
        kind = discover_connectors().get(connector)
        if kind is None or kind.host:
            raise BadArguments(f"there is no connector {connector!r} that can be connected")
        settings, beside = split(kind.form, config)
        try:
            checked = kind.config_model.model_validate(settings)
        except ValidationError as exc:
            raise BadArguments(f"the settings of {label} do not fit {kind.title} any more: connect it again") from exc
        egress = self.egress_of(tenant, label)
        policy = EgressPolicy(
            allow_networks=egress.allow_networks, allow_hosts=egress.allow_hosts, only_hosts=kind.hosts(checked)
        )
        outbound = Outbound(policy, resolve=self._resolve)
        context = ConnectorContext(
            services=tuple(services),
            outbound=outbound,
            now=self._now,
            credentials={**beside, **credentials},
            compute=self._compute,
            redactor=partial(self._db.redactor, tenant),
            label=label,
            kept=self._kept if self._bound(tenant) else ForgetsAll(),
        )
        return Opened(connector=kind(checked, context), outbound=outbound)

    async def close(self) -> None:
        for task in list(self._retiring):
            task.cancel()
        await asyncio.gather(*self._retiring, return_exceptions=True)
        for box in self._boxes.values():
            await _close(box.parts.values())
        self._boxes.clear()
        if self._file_way is not None:
            await self._file_way.close()

    def _declared(self, tenant: TenantId) -> tuple[Service, ...]:
        return self._file.services if self._file is not None and self._bound(tenant) else ()

    async def _renew(self, tenant: TenantId, old: _Box | None) -> _Box:
        """Built anew of what changed; what is gone is closed. A connection that cannot be built is left out, and told
        where its health is shown.
        """
        stored: list[tuple[Connection, dict[str, Secret]]] = []
        async with self._db.tenant(tenant, readonly=True) as s:
            version = await connections.version(s)
            entries = await catalog.services(s)
            for one in await connections.connections(s):
                try:
                    stored.append((one, await connections.credentials(s, one.id)))
                except UnreadableConnection:
                    continue
        services = merged_services(self._declared(tenant), entries)
        before = {} if old is None else dict(old.parts)
        parts: dict[str, _Part] = {}
        for part_id, made_of, make in [*self._of_file(tenant, services), *self._of_store(tenant, stored, services)]:
            kept = before.get(part_id)
            if kept is not None and kept.made_of == made_of:
                parts[part_id] = before.pop(part_id)
                continue
            try:
                connector, outbound = make()
                await connector.start()
            except AgentError as exc:
                facts = {"action": "toolbox.not_built", "tenant": tenant, "part": part_id, "kind": type(exc).__name__}
                log.warning("a connection could not be used: %s", exc, extra=facts)
                continue
            parts[part_id] = _Part(made_of=made_of, connector=connector, outbound=outbound)
        toolbox = Toolbox(
            connectors=tuple(one for part in parts.values() for one in (part.connector, *part.connector.behind())),
            services=services,
            version=version,
        )
        box = self._boxes[tenant] = _Box(toolbox=toolbox, parts=parts)
        gone = [part for part_id, part in before.items() if part_id not in parts]
        await _close(gone)  # disconnected: nothing uses it any more, not even a read under way
        self._retire([part for part_id, part in before.items() if part_id in parts])
        return box

    def _retire(self, parts: Sequence[_Part]) -> None:
        """What another one stands in for is closed once reads under way have ended."""
        if parts:
            task = asyncio.create_task(_close_later(parts))
            self._retiring.add(task)
            task.add_done_callback(self._retiring.discard)

    def _of_file(
        self, tenant: TenantId, services: tuple[Service, ...]
    ) -> list[tuple[str, str, Callable[[], tuple[Connector, Outbound | None]]]]:
        if self._file is None or self._file_way is None or not self._bound(tenant):
            return []
        way = self._file_way
        built = build_connectors(
            self._file,
            outbound=way,
            now=self._now,
            compute=self._compute,
            redactor=partial(self._db.redactor, tenant),
            services=services,
            kept=self._kept,
        )
        seen = repr(services)
        return [(f"file:{one.name}", "" if one.keeps_memory else seen, partial(_as_it_is, one)) for one in built]

    def _of_store(
        self,
        tenant: TenantId,
        stored: Sequence[tuple[Connection, dict[str, Secret]]],
        services: tuple[Service, ...],
    ) -> list[tuple[str, str, Callable[[], tuple[Connector, Outbound | None]]]]:
        found: list[tuple[str, str, Callable[[], tuple[Connector, Outbound | None]]]] = []
        for one, credentials in stored:
            kind = discover_connectors().get(one.connector)
            seen = "" if kind is not None and kind.keeps_memory else repr(services)
            made_of = json.dumps([one.connector, one.label, one.config, one.connected_at.isoformat(), seen])
            found.append((one.id, made_of, partial(self._make, tenant, one, credentials, services)))
        return found

    def _make(
        self, tenant: TenantId, one: Connection, credentials: Mapping[str, Secret], services: tuple[Service, ...]
    ) -> tuple[Connector, Outbound | None]:
        opened = self.open(
            tenant,
            connector=one.connector,
            label=one.label,
            config=one.config,
            credentials=credentials,
            services=services,
        )
        return opened.connector, opened.outbound

    def _make_room(self, but: TenantId) -> None:
        """Closes the toolboxes that were asked for longest ago while too many connections are open."""
        while sum(len(box.parts) for box in self._boxes.values()) > MOST_OPEN and len(self._boxes) > 1:
            oldest = next(tenant for tenant in self._boxes if tenant != but)
            self._retire(list(self._boxes.pop(oldest).parts.values()))


def _as_it_is(connector: Connector) -> tuple[Connector, Outbound | None]:
    return connector, None


async def _close_later(parts: Sequence[_Part]) -> None:
    try:
        await asyncio.sleep(READ_WITHIN_S)
    finally:
        await _close(parts)


async def _close(parts: Iterable[_Part]) -> None:
    for part in parts:
        await part.connector.close()
        if part.outbound is not None:
            await part.outbound.close()
