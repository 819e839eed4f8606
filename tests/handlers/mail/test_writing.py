"""Who is mailed what: verdicts and outcomes to who wants them, alerts to admins; in redacted words, once."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from handlers.mail.writing import MailedNotices, MailedReporter
from store import accounts, approvals, investigations
from store.connections import save_connection
from store.ids import ApprovalId, InvestigationId, TenantId, new_id
from store.redaction import Secret
from store.schema import MailRow
from store.session import Database
from store.users import Role
from tests.handlers.blocks.examples import a_plan, a_verdict
from tests.store.accounts import KEYS, make_account
from tests.store.conftest import Case
from tests.store.conftest import _open_case as open_case


class Told:
    """Slack's side, which is not looked at here."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def __getattr__(self, name: str) -> Any:
        async def say(*_: Any, **__: Any) -> str:
            self.said.append(name)
            return "1.1"

        return say


@pytest.fixture
async def case(sqlite_database: Database, two_tenants: Any) -> Case:
    for number, tenant in enumerate(two_tenants):
        for role in Role:
            await make_account(sqlite_database, tenant, email=f"{role.value}@{number}.example", role=role)
    return await open_case(sqlite_database, two_tenants[0])


async def written(db: Database, tenant: TenantId) -> list[tuple[str, str, str]]:
    """Address, subject, body of all mail."""
    async with db.tenant(tenant, readonly=True) as s:
        known = await accounts.accounts(s)
        return sorted(
            (
                known[row.user_id].email,  # type: ignore[index] # a user id as it is stored
                s.open("mails", "subject", row.id, row.subject),
                s.open("mails", "body", row.id, row.body),
            )
            for row in await s.all(select(MailRow))
        )


async def test_a_verdict_is_mailed_once_to_those_of_the_organisation_who_want_it(
    sqlite_database: Database, two_tenants: Any, case: Case
) -> None:
    planted = "planted-credential-of-acme"
    async with sqlite_database.tenant(two_tenants[0]) as s:
        member = next(a for a in (await accounts.accounts(s)).values() if a.email.startswith("member"))
        await accounts.change_account(s, KEYS, member.user_id, notify=False)
        verdict = a_verdict(headline="checkout: 4f2a91 cut the pool\r\nBcc: eve@evil.example").model_dump(mode="json")
        await investigations.save_verdict(s, case.investigation_id, verdict)
        await save_connection(s, connector="git", config={}, credentials={"token": Secret(planted)})
    told = Told()
    reporter = MailedReporter(sqlite_database, told)
    for _ in range(2):
        await reporter.concluded(two_tenants[0], case.investigation_id)
    mailed = await written(sqlite_database, two_tenants[0])
    assert [to for to, _, _ in mailed] == ["admin@0.example", "viewer@0.example"]
    assert {subject for _, subject, _ in mailed} == {
        "[Autoheal] Incident 1: checkout: 4f2a91 cut the pool Bcc: eve@evil.example"
    }
    assert "Cause: " in mailed[0][2]
    assert told.said == ["concluded"] * 2
    assert await written(sqlite_database, two_tenants[1]) == []


async def test_a_run_without_a_verdict_and_what_goes_on_are_not_mailed(
    sqlite_database: Database, two_tenants: Any, case: Case
) -> None:
    told = Told()
    reporter = MailedReporter(sqlite_database, told)
    await reporter.opened(two_tenants[0], case.investigation_id)
    await reporter.progressed(two_tenants[0], case.investigation_id)
    await reporter.concluded(two_tenants[0], case.investigation_id)
    await reporter.proposed(two_tenants[0], ApprovalId(new_id()))
    await reporter.approval_changed(two_tenants[0], ApprovalId(new_id()))
    await reporter.outcome(two_tenants[0], ApprovalId(new_id()))
    assert told.said == ["opened", "progressed", "concluded", "proposed", "approval_changed", "outcome"]
    assert await written(sqlite_database, two_tenants[0]) == []


async def test_an_outcome_is_mailed_in_the_words_of_the_thread(
    sqlite_database: Database, two_tenants: Any, case: Case
) -> None:
    plan = a_plan()
    approval = ApprovalId(new_id())
    async with sqlite_database.tenant(two_tenants[0]) as s:
        await approvals.propose(
            s,
            id=approval,
            incident_id=case.incident_id,
            investigation_id=InvestigationId(case.investigation_id),
            remediation=plan.remediation,
            plan=plan.model_dump(mode="json"),
            target="checkout",
            target_version=None,
            risk="medium",
            expires_at=s.now() + timedelta(hours=1),
            preview_read_at=s.now(),
        )
        await s.update(approvals.ApprovalRow, approvals.ApprovalRow.id == approval, values={"state": "unknown"})
    for _ in range(2):
        await MailedReporter(sqlite_database, Told()).outcome(two_tenants[0], approval)
    mailed = await written(sqlite_database, two_tenants[0])
    assert len(mailed) == 3
    assert mailed[0][1].startswith("[Autoheal] Incident 1: Unknown")


async def test_an_alert_reaches_the_admins_by_mail_too_and_names_no_secret(
    sqlite_database: Database, two_tenants: Any, case: Case
) -> None:
    async with sqlite_database.tenant(two_tenants[0]) as s:
        await save_connection(s, connector="git", config={}, credentials={"token": Secret("planted-credential")})
    notices = MailedNotices(sqlite_database, Told())
    for _ in range(2):
        await notices.tell_admins(two_tenants[0], key="alert:1", text="Somebody guesses.\nIt held planted-credential.")
    ((to, subject, body),) = await written(sqlite_database, two_tenants[0])
    assert (to, subject) == ("admin@0.example", "[Autoheal] Alert: Somebody guesses.")
    assert "planted" not in body
