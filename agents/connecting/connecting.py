"""Connecting a tool, whichever door it comes through: read the form, test it for real, store it with the consent, and
take in what it knows of services.

The order is the promise: nothing is stored before the vendor answered to exactly these settings, and what is stored is
stored in one transaction with its audit row. The same form sent twice makes one connection. Whatever does not work
comes back as a sentence that says what to do.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final, Literal

from agents.connecting.catalog import told_by
from agents.connecting.connector import Check, Connector, Discovers, Pinning, Pins, discover_connectors
from agents.connecting.fields import Filled, FormError, read_form
from agents.connecting.toolboxes import Opened, Toolboxes
from agents.errors import AgentError
from agents.failure import log_failure
from store import audit
from store.audit import Actor, events
from store.database.session import Database
from store.errors import NameTaken, NotFound, UnreadableConnection
from store.ids import ConnectionId, TenantId, UserId, stable_id
from store.incidents import catalog
from store.incidents.catalog import CatalogEntry
from store.secrets.redaction import Secret
from store.tenancy import connections
from store.tenancy.connections import Connection

log = logging.getLogger("autoheal.connecting")

CHECK_S: Final = 8.0
DISCOVER_S: Final = 15.0
LABEL: Final = re.compile(r"[a-z][a-z0-9-]{0,19}")
Source = Literal["slack", "api", "web", "operator"]


@dataclass(frozen=True, kw_only=True)
class Consenting:
    """Who connects: a person of the tenant, or, without a `user`, the operator of this process."""

    tenant: TenantId
    user: UserId | None = None

    @property
    def actor(self) -> Actor:
        return Actor(type="system", id="operator") if self.user is None else Actor(type="user", id=self.user)


@dataclass(frozen=True, kw_only=True)
class Connected:
    """It works and is stored. `services` were new to the catalog, `gaps` could not be found out."""

    connection: Connection
    title: str
    check: Check
    services: tuple[CatalogEntry, ...] = ()
    gaps: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class NotConnected:
    """Nothing was stored. `reason` is for the person; `problems` says it per field, where it is about fields."""

    reason: str
    problems: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Accepted:
    """What a connection offers now is used."""

    label: str

    def in_words(self) -> str:
        return f"Accepted: {self.label} is used as it is now. If it changes again, that is off until you look again."


@dataclass(frozen=True, kw_only=True)
class ConnectionHealth:
    """A stored connection with what a test has just found; `check` is None where it could not be tested."""

    connection: Connection
    title: str
    check: Check | None
    reason: str = ""

    @property
    def works(self) -> bool:
        return self.check is not None and self.check.usable

    @property
    def problem(self) -> str:
        """Why it does not work and what to do; "" where it works."""
        if self.check is None:
            return self.reason
        return "" if self.check.usable else _advice(self.check)


class Connecting:
    """One a process, over its toolboxes."""

    def __init__(self, db: Database, toolboxes: Toolboxes, *, now: Callable[[], datetime]) -> None:
        self._db, self._toolboxes, self._now = db, toolboxes, now

    async def connect(
        self,
        who: Consenting,
        *,
        connector: str,
        values: Mapping[str, str],
        secrets: Mapping[str, Secret] | None = None,
        label: str = "",
        source: Source,
        source_id: str,
    ) -> Connected | NotConnected:
        """The caller has checked the permission. `source_id` is the same for the same request sent twice."""
        try:
            kind, label = _kind(connector), _label(label)
            filled = read_form(kind.form, kind.config_model, values, secrets or {})
            connection = ConnectionId(stable_id("connection", who.tenant, source_id))
            label = await self._free_label(who.tenant, kind, filled, label, connection)
            opened = self._toolboxes.open(
                who.tenant,
                connector=connector,
                label=label,
                config=filled.config,
                credentials=filled.credentials,
                services=await self._toolboxes.services(who.tenant),
            )
            try:
                check = await _tested(opened.connector)
                if not check.usable:
                    raise _Refused(f"{kind.title} was not connected: {_advice(check)} Nothing was stored.")
                if isinstance(opened.connector, Pinning):
                    pins = await opened.connector.pins()
                    filled = replace(filled, config={**filled.config, **pins.settings})
                stored = await self._store(
                    who, kind, filled, connection=connection, label=label, check=check, source=source
                )
                services, gaps = await self._discover(who.tenant, opened, stored)
            finally:
                await opened.close()
        except FormError as exc:
            return NotConnected(reason=str(exc), problems=exc.problems)
        except _Refused as exc:
            return NotConnected(reason=str(exc), problems=exc.problems)
        except _ThereAlready as exc:
            return Connected(connection=exc.connection, title=_title(exc.connection), check=_ALREADY)
        except NameTaken:
            return NotConnected(reason=_taken(label), problems={"label": _taken(label)})
        except AgentError as exc:
            return NotConnected(reason=f"{_sentence(str(exc))} Nothing was stored.")
        return Connected(connection=stored, title=kind.title, check=check, services=services, gaps=gaps)

    async def look(self, tenant: TenantId, only: ConnectionId | None = None) -> list[ConnectionHealth]:
        """As `test`, and remember what was found."""
        found = await self.test(tenant, only)
        if not found:
            return []
        async with self._db.tenant(tenant) as s:
            for one in found:
                await connections.note_health(
                    s,
                    one.connection.id,
                    works=one.works,
                    problem=one.problem,
                    lacks="" if one.check is None else "; ".join(one.check.lacks),
                    has_data=None if one.check is None else one.check.has_data,
                )
            known = {one.id: one for one in await connections.connections(s)}
        return [replace(one, connection=known[one.connection.id]) for one in found if one.connection.id in known]

    async def test(self, tenant: TenantId, only: ConnectionId | None = None) -> list[ConnectionHealth]:
        """Test the stored connections now, all at once. Nothing is written."""
        async with self._db.tenant(tenant, readonly=True) as s:
            stored = [one for one in await connections.connections(s) if only in (None, one.id)]
            credentials: dict[ConnectionId, dict[str, Secret]] = {}
            for one in stored:
                try:
                    credentials[one.id] = await connections.credentials(s, one.id)
                except (UnreadableConnection, NotFound):
                    continue
        if not stored:
            return []
        services = await self._toolboxes.services(tenant)

        async def test(one: Connection) -> ConnectionHealth:
            title = _title(one)
            if one.id not in credentials:
                return ConnectionHealth(
                    connection=one, title=title, check=None, reason="its stored settings are damaged: connect it again"
                )
            try:
                opened = self._toolboxes.open(
                    tenant,
                    connector=one.connector,
                    label=one.label,
                    config=one.config,
                    credentials=credentials[one.id],
                    services=services,
                )
            except AgentError as exc:
                return ConnectionHealth(connection=one, title=title, check=None, reason=str(exc))
            try:
                return ConnectionHealth(connection=one, title=title, check=await _tested(opened.connector))
            finally:
                await opened.close()

        return list(await asyncio.gather(*(test(one) for one in stored)))

    async def accept(
        self, who: Consenting, connection: ConnectionId, *, seen: str, source: Source
    ) -> Accepted | NotConnected | None:
        """What a connection offers now is used from here on. The caller has checked the permission. `seen` names what
        the person was shown: where it changed again since, nothing is accepted. None where there is no such connection.
        """
        async with self._db.tenant(who.tenant, readonly=True) as s:
            one = next((c for c in await connections.connections(s) if c.id == connection), None)
            if one is None or not one.readable:
                return None
            credentials = await connections.credentials(s, connection)
        pins = await self._offered(who.tenant, one, credentials)
        if isinstance(pins, NotConnected):
            return pins
        if pins.seen != seen:
            return NotConnected(reason=f"{one.label} has changed again since you looked. Look again, then accept.")
        async with self._db.tenant(who.tenant) as s:
            if not await connections.change_config(s, connection, {**one.config, **pins.settings}):
                return None
            details = {"label": one.label, "accepted": pins.seen}
            await audit.record(
                s, actor=who.actor, action=f"{source}.connection.changed", target=connection, details=details
            )
        return Accepted(label=one.label)

    async def _offered(
        self, tenant: TenantId, one: Connection, credentials: Mapping[str, Secret]
    ) -> Pins | NotConnected:
        """What it offers now, in the time that a test has."""
        try:
            opened = self._toolboxes.open(
                tenant, connector=one.connector, label=one.label, config=one.config, credentials=credentials
            )
            try:
                if not isinstance(opened.connector, Pinning):
                    return NotConnected(reason=f"{one.label} has nothing that would have to be accepted.")
                async with asyncio.timeout(CHECK_S):
                    return await opened.connector.pins()
            finally:
                await opened.close()
        except TimeoutError:
            return NotConnected(reason=f"{one.label} did not answer within {CHECK_S:.0f} s. Nothing was accepted.")
        except AgentError as exc:
            return NotConnected(reason=f"{_sentence(str(exc))} Nothing was accepted.")

    async def rediscover(self, tenant: TenantId, connection: ConnectionId) -> tuple[CatalogEntry, ...] | None:
        """What a connection knows of services now. None where there is no such connection. Raises AgentError."""
        async with self._db.tenant(tenant, readonly=True) as s:
            one = next((c for c in await connections.connections(s) if c.id == connection), None)
            if one is None:
                return None
            credentials = await connections.credentials(s, connection)
        opened = self._toolboxes.open(
            tenant,
            connector=one.connector,
            label=one.label,
            config=one.config,
            credentials=credentials,
            services=await self._toolboxes.services(tenant),
        )
        try:
            services, _ = await self._discover(tenant, opened, one)
        finally:
            await opened.close()
        return services

    async def _free_label(
        self, tenant: TenantId, kind: type[Connector], filled: Filled, label: str, connection: ConnectionId
    ) -> str:
        """The name it gets. Raises _ThereAlready for a form that was handled before, _Refused for a name that is taken
        and for settings that hold a secret.
        """
        async with self._db.tenant(tenant, readonly=True) as s:
            known = await connections.connections(s)
            shown = s.redactor.redact_json(dict(filled.config), frozenset())
        if (same := next((one for one in known if one.id == connection), None)) is not None:
            raise _ThereAlready(same)
        for name, value in filled.config.items():
            if shown.get(name) != value:
                asked = kind.form.field(name)
                about = asked.label if asked else name
                raise _Refused(f"{about} seems to hold a secret: put secrets only into the fields for them.", name)
        labels = {one.label for one in known}
        if label in labels:
            raise _Refused(_taken(label), "label")
        numbered = (f"{kind.name}-{n}" for n in range(2, len(labels) + 3))
        return label or next(name for name in (kind.name, *numbered) if name not in labels)

    async def _store(
        self,
        who: Consenting,
        kind: type[Connector],
        filled: Filled,
        *,
        connection: ConnectionId,
        label: str,
        check: Check,
        source: Source,
    ) -> Connection:
        """Connection, health, consent and audit row in one transaction. Raises NameTaken."""
        scopes = tuple(scope.name for scope in kind.scopes)
        async with self._db.tenant(who.tenant) as s:
            await connections.save_connection(
                s,
                id=connection,
                connector=kind.name,
                label=label,
                config=filled.config,
                credentials=filled.credentials,
                scopes=scopes,
                consented_by=who.user,
            )
            await connections.note_health(
                s, connection, works=True, lacks="; ".join(check.lacks), has_data=check.has_data
            )
            details = {"connector": kind.name, "label": label, "scopes": list(scopes)}
            await events.emit(
                s, "ai.autoheal.connection.added.v1", connection, {"connector": kind.name}, actor=who.actor
            )
            await audit.record(
                s, actor=who.actor, action=f"{source}.connection.added", target=connection, details=details
            )
            return next(one for one in await connections.connections(s) if one.id == connection)

    async def _discover(
        self, tenant: TenantId, opened: Opened, stored: Connection
    ) -> tuple[tuple[CatalogEntry, ...], tuple[str, ...]]:
        """What it knows of services, in the catalog. That it cannot say costs the connection nothing."""
        if not isinstance(opened.connector, Discovers):
            return (), ()
        try:
            async with asyncio.timeout(DISCOVER_S):
                found = await opened.connector.discover()
        except TimeoutError:
            return (), (f"{stored.label} did not list its services within {DISCOVER_S:.0f} s",)
        except AgentError as exc:
            return (), (f"{stored.label} could not list its services: {exc}",)
        services = await self._toolboxes.services(tenant)
        told = told_by(found.services, services, connection=stored.id, kind=opened.connector.names_are)
        async with self._db.tenant(tenant) as s:
            added = await catalog.take_in(s, told)
            if added:
                actor, details = Actor(type="system", id="autoheal"), {"count": len(added)}
                await audit.record(
                    s, actor=actor, action="system.service.discovered", target=stored.id, details=details
                )
        return tuple(added), found.gaps


_ALREADY: Final = Check(ok=True, detail="it was connected already")


class _Refused(Exception):
    """Nothing is stored; the message is for the person. `field` is what it is about."""

    def __init__(self, reason: str, field: str = "") -> None:
        super().__init__(reason)
        self.problems = {field: reason} if field else {}


class _ThereAlready(Exception):
    """The same form was handled before."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection.id)
        self.connection = connection


