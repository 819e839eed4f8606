"""Disconnecting revokes at the vendor where it can, deletes, stops the work, and is on record."""

from typing import Any

import pytest
from sqlalchemy import select, update

from agents.connecting import disconnecting
from agents.connecting.connector import Connector, ConnectorConfig, Revocable
from agents.connecting.disconnecting import Disconnecting
from agents.connecting.outbound import EgressPolicy
from agents.errors import Unavailable
from agents.permission import Person
from store import audit
from store.database.schema import Base
from store.database.session import Database
from store.ids import ApprovalId, ConnectionId, TenantId, new_id
from store.incidents import approvals, investigations
from store.people.users import Role, user_by_slack
from store.secrets.redaction import Secret
from store.tenancy import connections
from store.tenancy.connections import save_connection
from tests.conftest import past_the_walls
from tests.store.conftest import _open_case


class _Config(ConnectorConfig):
    address: str


class Pager(Connector):
    """A vendor with grants."""

    name = "pager"
    title = "Pager"
    config_model = _Config
    revoked: list[str] = []  # noqa: RUF012 -- the test's notebook
    failing = False

    async def revoke(self) -> None:
        if Pager.failing:
            raise Unavailable("the vendor is away")
        Pager.revoked.append(self.context.credentials["token"].reveal())


@pytest.fixture(autouse=True)
def _pager(monkeypatch: pytest.MonkeyPatch) -> None:
    Pager.revoked, Pager.failing = [], False
    monkeypatch.setattr(disconnecting, "discover_connectors", lambda: {"pager": Pager, "git": Connector})


async def disconnect(db: Database, tenant: TenantId, connection: ConnectionId) -> bool:
    async with db.tenant(tenant, readonly=True) as s:
        admin = await user_by_slack(s, "U0ADMIN")
    assert admin is not None
    person = Person(tenant_id=tenant, user_id=admin.id, slack_user_id="U0ADMIN", role=Role.ADMIN)
    withdrawing = Disconnecting(db=db, egress_of=lambda _tenant, _label: EgressPolicy(), now=db.now)
    return await withdrawing.disconnect(person, connection, source="api") is not None


async def connected(db: Database, tenant: TenantId, connector: str = "pager") -> ConnectionId:
    async with db.tenant(tenant) as s:
        saved = await save_connection(
            s, connector=connector, config={"address": "x"}, credentials={"token": Secret(f"grant-of-{tenant}")}
        )
    return saved.id


async def test_the_grant_is_revoked_the_credential_deleted_and_the_work_stopped(
    database: Database, two_tenants: Any
) -> None:
    tenant, other = two_tenants
    mine, theirs = await connected(database, tenant), await connected(database, other)
    case = await _open_case(database, tenant)
    async with database.tenant(tenant) as s:
        proposal = await approvals.propose(
            s,
            id=ApprovalId(new_id()),
            incident_id=case.incident_id,
            investigation_id=case.investigation_id,
            remediation="rollback_deployment",
            plan={"title": "t"},
            target="checkout",
            target_version="1",
            risk="medium",
            expires_at=s.now(),
            preview_read_at=s.now(),
        )
    assert not await disconnect(database, tenant, theirs), "another tenant's connection is not there"
    assert await disconnect(database, tenant, mine)
    assert not await disconnect(database, tenant, mine)
    assert Pager.revoked == [f"grant-of-{tenant}"]
    async with database.tenant(tenant, readonly=True) as s:
        assert await connections.connections(s) == []
        assert await investigations.stop_requested(s, case.investigation_id)
        found = await approvals.approval(s, proposal.id)
        assert found is not None
        assert found.state == "cancelled"
        trail = await audit.trail(s)
        assert [entry.action for entry in trail][-2:] == ["api.connection.revoked", "api.connection.removed"]
        assert trail[-1].details == {"upstream": "revoked"}
    async with database.tenant(other, readonly=True) as s:
        assert len(await connections.connections(s)) == 1


@pytest.mark.parametrize(
    ("connector", "upstream"), [("pager", "refused"), ("git", "not_offered"), ("gone", "not_offered")]
)
async def test_whatever_the_vendor_does_the_credential_is_deleted(
    sqlite_database: Database, two_tenants: Any, connector: str, upstream: str
) -> None:
    Pager.failing = True
    tenant, _ = two_tenants
    assert await disconnect(sqlite_database, tenant, await connected(sqlite_database, tenant, connector))
    async with sqlite_database.tenant(tenant, readonly=True) as s:
        assert await connections.connections(s) == []
        assert (await audit.trail(s))[-1].details == {"upstream": upstream}


async def test_what_cannot_be_read_is_deleted_without_asking_the_vendor(database: Database, two_tenants: Any) -> None:
    tenant, _ = two_tenants
    connection = await connected(database, tenant)
    table = Base.metadata.tables["connections"]
    async with past_the_walls(database) as owner:
        found = (await owner.execute(select(table.c.credentials))).scalar_one()
        await owner.execute(update(table).values(credentials=found[:-1] + bytes([found[-1] ^ 1])))
    assert await disconnect(database, tenant, connection)
    assert Pager.revoked == []
    async with database.tenant(tenant, readonly=True) as s:
        assert await connections.connections(s) == []
        last = (await audit.trail(s))[-1]
    assert (last.action, last.details) == ("api.connection.removed", {"upstream": "unreadable"})


def test_a_connector_with_a_revoke_is_revocable() -> None:
    assert issubclass(Pager, Revocable)
    assert not issubclass(Connector, Revocable)
