"""Who is mailed what: verdicts and outcomes to who may read the thread, alerts to admins; in redacted words, once."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from handlers.mail.writing import MailedNotices, MailedReporter
from store.database.schema import ApprovalRow, MailRow
from store.database.session import Database
from store.ids import ApprovalId, IncidentId, InvestigationId, TenantId, UserId, new_id
from store.incidents import approvals, investigations, open_incident
from store.incidents.conversations import conversation
from store.people import accounts
from store.people.invitations import accept, invite
from store.people.users import Role, ensure_user
from store.secrets.redaction import Secret
from store.tenancy.connections import save_connection
from tests.handlers.inbound import Slack
from tests.handlers.mail.test_post import Outbox, mailer
from tests.handlers.slack.blocks.examples import a_plan, a_verdict
from tests.store.accounts import GOOD, KEYS, cheap_passwords, make_account

PUBLIC, PRIVATE, DIRECT = "C0INCIDENTS", "C0LEADS", "D0RAJ"
WEB = ["admin@0.example", "member@0.example", "viewer@0.example"]


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
async def raj(sqlite_database: Database, two_tenants: Any, slack: Slack) -> UserId:
    """People with accounts who are not in Slack, in the workspace's tenant and another; Olga, Mia and Raj, who are."""
    for number, tenant in enumerate((slack.tenant, two_tenants[0])):
        for role in Role:
            await make_account(sqlite_database, tenant, email=f"{role.value}@{number}.example", role=role)
    hashed = await cheap_passwords().hash(GOOD)
    for name in ("olga", "mia", "raj"):
        async with sqlite_database.tenant(slack.tenant) as s:
            known = await ensure_user(s, slack_user_id=slack.workspace.users[name].id, role=Role.MEMBER)
            _, invitation = await invite(
                s, KEYS, email=f"{name}@slack.example", role=known.role, invited_by=None, user_id=known.id
            )
            await accept(s, KEYS, invitation.id, first_name=name, last_name="J", password_hash=hashed)
    return known.id


async def test_a_mail_about_a_verdict_carries_its_chart(raj: UserId, slack: Slack) -> None:
    run = await a_run(slack, PUBLIC, opened_by=raj)
    await reporter_of(slack).concluded(slack.tenant, run)
    line = Outbox()
    assert await mailer(slack.db, line).send_due() > 0
    for _, message in line.sent:
        (picture,) = message.iter_attachments()
        assert (picture.get_content_type(), picture.get_filename()) == ("image/svg+xml", "chart.svg")
        assert picture.get_content().startswith(b"<svg ")


def reporter_of(slack: Slack, told: Told | None = None) -> MailedReporter:
    return MailedReporter(slack.db, told or Told(), slack.context.clients)


async def a_run(slack: Slack, channel: str, *, opened_by: UserId | None, concluded: bool = True) -> InvestigationId:
    """An investigation of an incident of that channel."""
    run = InvestigationId(new_id())
    async with slack.db.tenant(slack.tenant) as s:
        thread = await conversation(s, channel_id=channel, thread_ts="1700000000.000100")
        assert thread is not None
        incident = await open_incident(
            s,
            id=IncidentId(new_id()),
            title=s.redactor.redact("checkout fails"),
            channel_id=channel,
            thread_ts=thread.thread_ts,
            opened_by=opened_by,
        )
        await investigations.create_investigation(
            s,
            id=run,
            incident_id=incident.id,
            conversation_id=thread.id,
            question=s.redactor.redact("why does checkout fail?"),
            requested_by=opened_by,
        )
        if concluded:
            await investigations.save_verdict(s, run, a_verdict().model_dump(mode="json"))
    return run


async def an_outcome(slack: Slack, run: InvestigationId) -> ApprovalId:
    plan, approval = a_plan(), ApprovalId(new_id())
    async with slack.db.tenant(slack.tenant) as s:
        found = await investigations.investigation(s, run)
        assert found is not None
        await approvals.propose(
            s,
            id=approval,
            incident_id=found.incident_id,
            investigation_id=run,
            remediation=plan.remediation,
            plan=plan.model_dump(mode="json"),
            target="checkout",
            target_version=None,
            risk="medium",
            expires_at=s.now() + timedelta(hours=1),
            preview_read_at=s.now(),
        )
        await s.update(ApprovalRow, ApprovalRow.id == approval, values={"state": "unknown"})
    return approval


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


async def mailed_to(slack: Slack) -> list[str]:
    return sorted({to for to, _, _ in await written(slack.db, slack.tenant)})


async def test_a_verdict_is_mailed_once_to_those_of_the_organisation_who_want_it(
    slack: Slack, two_tenants: Any, raj: UserId
) -> None:
    planted = "planted-credential-of-acme"
    run = await a_run(slack, PUBLIC, opened_by=raj, concluded=False)
    async with slack.db.tenant(slack.tenant) as s:
        member = next(a for a in (await accounts.accounts(s)).values() if a.email.startswith("member"))
        await accounts.change_account(s, KEYS, member.user_id, notify=False)
        await save_connection(s, connector="git", config={}, credentials={"token": Secret(planted)})
        headline = "checkout: 4f2a91 cut the pool\r\nBcc: eve@evil.example"
        await investigations.save_verdict(s, run, a_verdict(headline=headline).model_dump(mode="json"))
    told = Told()
    for _ in range(2):
        await reporter_of(slack, told).concluded(slack.tenant, run)
    mailed = await written(slack.db, slack.tenant)
    assert [to for to, _, _ in mailed] == [
        "admin@0.example",
        "mia@slack.example",
        "olga@slack.example",
        "raj@slack.example",
        "viewer@0.example",
    ]
    assert {subject for _, subject, _ in mailed} == {
        "[Autoheal] Incident 1: checkout: 4f2a91 cut the pool Bcc: eve@evil.example"
    }
    assert "Cause: " in mailed[0][2]
    assert told.said == ["concluded"] * 2
    assert await written(slack.db, two_tenants[0]) == []


