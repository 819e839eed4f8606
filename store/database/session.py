"""The database, and the tenant-bound session through which nearly everything goes.

`Database.tenant` fetches the tenant's data keys, then opens one short transaction; it commits when the block ends and
rolls back when it raises. `Database.across_tenants` is the one conspicuous door past the wall.
On SQLite writers take turns in this process before they ask the file, so that they wait in order instead of polling.
"""

import json
import logging
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self, TypeVar

from sqlalchemy import ColumnElement, Select, delete, select, update
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from store.database import tenant_head
from store.database.arrivals import Arrivals
from store.database.engine import BUSY_TIMEOUT_S, create_engine, empty_log, is_file, reading
from store.database.isolation import CHECKED_INSERT, BoundSession
from store.database.keyring import KeyProvider, Keyring
from store.database.migrations import require_current, require_current_keyring
from store.database.schema import (
    AuditRow,
    ConnectionRow,
    Owned,
    SlackInstallRow,
    TenantHeadRow,
    TenantSettingsRow,
    WebhookRow,
)
from store.database.turn import WriterTurn
from store.database.walls.acting import DOOR_KEEPER, acting, for_tenant
from store.errors import CorruptEnvelope, RefusedStatement, StoreBusy, TenantFrozen, UnknownTenant
from store.ids import TenantId
from store.keys.seals import TenantSeals
from store.keys.shredding import ShredLedger
from store.keys.vault import DataKeys
from store.secrets.redaction import ContactDetails, Redactor, Secret

_log = logging.getLogger(__name__)
_CONNECTIONS = 3
"""To PostgreSQL, beside the engine's four and passing ones to the keyring and the events: twelve replicas share the
hundred of a default server."""
Row = TypeVar("Row", bound=Owned)


def utcnow() -> datetime:
    return datetime.now(UTC)


