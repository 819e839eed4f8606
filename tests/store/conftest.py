"""A tenant with an incident under investigation, for the tests of what hangs on one."""

from dataclasses import dataclass

import pytest

from store.database.session import Database
from store.ids import ConversationId, IncidentId, InvestigationId, TenantId, UserId, new_id
from store.incidents import open_incident
from store.incidents.conversations import conversation
from store.incidents.investigations import create_investigation
from store.people.users import user_by_slack


@dataclass(frozen=True, kw_only=True)
class Case:
    tenant_id: TenantId
    admin: UserId
    member: UserId
    conversation_id: ConversationId
    incident_id: IncidentId
    investigation_id: InvestigationId


@pytest.fixture
async def case(_database_of_test: Database, two_tenants: tuple[TenantId, TenantId]) -> Case:
    """In the first of `two_tenants`; the second has a case of its own, in a thread of the same name."""
    await _open_case(_database_of_test, two_tenants[1])
    return await _open_case(_database_of_test, two_tenants[0])


async def _open_case(db: Database, tenant_id: TenantId) -> Case:
    async with db.tenant(tenant_id) as s:
        admin, member = await user_by_slack(s, "U0ADMIN"), await user_by_slack(s, "U0MEMBER")
        assert admin is not None
        assert member is not None
        thread = await conversation(s, channel_id="C0INC", thread_ts="1700000000.000100")
        assert thread is not None
        incident = await open_incident(
            s,
            id=IncidentId(new_id()),
            title=s.redactor.redact("checkout fails"),
            channel_id="C0INC",
            thread_ts="1700000000.000100",
            opened_by=member.id,
        )
        investigation = await create_investigation(
            s,
            id=InvestigationId(new_id()),
            incident_id=incident.id,
            conversation_id=thread.id,
            question=s.redactor.redact("why does checkout fail?"),
            requested_by=member.id,
        )
    return Case(
        tenant_id=tenant_id,
        admin=admin.id,
        member=member.id,
        conversation_id=thread.id,
        incident_id=incident.id,
        investigation_id=investigation.id,
    )