def connectable() -> dict[str, type[Connector]]:
    """Connectors that people may connect. Those that read this machine are the operator's, in their file."""
    return {name: kind for name, kind in discover_connectors().items() if not kind.host}


def silence(data_at: datetime | None, has_data: bool | None) -> str:  # noqa: FBT001 -- as a check tells it
    """That a connection answers and tells nothing, since when where that is known; "" where it tells something."""
    if has_data is not False:
        return ""
    if data_at is None:
        return "silent: it has told nothing so far"
    return f"silent: nothing new since {data_at.day} {data_at:%b %H:%M} UTC"


def in_words(result: Connected | NotConnected) -> str:
    """The result of connecting, for the person."""
    if isinstance(result, NotConnected):
        return result.reason
    one = result.connection
    named = "" if one.label == one.connector else f" as *{one.label}*"
    parts = [f"{result.title} is connected{named}: {_sentence(result.check.detail)}"]
    known = [entry.name for entry in result.services if entry.state == "known"]
    asked = [entry for entry in result.services if entry.state == "proposed"]
    if known:
        parts.append(f"It knows {_some(known)}: correct that with `/autoheal services`.")
    if asked:
        first = asked[0]
        same = f", is it your service {first.same_as}?" if first.same_as else ", is it one of your services?"
        parts.append(f"One question: `{first.name}`{same} `/autoheal services` lists {len(asked)} such.")
    if result.check.lacks:
        parts.append(f"Without for now: {'; '.join(result.check.lacks)}. {result.check.next_action}".strip())
    parts += [f"{_sentence(gap)}" for gap in result.gaps]
    return " ".join(parts)