class TenantSession(TenantSeals):
    """One transaction of one tenant. Made by `Database.tenant`; sees and writes that tenant only."""

    def __init__(
        self,
        *,
        tenant_id: TenantId,
        session: AsyncSession,
        data_keys: DataKeys | None,
        clock: Callable[[], datetime],
        redactors: dict[TenantId, tuple[int, Redactor]],
        kept_out: Sequence[Secret] = (),
    ) -> None:
        super().__init__(tenant_id=tenant_id, data_keys=data_keys)
        self._session = session
        self._clock = clock
        self._redactors = redactors
        self._kept_out = kept_out

    def now(self) -> datetime:
        """Aware UTC, from the database's clock."""
        return self._clock()

    # Statements. Rows are from store.database.schema; only the store's own modules call these.

    async def one(self, entity: type[Row], *where: ColumnElement[bool], lock: bool = False) -> Row | None:
        """The row, freshly read. `lock` holds it until the transaction ends (SQLite writers are alone anyway)."""
        if lock and self._session.info["readonly"]:
            raise RefusedStatement("this session only reads")
        statement = select(entity).where(*where)
        rows = await self.all(statement.with_for_update() if lock else statement)
        return rows[0] if rows else None

    async def all(self, statement: Select[Row]) -> Sequence[Row]:
        return (await self._session.scalars(statement, execution_options={"populate_existing": True})).all()

    async def value(self, statement: Select[Any]) -> Any:
        return await self._session.scalar(statement)

    async def insert(self, row: Owned) -> None:
        self._session.add(row)
        await self._session.flush()

    async def save(self) -> None:
        """Writes changed rows now, so that constraint errors come up here."""
        await self._session.flush()

    async def insert_if_absent(self, entity: type[Owned], *rows: Mapping[str, Any]) -> set[str]:
        """Inserts the rows that hurt no unique constraint, in one statement; returns the ids of those inserted."""
        if not rows:
            return set()
        await self._session.flush()
        owned = [{**row, "tenant_id": self.tenant_id} for row in rows]
        options = {CHECKED_INSERT: True}
        if self._session.get_bind().dialect.name == "sqlite":
            lite = sqlite_insert(entity).values(owned).on_conflict_do_nothing().returning(entity.id)
            return set((await self._session.scalars(lite, execution_options=options)).all())
        full = postgresql_insert(entity).values(owned).on_conflict_do_nothing().returning(entity.id)
        return set((await self._session.scalars(full, execution_options=options)).all())

    async def update(self, entity: type[Owned], *where: ColumnElement[bool], values: Mapping[str, Any]) -> int:
        """One UPDATE; returns how many rows matched."""
        statement = update(entity).where(*where).values(**values)
        result = await self._session.execute(statement, execution_options={"synchronize_session": False})
        return int(getattr(result, "rowcount", 0))

    async def delete(self, entity: type[Owned], *where: ColumnElement[bool]) -> int:
        result = await self._session.execute(
            delete(entity).where(*where), execution_options={"synchronize_session": False}
        )
        return int(getattr(result, "rowcount", 0))

    async def head(self) -> TenantHeadRow:
        """The tenant's counters, locked until the transaction ends."""
        row = await self.one(TenantHeadRow, TenantHeadRow.id == self.tenant_id, lock=True)
        if row is None:
            raise UnknownTenant("this tenant does not exist")
        return row

    async def link_audit(self, row: AuditRow, hash_of: Callable[[bytes, AuditRow], bytes]) -> None:
        """Stores the row as the next of the tenant's chain; `hash_of` the last hash and this row is its hash."""
        await self._session.run_sync(tenant_head.link_audit, row, hash_of)

    # The tenant's own secrets

    async def secrets_changed(self) -> None:
        """Call it in the transaction that stores or removes a credential: every redactor of the tenant is rebuilt."""
        head = await self.head()
        head.secrets_version += 1
        await self.save()
        self._redactor = await self._build_redactor()

    async def sources_changed(self) -> None:
        """Call it in the transaction that changes connections or the catalog: its toolboxes are rebuilt."""
        head = await self.head()
        head.connections_version += 1
        await self.save()

    async def load_redactor(self, *, frozen_too: bool = False) -> None:
        """Takes the known redactor, or builds it when credentials changed since. Raises UnknownTenant, TenantFrozen."""
        version, status = await self._session.run_sync(tenant_head.state)
        if status != "active" and not frozen_too:
            raise TenantFrozen(f"this tenant is {status}: Slack was uninstalled, or its data is being deleted")
        known = self._redactors.get(self.tenant_id)
        if known is None or known[0] != version:
            known = (version, await self._build_redactor())
            self._redactors[self.tenant_id] = known
        self._redactor = known[1]

    async def _build_redactor(self) -> Redactor:
        chosen: ContactDetails | None = await self.value(select(TenantSettingsRow.contact_details))
        return Redactor(await self._own_secrets(), chosen or "hide_from_model")

    def credential(self, table: str, column: str, row_id: str, blob: bytes) -> Secret | None:
        """None for one whose envelope is damaged: it can be neither used nor looked for in texts any more, and must not
        stop the rest of the tenant. A key that is missing stops it: that comes back with the keyring's own backup.
        """
        try:
            return self.open_secret(table, column, row_id, blob)
        except CorruptEnvelope as exc:
            facts = {"action": "store.credential_unreadable", "tenant": self.tenant_id, "row": row_id}
            _log.error("a credential cannot be opened, connect it again: %s", exc, extra=facts)
            return None

    async def _own_secrets(self) -> list[Secret]:
        secrets = list(self._kept_out)
        for install in await self.all(select(SlackInstallRow)):
            token = self.credential("slack_installs", "bot_token", install.id, install.bot_token)
            secrets.extend([] if token is None else [token])
        for row in await self.all(select(ConnectionRow)):
            stored = self.credential("connections", "credentials", row.id, row.credentials)
            values = {} if stored is None else json.loads(stored.reveal())
            secrets.extend(Secret(value) for value in values.values())
        for hook in await self.all(select(WebhookRow)):
            stored = self.credential("webhooks", "secrets", hook.id, hook.secrets)
            values = {} if stored is None else json.loads(stored.reveal())
            secrets.extend(Secret(value) for name in ("current", "previous") if (value := values.get(name)))
        return secrets