@pytest.mark.parametrize(
    ("channel", "readers"),
    [
        (PUBLIC, sorted([*WEB, "mia@slack.example", "olga@slack.example", "raj@slack.example"])),
        (PRIVATE, ["mia@slack.example", "olga@slack.example"]),
        (DIRECT, ["raj@slack.example"]),
    ],
)
async def test_verdict_and_outcome_are_mailed_to_those_alone_who_may_read_the_thread(
    slack: Slack, raj: UserId, channel: str, readers: list[str]
) -> None:
    run = await a_run(slack, channel, opened_by=raj)
    await reporter_of(slack).concluded(slack.tenant, run)
    assert await mailed_to(slack) == readers
    await reporter_of(slack).outcome(slack.tenant, await an_outcome(slack, run))
    assert [to for to, subject, _ in await written(slack.db, slack.tenant) if "Unknown" in subject] == readers


async def test_whoever_left_the_private_channel_is_not_mailed_though_they_opened_the_incident(
    slack: Slack, raj: UserId
) -> None:
    members = slack.workspace.channels["leads"].members
    run = await a_run(slack, PRIVATE, opened_by=raj)
    members.discard(slack.workspace.users["mia"].id)
    await reporter_of(slack).concluded(slack.tenant, run)
    assert await mailed_to(slack) == ["olga@slack.example"]


async def test_a_private_channel_of_many_is_asked_for_page_by_page(slack: Slack, raj: UserId) -> None:
    slack.workspace.channels["leads"].members.update(f"U00{number:04}" for number in range(1_200))
    await reporter_of(slack).concluded(slack.tenant, await a_run(slack, PRIVATE, opened_by=raj))
    assert len(slack.workspace.calls("conversations.members")) == 2
    assert await mailed_to(slack) == ["mia@slack.example", "olga@slack.example"]


async def test_a_direct_message_that_nobody_is_known_to_have_opened_is_not_mailed(slack: Slack, raj: UserId) -> None:
    await reporter_of(slack).concluded(slack.tenant, await a_run(slack, DIRECT, opened_by=None))
    assert await mailed_to(slack) == []


@pytest.mark.parametrize(
    ("channel", "method"),
    [(PUBLIC, "conversations.info"), (PRIVATE, "conversations.info"), (PRIVATE, "conversations.members")],
)
async def test_nobody_is_mailed_while_slack_does_not_say_who_may_read(
    slack: Slack, raj: UserId, channel: str, method: str
) -> None:
    run = await a_run(slack, channel, opened_by=raj)
    slack.workspace.faults.fail(method, "internal_error")
    await reporter_of(slack).concluded(slack.tenant, run)
    assert await mailed_to(slack) == []


async def test_nobody_is_mailed_of_a_channel_that_the_app_was_removed_from(slack: Slack, raj: UserId) -> None:
    run = await a_run(slack, PRIVATE, opened_by=raj)
    slack.workspace.channels["leads"].members.discard(slack.workspace.bot_user_id)
    await reporter_of(slack).concluded(slack.tenant, run)
    assert await mailed_to(slack) == []


async def test_a_run_without_a_verdict_and_what_goes_on_are_not_mailed(slack: Slack, raj: UserId) -> None:
    run = await a_run(slack, PUBLIC, opened_by=raj, concluded=False)
    told = Told()
    reporter = reporter_of(slack, told)
    await reporter.opened(slack.tenant, run)
    await reporter.progressed(slack.tenant, run)
    await reporter.concluded(slack.tenant, run)
    await reporter.proposed(slack.tenant, ApprovalId(new_id()))
    await reporter.approval_changed(slack.tenant, ApprovalId(new_id()))
    await reporter.outcome(slack.tenant, ApprovalId(new_id()))
    assert told.said == ["opened", "progressed", "concluded", "proposed", "approval_changed", "outcome"]
    assert await written(slack.db, slack.tenant) == []


async def test_an_outcome_is_mailed_in_the_words_of_the_thread_and_once(slack: Slack, raj: UserId) -> None:
    approval = await an_outcome(slack, await a_run(slack, PUBLIC, opened_by=raj))
    for _ in range(2):
        await reporter_of(slack).outcome(slack.tenant, approval)
    mailed = await written(slack.db, slack.tenant)
    assert len(mailed) == 6
    assert mailed[0][1].startswith("[Autoheal] Incident 1: Unknown")


async def test_an_alert_reaches_the_admins_by_mail_too_and_names_no_secret(
    sqlite_database: Database, two_tenants: Any, raj: UserId
) -> None:
    async with sqlite_database.tenant(two_tenants[0]) as s:
        await save_connection(s, connector="git", config={}, credentials={"token": Secret("planted-credential")})
    notices = MailedNotices(sqlite_database, Told())
    for _ in range(2):
        await notices.tell_admins(two_tenants[0], key="alert:1", text="Somebody guesses.\nIt held planted-credential.")
    ((to, subject, body),) = await written(sqlite_database, two_tenants[0])
    assert (to, subject) == ("admin@1.example", "[Autoheal] Alert: Somebody guesses.")
    assert "planted" not in body