async def _tested(connector: Connector) -> Check:
    try:
        async with asyncio.timeout(CHECK_S):
            return await connector.check()
    except TimeoutError:
        return Check(ok=False, detail=f"it did not answer within {CHECK_S:.0f} s", next_action="Check the address.")
    except AgentError as exc:
        return Check(ok=False, detail=str(exc), next_action="Correct what it says, and try again.")
    except Exception as exc:  # noqa: BLE001 -- the outer guard of a check: a bug of one connector costs only its own line
        reference = log_failure(log, "connector.check_failed", exc, connector=connector.name)
        return Check(ok=False, detail=f"its test failed inside Autoheal (reference {reference})")


def _advice(check: Check) -> str:
    return f"{_sentence(check.detail)} {check.next_action}".strip()


def _title(one: Connection) -> str:
    kind = discover_connectors().get(one.connector)
    return one.connector if kind is None else str(kind.title)


def _taken(label: str) -> str:
    return f"There is a connection called {label} already: choose another name, or disconnect that one first."


def _kind(connector: str) -> type[Connector]:
    kind = connectable().get(connector)
    if kind is None:
        raise _Refused(_no_such(connector))
    return kind


def _label(label: str) -> str:
    label = label.strip().lower()
    if label and not LABEL.fullmatch(label):
        raise _Refused(
            "A name has small letters, digits and hyphens, begins with a letter and has at most 20 characters.", "label"
        )
    return label


def _no_such(connector: str) -> str:
    known = ", ".join(sorted(connectable()))
    if connector in discover_connectors():
        return (
            f"{connector} reads the machine that I run on, so only the operator's file can connect it. Here: {known}."
        )
    return f"I cannot connect {connector[:40] or 'nothing'!r}. I can connect: {known}."


def _sentence(text: str) -> str:
    text = text.strip()
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _some(names: list[str], most: int = 6) -> str:
    more = f" and {len(names) - most} more services" if len(names) > most else ""
    return f"{', '.join(names[:most])}{more}"