class Database:
    """The content database and its keyring. Open one a process."""

    def __init__(self, *, engine: AsyncEngine, keyring: Keyring, clock: Callable[[], datetime]) -> None:
        self._engine = engine
        self._reader = reading(engine)
        self._clock = clock
        self._redactors: dict[TenantId, tuple[int, Redactor]] = {}
        self._kept_out: dict[TenantId | None, tuple[Secret, ...]] = {}
        self._write_turn = WriterTurn()
        self.keyring = keyring
        self.arrivals = _arrivals(engine)
        """Where what arrives is written down first, on SQLite; None on PostgreSQL."""

    @classmethod
    async def open(
        cls,
        url: str,
        *,
        keyring_url: str,
        keys: KeyProvider,
        clock: Callable[[], datetime] = utcnow,
        pool_size: int | None = None,
        ledger: Path | ShredLedger | None = None,
    ) -> Self:
        """Both databases must be migrated (`store.database.migrations`): raises SchemaMismatch otherwise.

        `ledger` as for Keyring.
        """
        engine = create_engine(url, pool_size=pool_size or (8 if is_file(url) else _CONNECTIONS))
        keyring_engine = create_engine(keyring_url, pool_size=2 if is_file(keyring_url) else None)
        try:
            await require_current(engine)
            await require_current_keyring(keyring_engine)
        except BaseException:
            await engine.dispose()
            await keyring_engine.dispose()
            raise
        return cls(engine=engine, keyring=Keyring(keyring_engine, keys, clock, ledger), clock=clock)

    @property
    def dialect(self) -> str:
        """`sqlite` or `postgresql`."""
        return self._engine.dialect.name

    def now(self) -> datetime:
        return self._clock()

    def keep_out(self, secrets: Iterable[Secret], *, tenant_id: TenantId | None = None) -> None:
        """Redact secrets that the store does not hold, such as this process' own, from all that is stored: of one
        tenant, or of all. A tenant's own are named to no other, who could find them out by trying.
        """
        self._kept_out[tenant_id] = (*self._kept_out.get(tenant_id, ()), *secrets)
        self._redactors.clear()

    @asynccontextmanager
    async def tenant(
        self,
        tenant_id: TenantId,
        *,
        readonly: bool = False,
        urgent: bool = False,
        erasing: bool = False,
        frozen_too: bool = False,
    ) -> AsyncIterator[TenantSession]:
        """One transaction. Never await the network, nor open another writing session, inside it.

        `urgent` is for what somebody outside waits for: it is the next writer.

        `erasing` is for the end of a tenant and nothing else: the session may only select and delete, but delete also
        rows of append-only tables. It holds no keys and no redactor, so it opens after the keys are shredded; whether
        the tenant exists is not asked.

        `frozen_too` is for the few that still concern a tenant after Slack was uninstalled: its export, its return.

        Raises UnknownTenant, TenantFrozen, and StoreBusy when other writers did not finish in time.
        """
        whom = for_tenant(tenant_id, erasing=erasing)
        data_keys = None if erasing else await self.keyring.data_keys(tenant_id)
        async with (
            AsyncSession(
                acting(self._reader if readonly else self._engine, whom),
                sync_session_class=BoundSession,
                expire_on_commit=False,
                info={"tenant_id": tenant_id, "readonly": readonly, "erasing": erasing},
            ) as session,
            self._turn(readonly=readonly, urgent=urgent),  # given back with the commit, before the session is put away
            session.begin(),
        ):
            bound = TenantSession(
                tenant_id=tenant_id,
                session=session,
                data_keys=data_keys,
                clock=self._clock,
                redactors=self._redactors,
                kept_out=(*self._kept_out.get(None, ()), *self._kept_out.get(tenant_id, ())),
            )
            if not erasing:
                await bound.load_redactor(frozen_too=frozen_too)
            yield bound

    async def seals(self, tenant_id: TenantId, *, anew: bool = False) -> tuple[int, TenantSeals]:
        """What seals for the tenant without a transaction, and the version of the credentials that its redactor knows:
        whoever stores what it sealed compares that. `anew` looks for changed credentials. Raises as `tenant`.
        """
        data_keys = await self.keyring.data_keys(tenant_id)
        known = None if anew else self._redactors.get(tenant_id)
        if known is None:
            async with self.tenant(tenant_id, readonly=True):
                known = self._redactors[tenant_id]
        return known[0], TenantSeals(tenant_id=tenant_id, data_keys=data_keys, redactor=known[1])

    async def redactor(self, tenant_id: TenantId) -> Redactor:
        """The tenant's for what a model reads, with the credentials that it has now. Raises as `tenant`."""
        async with self.tenant(tenant_id, readonly=True) as s:
            return s.redactor.for_model()

    @asynccontextmanager
    async def across_tenants(self, reason: str, *, readonly: bool = False) -> AsyncIterator[AsyncSession]:
        """Past the tenant wall, for routing lookups, sweeps and the creation of tenants. The reason is logged.

        The database lets it do what the tables' `door_grants` say. A lookup is `readonly`: it waits for no writer.
        """
        _log.debug("action=store.across_tenants reason=%s", reason)
        async with (
            AsyncSession(
                acting(self._reader if readonly else self._engine, DOOR_KEEPER), expire_on_commit=False
            ) as session,
            self._turn(readonly=readonly),
            session.begin(),
        ):
            yield session

    async def empty_log(self) -> None:
        """SQLite's write-ahead log still holds what was deleted; PostgreSQL's is its server's."""
        if self.dialect == "sqlite":
            await empty_log(self._engine)

    def forget(self, tenant_id: TenantId) -> None:
        """Drops the tenant's keys and secrets from memory."""
        self.keyring.forget(tenant_id)
        self._redactors.pop(tenant_id, None)
        self._kept_out.pop(tenant_id, None)

    async def close(self) -> None:
        if self.arrivals is not None:
            await self.arrivals.close()
        await self.keyring.close()
        await self._engine.dispose()

    def _turn(self, *, readonly: bool, urgent: bool = False) -> AbstractAsyncContextManager[None]:
        return nullcontext() if readonly or self.dialect != "sqlite" else self._writer(urgent=urgent)

    @asynccontextmanager
    async def _writer(self, *, urgent: bool) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            try:
                await stack.enter_async_context(self._write_turn.taken(urgent=urgent, timeout_s=BUSY_TIMEOUT_S))
            except TimeoutError as exc:
                raise StoreBusy("waited too long to write: is a session opened inside another one?") from exc
            yield


def _arrivals(engine: AsyncEngine) -> Arrivals | None:
    file = engine.url.database if engine.dialect.name == "sqlite" else None
    return Arrivals(Path(file)) if file else None
