"""What a tenant can observe is the same as in a world in which the other tenant never existed.

Two tenants share e-mails, Slack ids, names and, by force, record ids: the n-th id made for one is the n-th made for the
other. Operations of the store's public functions run in random order for both; those of the first run again in a store
of its own. Every answer that the first gets, and everything that it can read, must agree.
"""

import asyncio
import shutil
import uuid
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import pytest
import uuid6
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from sqlalchemy import select, true
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import with_loader_criteria

from store import audit, incidents
from store.audit import events
from store.database import isolation
from store.database.schema import Base, Owned
from store.database.session import Database, TenantSession
from store.errors import StoreError
from store.ids import ApprovalId, ConnectionId, ConversationId, IncidentId, InvestigationId, NoteId, TenantId, UserId
from store.inbox import Arrival, Inbox, deliveries
from store.incidents import approvals, artifacts, conversations, feedback, fences, investigations, model_messages
from store.people import accounts, api_tokens, invitations, users, web_sessions
from store.people.users import Role
from store.secrets.redaction import Secret
from store.tenancy import connections, tenants
from tests.conftest import Clock, StorePlace, open_store
from tests.store.accounts import KEYS

SLACK_IDS = ("U0ADMIN", "U0MEMBER", "U0VIEWER")
EMAILS = ("mia@shared.example", "raj@shared.example")
CHANNELS = ("C0INC", "C0OPS")
SECRET: Final = "hunter2-shared-by-both"
RANDOM: Final = frozenset({"token_hash"})


def fixed(kind: str, number: int) -> Any:
    """An id that both tenants use for a thing of this kind."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, f"{kind}-{number % 2}"))


@dataclass(kw_only=True)
class World:
    """A store, its tenants, and the ids that each is given next."""

    db: Database
    tenants: dict[str, TenantId] = field(default_factory=dict)
    made: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))

    @contextmanager
    def ids_of(self, who: str) -> Iterator[None]:
        """Within it `new_id` answers the next id of `who`: the same for both tenants, in the same order."""

        def following() -> uuid.UUID:
            self.made[who] += 1
            start = 0 if who in ("A", "B") else uuid.uuid5(uuid.NAMESPACE_OID, who).int >> 80
            return uuid.UUID(int=(start << 80) | self.made[who])

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(uuid6, "uuid7", following)
            yield


Operation = Callable[[TenantSession, "Choices"], Awaitable[Any]]


@dataclass(frozen=True, kw_only=True)
class Choices:
    """What an operation is done with: small numbers, and an id that some tenant was given for this kind of thing."""

    a: int
    b: int
    known: str

    @property
    def incident(self) -> IncidentId:
        return IncidentId(fixed("incident", self.a))

    @property
    def investigation(self) -> InvestigationId:
        return InvestigationId(fixed("investigation", self.a))

    @property
    def approval(self) -> ApprovalId:
        return ApprovalId(fixed("approval", self.a))


async def _opens_an_incident(s: TenantSession, c: Choices) -> Any:
    return await incidents.open_incident(
        s,
        id=c.incident,
        title=s.redactor.redact(f"checkout fails with {SECRET}"),
        channel_id=CHANNELS[c.b % 2],
        thread_ts="1.1",
        opened_by=None,
    )


async def _investigates(s: TenantSession, c: Choices) -> Any:
    thread = await conversations.conversation(s, channel_id=CHANNELS[c.b % 2], thread_ts="1.1")
    return await investigations.create_investigation(
        s,
        id=c.investigation,
        incident_id=IncidentId(fixed("incident", c.b)),
        conversation_id=thread.id if thread else ConversationId(c.known),
        question=s.redactor.redact(f"why {SECRET}?"),
        requested_by=None,
    )


async def _saves_an_artifact(s: TenantSession, c: Choices) -> Any:
    return await artifacts.save_artifact(
        s,
        investigation_id=c.investigation,
        tool_use_id=f"toolu_{c.b}",
        tool="read_logs",
        arguments={"pattern": SECRET},
        text=s.redactor.redact(f"found {c.b} {SECRET}"),
        source="logs",
    )


async def _proposes(s: TenantSession, c: Choices) -> Any:
    return await approvals.propose(
        s,
        id=c.approval,
        incident_id=IncidentId(fixed("incident", c.b)),
        investigation_id=None,
        remediation="restart_service",
        plan={"number": c.b},
        target="checkout",
        target_version=None,
        risk="medium",
        expires_at=s.now() + timedelta(hours=1),
        preview_read_at=s.now(),
    )


async def _decides(s: TenantSession, c: Choices) -> Any:
    plan = approvals.plan_hash({"number": c.b})
    by = UserId(c.known)
    return await approvals.decide(s, c.approval, plan_hash=plan, decision="approved", by=by, approved_until=s.now())


async def _connects(s: TenantSession, c: Choices) -> Any:
    secret = {"token": Secret(SECRET if c.a % 2 else f"another-secret-{c.b}")}
    return await connections.save_connection(s, connector="git", config={"n": c.b}, credentials=secret)


async def _invites(s: TenantSession, c: Choices) -> Any:
    _, made = await invitations.invite(s, KEYS, email=EMAILS[c.a % 2], role=Role.MEMBER, invited_by=None)
    return made


async def _accepts(s: TenantSession, c: Choices) -> Any:
    name = {"first_name": "Mia", "last_name": "Jones"}
    return await invitations.accept(s, KEYS, c.known, **name, password_hash=Secret(f"$2b$04$hash{c.a}"))


async def _signs_in(s: TenantSession, c: Choices) -> Any:
    started = await web_sessions.start_session(s, UserId(c.known), ip="127.0.0.1", user_agent="x")
    return started and started[1]


async def _makes_a_token(s: TenantSession, c: Choices) -> Any:
    _, made = await api_tokens.create_token(s, UserId(c.known), name="ci", scopes=("read",), lifetime=timedelta(days=1))
    return made


async def _records(s: TenantSession, c: Choices) -> Any:
    return await audit.record(s, actor=audit.SYSTEM, action="agent.tool.called", target=f"t{c.a}", details={"n": c.b})


async def _emits(s: TenantSession, c: Choices) -> Any:
    made = await events.emit(s, "ai.autoheal.remediation.started.v1", f"x{c.a}", {"n": c.b})
    return made.get_attributes(), made.get_data()


async def _chats(s: TenantSession, c: Choices) -> Any:
    text = s.redactor.redact(f"{c.b} {SECRET}")
    whose = ConversationId(c.known)
    return await conversations.record_chat(s, whose, slack_ts=f"{c.a}", slack_user_id="U1", text=text, kind="mention")


async def _notes(s: TenantSession, c: Choices) -> Any:
    note = NoteId(fixed("note", c.b))
    return await investigations.add_note(s, c.investigation, note_id=note, text=s.redactor.redact(SECRET), by=None)


async def _likes(s: TenantSession, c: Choices) -> Any:
    return await feedback.record_feedback(
        s, investigation_id=c.investigation, by=UserId(c.known), positive=bool(c.b % 2), at=s.now()
    )


async def _installs(s: TenantSession, c: Choices) -> Any:
    """A workspace is connected to one tenant only, so these are the one thing that the two do not share."""
    return await tenants.save_install(
        s,
        tenants.SlackInstall(
            enterprise_id=None,
            team_id=f"T{s.tenant_id[:8]}",
            is_enterprise_install=False,
            app_id="A1",
            bot_user_id=f"UBOT{c.a}",
            bot_token=Secret(f"xoxb-shared-{c.b}"),
            installer_slack_id="U0ADMIN",
            scopes=(),
            installed_at=s.now(),
        ),
    )


OPERATIONS: dict[str, tuple[str, Operation]] = {
    "meets somebody": ("user", lambda s, c: users.ensure_user(s, slack_user_id=SLACK_IDS[c.a % 3], role=Role.MEMBER)),
    "grants a role": ("user", lambda s, c: users.set_role(s, UserId(c.known), Role(("admin", "viewer")[c.a % 2]))),
    "removes somebody": ("user", lambda s, c: users.remove_user(s, UserId(c.known))),
    "changes settings": ("", lambda s, c: tenants.update_settings(s, daily_usd_cap=float(c.a), triage_channels=["C1"])),
    "installs": ("", _installs),
    "starts a thread": (
        "conversation",
        lambda s, c: conversations.conversation(s, channel_id=CHANNELS[c.a % 2], thread_ts="1.1"),
    ),
    "chats": ("conversation", _chats),
    "opens an incident": ("", _opens_an_incident),
    "names the service": ("", lambda s, c: incidents.set_service(s, c.incident, "checkout")),
    "resolves": ("", lambda s, c: incidents.resolve_incident(s, c.incident)),
    "investigates": ("conversation", _investigates),
    "goes on": ("", lambda s, c: investigations.set_status(s, c.investigation, "running")),
    "spends": ("", lambda s, c: investigations.add_usage(s, c.investigation, input_tokens=c.b, cost_usd=float(c.b))),
    "concludes": ("", lambda s, c: investigations.save_verdict(s, c.investigation, {"n": c.b, "cause": SECRET})),
    "stops": ("user", lambda s, c: investigations.request_stop(s, c.investigation, UserId(c.known))),
    "notes": ("", _notes),
    "takes notes": ("", lambda s, c: investigations.take_notes(s, c.investigation, turn=c.b)),
    "remembers": (
        "",
        lambda s, c: model_messages.append_message(s, c.investigation, seq=c.b, role="user", content=SECRET),
    ),
    "finds": ("artifact", _saves_an_artifact),
    "likes": ("user", _likes),
    "proposes": ("", _proposes),
    "decides": ("user", _decides),
    "applies": (
        "",
        lambda s, c: approvals.advance(
            s, c.approval, to=approvals.ApprovalState.APPLIED, expect=[approvals.ApprovalState.APPROVED]
        ),
    ),
    "enters a fence": ("", lambda s, c: fences.enter(s, key=f"k{c.a}", effect="restart")),
    "leaves a fence": ("", lambda s, c: fences.finish(s, f"k{c.a}", "done")),
    "claims a delivery": ("", lambda s, c: deliveries.claim(s, f"k{c.a}", CHANNELS[c.b % 2])),
    "delivers": ("", lambda s, c: deliveries.complete(s, f"k{c.a}", ts="1.2", body_hash="x")),
    "connects": ("connection", _connects),
    "disconnects": ("connection", lambda s, c: connections.disconnect(s, ConnectionId(c.known))),
    "records": ("", _records),
    "emits": ("", _emits),
    "invites": ("invitation", _invites),
    "takes an invitation back": ("invitation", lambda s, c: invitations.revoke_invitation(s, c.known)),
    "accepts": ("invitation", _accepts),
    "signs in": ("user", _signs_in),
    "signs out": ("user", lambda s, c: web_sessions.end_sessions(s, UserId(c.known))),
    "makes a token": ("user", _makes_a_token),
    "deletes an account": ("user", lambda s, c: accounts.delete_account(s, UserId(c.known))),
}


async def answered(world: World, who: str, operation: Operation, choices: Choices) -> Any:
    """The answer, or the kind of the error."""
    with world.ids_of(who):
        try:
            async with world.db.tenant(world.tenants[who]) as s:
                return await operation(s, choices)
        except (StoreError, DBAPIError, ValueError) as exc:
            return type(exc).__name__


async def received(world: World, who: str, number: int) -> Any:
    """From outside: it opens its own session."""
    arrival = Arrival(source="slack", external_id=f"Ev{number}", kind="mention", payload={"text": SECRET})
    with world.ids_of(who):
        return await Inbox(world.db).record(world.tenants[who], arrival)


async def observed(world: World, who: str) -> dict[str, Any]:
    """All that a tenant can see: every column of every table that is not ciphertext, and what opens."""
    seen: dict[str, Any] = {}
    async with world.db.tenant(world.tenants[who], readonly=True) as s:
        for mapper in Base.registry.mappers:
            if issubclass(mapper.class_, Owned):
                rows = await s.all(select(mapper.class_).order_by(mapper.class_.id))
                seen[mapper.class_.__name__] = [_plain(row, mapper.column_attrs.keys()) for row in rows]
        seen["settings"] = await tenants.settings(s)
        seen["install"] = getattr(await tenants.load_install(s), "bot_user_id", None)
        seen["redacted"] = s.redactor.redact(f"{SECRET} another-secret-1 xoxb-shared-1")
        for number in range(2):
            incident = fixed("incident", number)
            seen[f"incident {number}"] = await incidents.incident(s, incident)
            seen[f"approvals {number}"] = await approvals.approvals_of_incident(s, incident)
            run = fixed("investigation", number)
            seen[f"investigation {number}"] = await investigations.investigation(s, run)
            seen[f"artifacts {number}"] = await artifacts.artifacts(s, run)
            seen[f"messages {number}"] = await model_messages.messages(s, run)
            seen[f"feedback {number}"] = await feedback.feedback(s, run)
            thread = await conversations.conversation(s, channel_id=CHANNELS[number], thread_ts="1.1", create=False)
            seen[f"chat {number}"] = await conversations.chat(s, thread.id) if thread else None
        seen["credentials"] = [
            {name: value.reveal() for name, value in (await connections.credentials(s, one.id)).items()}
            for one in await connections.connections(s)
        ]
        seen["spent"] = await investigations.spent_today(s)
        seen["trail"] = await audit.trail(s)
        report = await audit.verify(s)
        seen["chain"] = (report.ok, report.length)
        seen["accounts"] = await accounts.accounts(s)
        seen["invitations"] = await invitations.open_invitations(s)
    seen["candidates"] = [
        await accounts.find_candidate(world.db, KEYS, email, tenant_id=world.tenants[who]) for email in EMAILS
    ]
    return seen


def _plain(row: Owned, columns: Any) -> dict[str, Any]:
    values = {name: getattr(row, name) for name in columns if name not in RANDOM}
    return {name: value for name, value in values.items() if not isinstance(value, bytes)}


class Worlds(RuleBasedStateMachine):
    """`with_both` and `alone`: A lives in both, B in the first only."""

    places: Callable[[], tuple[StorePlace, StorePlace]]

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.clock = Clock()
        shared, own = type(self).places()
        self.with_both = World(db=self.run(open_store(shared, self.clock)))
        self.alone = World(db=self.run(open_store(own, self.clock)))
        self.known: defaultdict[str, list[str]] = defaultdict(list)
        mark = str(shared.key_file)
        for world, who in ((self.with_both, "A"), (self.alone, "A"), (self.with_both, "B")):
            with world.ids_of(f"{mark}-{who}"):
                world.tenants[who] = self.run(tenants.create_tenant(world.db, name="Acme"))

    @initialize()
    def people_arrive(self) -> None:
        """Each has people, and work begun, so that most operations have something to do."""
        for who in ("A", "B"):
            for number in (0, 1):
                self.step(who, "meets somebody", number, 0, 0)
            for name in ("starts a thread", "opens an incident", "investigates", "finds", "proposes"):
                self.step(who, name, 0, 0, 0)
            for name in ("invites", "accepts", "invites"):
                self.step(who, name, 0, 0, 0)
        self.look()

    def run(self, work: Any) -> Any:
        return self.runner.run(work)

    @rule(
        who=st.sampled_from("AB"),
        name=st.sampled_from([*sorted(OPERATIONS), "receives", "waits", "looks"]),
        a=st.integers(0, 2),
        b=st.integers(0, 2),
        which=st.integers(0, 5),
    )
    def step(self, who: str, name: str, a: int, b: int, which: int) -> None:
        match name:
            case "waits":
                self.clock.advance(timedelta(hours=6**a))
            case "looks":
                self.look()
            case "receives":
                self.both(who, name, lambda world: received(world, who, a))
            case _:
                kind, operation = OPERATIONS[name]
                pool = self.known[kind] or [fixed("nobody", 0)]
                choices = Choices(a=a, b=b, known=pool[which % len(pool)])
                self.both(who, name, lambda world: answered(world, who, operation, choices), kind=kind)

    def both(self, who: str, name: str, act: Callable[[World], Awaitable[Any]], *, kind: str = "") -> None:
        answer = self.run(act(self.with_both))
        if isinstance(answer, accounts.Account):
            self.known["user"].append(answer.user_id)
        elif isinstance(given := getattr(answer, "id", None), str) and given not in self.known[kind]:
            self.known[kind].append(given)
        if who == "A":
            assert answer == self.run(act(self.alone)), name

    def look(self) -> None:
        assert self.run(observed(self.with_both, "A")) == self.run(observed(self.alone, "A"))

    @invariant()
    def ids_are_made_alike(self) -> None:
        assert self.with_both.made["A"] == self.alone.made["A"]

    def teardown(self) -> None:
        try:
            self.look()
        finally:
            for world in (self.with_both, self.alone):
                self.run(world.db.close())
            self.runner.close()


def machine(template: Path, folder: Path, shared: StorePlace | None = None) -> type[Worlds]:
    """Fresh files for each run; `shared` is where both tenants live, when it is not a file."""
    count = 0

    def fresh() -> StorePlace:
        nonlocal count
        count += 1
        copy = folder / f"{count}"
        shutil.copytree(template, copy)
        url = f"sqlite:///{copy}/store.db"
        return StorePlace(url=url, keyring_url=f"sqlite:///{copy}/keyring.db", key_file=copy / "master.key")

    def places() -> tuple[StorePlace, StorePlace]:
        one = fresh()
        both = one if shared is None else StorePlace(url=shared.url, keyring_url=one.keyring_url, key_file=one.key_file)
        return both, fresh()

    return type("TheseWorlds", (Worlds,), {"places": staticmethod(places)})


def some(examples: int, steps: int, **more: Any) -> settings:
    return settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        database=None,
        **more,
    )


def test_a_tenant_observes_a_world_without_the_other(migrated_sqlite: Path, tmp_path: Path) -> None:
    run_state_machine_as_test(machine(migrated_sqlite, tmp_path), settings=some(4, 40))


def test_the_database_of_several_hosts_shows_the_same(
    migrated_sqlite: Path, tmp_path: Path, postgres_place: StorePlace
) -> None:
    run_state_machine_as_test(machine(migrated_sqlite, tmp_path, postgres_place), settings=some(2, 40))


@pytest.mark.slow
def test_a_tenant_observes_a_world_without_the_other_for_long(migrated_sqlite: Path, tmp_path: Path) -> None:
    run_state_machine_as_test(machine(migrated_sqlite, tmp_path), settings=some(40, 60))


@pytest.mark.slow
def test_the_database_of_several_hosts_shows_the_same_for_long(
    migrated_sqlite: Path, tmp_path: Path, postgres_place: StorePlace
) -> None:
    run_state_machine_as_test(machine(migrated_sqlite, tmp_path, postgres_place), settings=some(40, 60))


def test_the_oracle_notices_that_the_sessions_filter_is_gone(
    migrated_sqlite: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        isolation, "with_loader_criteria", lambda *_, **__: with_loader_criteria(Owned, lambda _: true())
    )
    with pytest.raises(AssertionError):
        run_state_machine_as_test(machine(migrated_sqlite, tmp_path), settings=some(1, 1, phases=[Phase.generate]))
