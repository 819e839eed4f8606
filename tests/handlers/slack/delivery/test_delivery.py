"""Delivery against a strict Slack: once, whatever breaks in between."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import aiohttp
import pytest
from aiohttp import web
from slack_sdk.web.async_client import AsyncWebClient

from bot.demo.workspace import Workspace
from bot.demo.workspace.model import StoredMessage
from handlers.slack.blocks.message import Message, actions, button, said
from handlers.slack.blocks.plan import HypothesisLine, PlanView, Task
from handlers.slack.delivery import Delivery, marker
from handlers.slack.delivery.pace import Bucket
from handlers.slack.delivery.streams import Streams, Where
from store.database.session import Database
from store.errors import NotFound
from store.ids import TenantId
from store.inbox import deliveries
from tests.bot.demo.workspace.support import MANIFEST


@dataclass
class Time:
    """Seconds that pass only when somebody sleeps."""

    now: float = 1_000.0
    naps: list[float] = field(default_factory=list)

    def clock(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.naps.append(seconds)
        self.now += seconds
        await asyncio.sleep(0)


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
async def slack() -> AsyncIterator[Workspace]:
    workspace = Workspace(MANIFEST)
    await workspace.start()
    yield workspace
    await workspace.stop()


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as opened:
        yield opened


@pytest.fixture
def tenant(two_tenants: tuple[TenantId, TenantId]) -> TenantId:
    return two_tenants[0]


def a_delivery(slack: Workspace, session: aiohttp.ClientSession, db: Database, time: Time) -> Delivery:
    async def client_for(_tenant: TenantId) -> AsyncWebClient:
        return AsyncWebClient(token=slack.bot_token, base_url=slack.api_url, session=session)

    return Delivery(client_for, db, clock=time.clock, sleep=time.sleep, session=lambda: session)


@pytest.fixture
def delivery(slack: Workspace, session: aiohttp.ClientSession, sqlite_database: Database, time: Time) -> Delivery:
    return a_delivery(slack, session, sqlite_database, time)


@pytest.fixture
async def root(slack: Workspace) -> str:
    return await slack.post("mia", "incidents", "checkout is slow")


@dataclass(frozen=True, kw_only=True)
class Bench:
    """All of the above, for the longer stories."""

    slack: Workspace
    session: aiohttp.ClientSession
    db: Database
    time: Time
    tenant: TenantId
    root: str

    def restarted(self) -> Delivery:
        """Delivery as a new process has it."""
        return a_delivery(self.slack, self.session, self.db, self.time)

    def own(self) -> list[StoredMessage]:
        return [one for one in self.slack.messages("incidents", self.root) if one.bot_id]


@pytest.fixture
def bench(request: pytest.FixtureRequest) -> Bench:
    names = {"slack": "slack", "session": "session", "db": "sqlite_database"}
    names |= {name: name for name in ("time", "tenant", "root")}
    return Bench(**{name: request.getfixturevalue(fixture) for name, fixture in names.items()})


HELLO = said("hello")


def own(slack: Workspace, root: str) -> list[str]:
    return [one.text for one in slack.messages("incidents", root) if one.bot_id]


async def test_a_key_is_said_once(delivery: Delivery, slack: Workspace, tenant: TenantId, root: str) -> None:
    first = await delivery.post(tenant, key="k", channel="C0INCIDENTS", thread_ts=root, message=HELLO)
    again = await delivery.post(tenant, key="k", channel="C0INCIDENTS", thread_ts=root, message=said("other"))
    assert first == again
    assert own(slack, root) == ["hello"]
    [call] = slack.calls("chat.postMessage")
    assert (call.args["unfurl_links"], call.args["unfurl_media"]) == (False, False)


async def test_parallel_sends_of_a_key_say_it_once(
    delivery: Delivery, slack: Workspace, tenant: TenantId, root: str
) -> None:
    sent = [delivery.post(tenant, key="k", channel="C0INCIDENTS", thread_ts=root, message=HELLO) for _ in range(5)]
    assert len(set(await asyncio.gather(*sent))) == 1
    assert own(slack, root) == ["hello"]


async def test_the_same_key_of_another_tenant_is_another_message(
    delivery: Delivery, slack: Workspace, two_tenants: tuple[TenantId, TenantId], root: str
) -> None:
    for each in two_tenants:
        await delivery.post(each, key="k", channel="C0INCIDENTS", thread_ts=root, message=HELLO)
    assert own(slack, root) == ["hello", "hello"]


async def test_a_lost_answer_is_looked_for_and_not_sent_twice(
    delivery: Delivery, slack: Workspace, tenant: TenantId, root: str
) -> None:
    slack.faults.lose_response("chat.postMessage")
    ts = await delivery.post(tenant, key="k", channel="C0INCIDENTS", thread_ts=root, message=HELLO)
    assert ts is not None
    assert own(slack, root) == ["hello"]


async def test_after_a_crash_between_send_and_complete_it_is_found_again(bench: Bench) -> None:
    async with bench.db.tenant(bench.tenant) as s:
        await deliveries.claim(s, "k", "C0INCIDENTS")
    client = AsyncWebClient(token=bench.slack.bot_token, base_url=bench.slack.api_url, session=bench.session)
    for key in ("other", "k"):
        metadata = {"event_type": "autoheal_delivery", "event_payload": {"marker": marker(key)}}
        await client.chat_postMessage(channel="C0INCIDENTS", thread_ts=bench.root, text=key, metadata=metadata)
    later = bench.restarted()
    ts = await later.post(bench.tenant, key="k", channel="C0INCIDENTS", thread_ts=bench.root, message=HELLO)
    assert [one.text for one in bench.own()] == ["other", "k"]
    assert ts == bench.own()[-1].ts


async def test_a_claim_whose_message_never_went_out_is_sent(
    delivery: Delivery, slack: Workspace, sqlite_database: Database, tenant: TenantId, root: str
) -> None:
    async with sqlite_database.tenant(tenant) as s:
        await deliveries.claim(s, "k", "C0INCIDENTS")
    await delivery.post(tenant, key="k", channel="C0INCIDENTS", thread_ts=root, message=HELLO)
    assert own(slack, root) == ["hello"]


async def test_somebody_elses_message_is_never_taken_for_ours(
    delivery: Delivery, slack: Workspace, sqlite_database: Database, tenant: TenantId, root: str
) -> None:
    async with sqlite_database.tenant(tenant) as s:
        await deliveries.claim(s, "k", "C0INCIDENTS")
    forged = {"type": "section", "block_id": marker("k"), "text": {"type": "plain_text", "text": "x"}}
    await slack.post("pagerbot", "incidents", "x", root, blocks=[forged])
    await delivery.post(tenant, key="k", channel="C0INCIDENTS", thread_ts=root, message=HELLO)
    assert own(slack, root)[-1] == "hello"


async def test_an_edit_that_changes_nothing_is_not_sent(
    delivery: Delivery, slack: Workspace, tenant: TenantId, root: str
) -> None:
    await delivery.post(tenant, key="k", channel="C0INCIDENTS", thread_ts=root, message=HELLO)
    assert await delivery.update(tenant, "k", HELLO)
    assert slack.calls("chat.update") == []
    assert await delivery.update(tenant, "k", said("changed"))
    assert await delivery.update(tenant, "k", said("changed"))
    assert len(slack.calls("chat.update")) == 1
    assert own(slack, root) == ["changed"]
    assert not await delivery.update(tenant, "never", HELLO)


async def test_rate_limits_are_waited_out(
    delivery: Delivery, slack: Workspace, tenant: TenantId, root: str, time: Time
) -> None:
    slack.faults.rate_limit("chat.postMessage", times=2, retry_after=7)
    assert await delivery.post(tenant, key="k", channel="C0INCIDENTS", thread_ts=root, message=HELLO)
    assert time.naps.count(7.0) == 2
    assert own(slack, root) == ["hello"]


async def test_a_slack_that_stays_down_ends_in_none_and_the_next_call_sends_it(
    delivery: Delivery, slack: Workspace, tenant: TenantId, root: str
) -> None:
    slack.faults.fail("chat.postMessage", "internal_error", times=5)
    assert await delivery.post(tenant, key="k", channel="C0INCIDENTS", thread_ts=root, message=HELLO) is None
    assert await delivery.post(tenant, key="k", channel="C0INCIDENTS", thread_ts=root, message=HELLO) is not None
    assert own(slack, root) == ["hello"]


@pytest.mark.parametrize("code", ["channel_not_found", "not_in_channel", "is_archived", "token_revoked"])
async def test_what_cannot_be_mended_is_logged_and_not_raised(
    bench: Bench, code: str, caplog: pytest.LogCaptureFixture
) -> None:
    bench.slack.faults.fail("chat.postMessage", code)
    sent = bench.restarted().post(bench.tenant, key="k", channel="C0INCIDENTS", thread_ts=bench.root, message=HELLO)
    assert await sent is None
    assert f"reason={code}" in caplog.text
    assert "reference=" in caplog.text


async def test_a_tenant_without_a_working_install_is_no_crash(
    sqlite_database: Database, tenant: TenantId, time: Time
) -> None:
    async def nobody(_tenant: TenantId) -> AsyncWebClient:
        raise NotFound("no install")

    delivery = Delivery(nobody, sqlite_database, clock=time.clock, sleep=time.sleep)
    assert await delivery.post(tenant, key="k", channel="C1", thread_ts=None, message=HELLO) is None


async def test_refused_blocks_lose_no_words(delivery: Delivery, slack: Workspace, tenant: TenantId, root: str) -> None:
    broken = Message(text="push", blocks=({"type": "section", "text": {"type": "mrkdwn", "text": "x" * 3_500}},))
    assert await delivery.post(tenant, key="k", channel="C0INCIDENTS", thread_ts=root, message=broken)
    [text] = own(slack, root)
    assert text == f"push\n{'x' * 3_500}"


CHART = {
    "type": "data_visualization",
    "title": "errors, %",
    "chart": {
        "type": "line",
        "series": [{"name": "checkout", "data": [{"label": "1", "value": 0.3}, {"label": "2", "value": 9}]}],
        "axis_config": {"categories": ["1", "2"]},
    },
}


async def test_a_chart_that_slack_refuses_costs_its_words_nothing_and_the_message_no_button(
    delivery: Delivery, slack: Workspace, tenant: TenantId, root: str
) -> None:
    """Slack gives the block to one workspace after the other. That it is not there yet is learned once."""
    whole = Message(text="push", blocks=(CHART, *actions(button("details", "Details", "v1"))))
    slack.faults.fail("chat.postMessage", "invalid_blocks")
    for key in ("k1", "k2"):
        await delivery.post(tenant, key=key, channel="C0INCIDENTS", thread_ts=root, message=whole)
    for told in [one for one in slack.messages("incidents", root) if one.bot_id]:
        assert [block["type"] for block in told.blocks] == ["context", "actions"]
        assert told.blocks[0]["elements"][0]["text"] == "errors, %: checkout 0.3 -&gt; 9"
    assert len(slack.calls("chat.postMessage")) == 3


async def test_what_is_wrong_with_one_message_is_not_learned_of_the_workspace(
    delivery: Delivery, slack: Workspace, tenant: TenantId, root: str
) -> None:
    slack.faults.fail("chat.postMessage", "invalid_blocks", times=2)
    whole = Message(text="push", blocks=(CHART,))
    for key in ("k1", "k2"):
        await delivery.post(tenant, key=key, channel="C0INCIDENTS", thread_ts=root, message=whole)
    assert slack.messages("incidents", root)[-1].blocks[0]["type"] == "data_visualization"


async def test_a_message_too_long_for_one_is_told_in_several(
    delivery: Delivery, slack: Workspace, tenant: TenantId, root: str
) -> None:
    blocks = tuple({"type": "section", "text": {"type": "plain_text", "text": f"line {n}"}} for n in range(70))
    many = Message(text="many", blocks=blocks)
    await delivery.post(tenant, key="k", channel="C0INCIDENTS", thread_ts=root, message=many)
    await delivery.post(tenant, key="k", channel="C0INCIDENTS", thread_ts=root, message=many)
    assert own(slack, root) == ["many", "(2/2) many"]
    assert sum(len(one.blocks) for one in slack.messages("incidents", root)) == 70


async def test_one_channel_hears_about_one_message_a_second(
    delivery: Delivery, tenant: TenantId, root: str, time: Time
) -> None:
    for n in range(7):
        await delivery.post(tenant, key=f"k{n}", channel="C0INCIDENTS", thread_ts=root, message=HELLO)
    assert 2.9 <= time.now - 1_000.0 <= 3.1


async def test_a_bucket_serves_in_order_and_never_sleeps_a_negative_time(time: Time) -> None:
    bucket = Bucket(rate=2.0, burst=1.0, clock=time.clock, sleep=time.sleep)
    served: list[int] = []

    async def one(n: int) -> None:
        await bucket.take()
        served.append(n)

    await asyncio.gather(*(one(n) for n in range(4)))
    assert served == [0, 1, 2, 3]
    assert all(nap > 0 for nap in time.naps)


async def test_only_one_person_sees_an_ephemeral(
    delivery: Delivery, slack: Workspace, tenant: TenantId, root: str
) -> None:
    assert await delivery.ephemeral(tenant, channel="C0INCIDENTS", user="U0MIA", thread_ts=root, message=HELLO)
    assert slack.messages("incidents", root)[-1].ephemeral_for == "U0MIA"
    assert not await delivery.ephemeral(tenant, channel="C0GENERAL", user="U0MIA", thread_ts=None, message=HELLO)


@pytest.mark.parametrize(("answers", "told"), [((200,), True), ((500, 429, 200), True), ((404,), False)])
async def test_a_response_address_is_tried_again_only_where_that_can_help(
    delivery: Delivery, answers: tuple[int, ...], *, told: bool
) -> None:
    waiting, heard = list(answers), []

    async def answer(request: web.Request) -> web.Response:
        heard.append(await request.json())
        return web.Response(status=waiting.pop(0), text="ok")

    app = web.Application()
    app.router.add_post("/r", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        assert await delivery.respond(f"http://127.0.0.1:{runner.addresses[0][1]}/r", HELLO) is told
    finally:
        await runner.cleanup()
    assert waiting == []
    assert heard[0]["response_type"] == "ephemeral"
    assert heard[0]["text"] == "hello"


# Streams

QUESTION = Task(id="t1", title="Rank causes", status="in_progress")
DONE = Task(id="t1", title="Rank causes", status="complete", output="checkout first")


@pytest.fixture
def streams(delivery: Delivery) -> Streams:
    return Streams(delivery)


@dataclass(frozen=True, kw_only=True)
class Talk:
    """A thread in a channel or in mia's direct message with the app, for one key."""

    slack: Workspace
    tenant: TenantId
    channel: str
    root: str

    def where(self, key: str = "plan:1", recipient: str | None = "U0MIA") -> Where:
        return Where(tenant=self.tenant, key=key, channel=self.channel, thread_ts=self.root, recipient=recipient)

    def own(self) -> list[StoredMessage]:
        return [one for one in self.slack.messages(self.channel, self.root) if one.bot_id]


@pytest.fixture
async def channel(slack: Workspace, tenant: TenantId, root: str) -> Talk:
    return Talk(slack=slack, tenant=tenant, channel="C0INCIDENTS", root=root)


@pytest.fixture
async def direct(slack: Workspace, tenant: TenantId) -> Talk:
    root = await slack.post("mia", "dm", "checkout is slow")
    return Talk(slack=slack, tenant=tenant, channel=slack.channels["dm:mia"].id, root=root)


@pytest.fixture
def talks(channel: Talk, direct: Talk) -> dict[str, Talk]:
    return {"channel": channel, "direct": direct}


def view(*tasks: Task, key: str = "plan:1", title: str = "Investigating") -> PlanView:
    return PlanView(title=title, tasks=tasks, marker=marker(key))


async def test_a_quiet_message_rings_no_phone_and_is_said_once(streams: Streams, channel: Talk) -> None:
    await streams.quiet(channel.where("opening:1"), said("Checking *checkout*."))
    await streams.quiet(channel.where("opening:1"), said("Checking *checkout*."))
    [message] = channel.own()
    assert message.streaming == "stopped"
    assert channel.slack.pushes(channel.channel, channel.root) == 0
    assert "Checking *checkout*." in str(message.all_blocks)


READING = Task(id="t2", title="Read diff", status="in_progress")
READ = Task(id="t2", title="Read diff", status="complete", output="2 files")


@pytest.mark.parametrize("kind", ["channel", "direct"])
async def test_a_plan_grows_in_one_message(streams: Streams, kind: str, talks: dict[str, Talk]) -> None:
    talk = talks[kind]
    at = talk.where()
    await streams.show_plan(at, view(QUESTION))
    await streams.show_plan(at, view(DONE, READING))
    await streams.show_plan(at, view(DONE, READ))
    [message] = talk.own()
    assert [(task["title"], task["status"]) for task in message.tasks] == [
        ("Rank causes", "complete"),
        ("Read diff", "complete"),
    ]
    await streams.finish_plan(at, view(DONE, title="Investigated"))
    assert message.streaming == "stopped"
    assert message.text == "Investigated"
    assert talk.slack.pushes(talk.channel, talk.root) == 0
    assert talk.slack.violations == []


async def test_everybody_in_a_channel_sees_a_plan_grow(streams: Streams, channel: Talk) -> None:
    """A stream would be live for one of them."""
    at = channel.where()
    for shown in (view(QUESTION), view(DONE, READING), view(DONE, READ)):
        await streams.show_plan(at, shown)
        [message] = channel.own()
        assert message.streaming == "stopped"
        assert len(message.tasks) == len(shown.tasks)
    assert channel.slack.calls("chat.appendStream") == []


async def test_a_plan_that_is_at_its_end_when_it_is_first_shown_has_its_text(streams: Streams, channel: Talk) -> None:
    last = view(DONE, title="Investigated")
    await streams.show_plan(channel.where(), last)
    await streams.finish_plan(channel.where(), last)
    [message] = channel.own()
    assert message.text == "Investigated"
    assert len(channel.slack.calls("chat.update")) == 1


async def test_a_plan_that_an_older_version_streams_into_a_channel_goes_on_as_an_edit(
    delivery: Delivery, streams: Streams, channel: Talk, session: aiohttp.ClientSession
) -> None:
    client = AsyncWebClient(token=channel.slack.bot_token, base_url=channel.slack.api_url, session=session)
    answer = await client.chat_startStream(
        channel=channel.channel,
        thread_ts=channel.root,
        recipient_team_id=channel.slack.team_id,
        recipient_user_id="U0MIA",
        task_display_mode="plan",
        chunks=[{"type": "task_update", "id": "t1", "title": "Rank causes", "status": "in_progress"}],
    )
    await delivery.claim(channel.tenant, "plan:1", channel.channel)
    await delivery.complete(channel.tenant, "plan:1", answer["ts"], "streaming")
    await streams.show_plan(channel.where(), view(DONE, READ))
    [message] = channel.own()
    assert message.streaming == "stopped"
    assert [task["status"] for task in message.tasks] == ["complete", "complete"]
    assert channel.slack.violations == []


@pytest.mark.parametrize("how", ["expired by Slack", "four minutes old", "answer lost", "process restarted"])
async def test_one_message_goes_on_when_its_stream_ends(bench: Bench, direct: Talk, how: str) -> None:
    streams = Streams(bench.restarted())
    at = direct.where()
    await streams.show_plan(at, view(QUESTION))
    match how:
        case "expired by Slack":
            bench.slack.faults.expire_streams()
        case "four minutes old":
            bench.time.now += 241
        case "answer lost":
            bench.slack.faults.lose_response("chat.appendStream")
        case _:
            streams = Streams(bench.restarted())
    await streams.show_plan(at, view(DONE))
    await streams.show_plan(at, view(DONE, READ))
    await streams.finish_plan(at, view(DONE, READ, title="Investigated"))
    [message] = direct.own()
    assert [task["title"] for task in message.tasks] == ["Rank causes", "Read diff"]
    assert message.tasks[0]["output"]["elements"][0]["elements"][0]["text"] == "checkout first"
    assert message.streaming != "streaming"


@pytest.mark.parametrize("when", ["while it grows", "at its end"])
@pytest.mark.parametrize(
    "code", ["stopped_by_user", "message_not_in_streaming_state", "message_not_found", "edit_window_closed"]
)
async def test_a_plan_that_slack_took_away_is_whole_in_the_end(
    bench: Bench, direct: Talk, code: str, when: str
) -> None:
    streams, at = Streams(bench.restarted()), direct.where()
    await streams.show_plan(at, view(QUESTION))
    [first] = direct.own()
    match code:
        case "stopped_by_user":
            await bench.slack.stop_session("mia", "dm", direct.root)
        case "message_not_in_streaming_state":
            bench.slack.faults.expire_streams()
        case "message_not_found":
            bench.slack.delete(first.ts)
        case _:
            bench.slack.faults.expire_streams()
            bench.slack.faults.fail("chat.update", code)
    if when == "while it grows":
        await streams.show_plan(at, view(DONE, READING))
    await streams.finish_plan(at, view(DONE, READ, title="Investigated"))
    message = direct.own()[-1]
    assert [task["status"] for task in message.tasks] == ["complete", "complete"]
    assert message.text == "Investigated"
    assert message.streaming != "streaming"
    assert bench.slack.pushes(direct.channel, direct.root) == 0
    if code in ("stopped_by_user", "message_not_in_streaming_state"):
        assert direct.own() == [first]


async def test_a_plan_that_is_deleted_again_and_again_is_not_forced_upon_people(bench: Bench, channel: Talk) -> None:
    streams, at = Streams(bench.restarted()), channel.where()
    for shown in (view(QUESTION), view(DONE), view(DONE, READING), view(DONE, READ)):
        await streams.show_plan(at, shown)
        for message in channel.own():
            bench.slack.delete(message.ts)
    assert len(bench.slack.calls("chat.startStream")) == 2


@pytest.mark.parametrize("kind", ["channel", "direct"])
@pytest.mark.parametrize("key", ["plan:1", "opening:1"])
async def test_a_stream_that_started_before_a_crash_is_found_again(
    bench: Bench, key: str, kind: str, talks: dict[str, Talk]
) -> None:
    talk = talks[kind]
    at = talk.where(key)
    bench.slack.faults.lose_response("chat.startStream")
    bench.slack.faults.fail("conversations.replies", "internal_error", times=5)
    for _ in range(2):
        streams = Streams(bench.restarted())
        if key == "plan:1":
            await streams.show_plan(at, view(DONE, key=key))
        else:
            await streams.quiet(at, HELLO)
    assert len(talk.own()) == 1
    async with bench.db.tenant(bench.tenant, readonly=True) as s:
        row = await deliveries.delivery(s, key)
    assert row is not None
    assert row.state == "sent"


async def test_without_somebody_to_stream_for_it_is_posted(streams: Streams, channel: Talk) -> None:
    at = channel.where(recipient=None)
    await streams.show_plan(at, view(QUESTION))
    await streams.show_plan(at, view(DONE))
    await streams.quiet(channel.where("opening:1", recipient="U0EVE"), HELLO)
    plan, opening = channel.own()
    assert plan.tasks[0]["status"] == "complete"
    assert opening.text == "hello"


async def test_tasks_that_vanish_make_it_an_edit(streams: Streams, direct: Talk) -> None:
    at = direct.where()
    await streams.show_plan(at, view(QUESTION))
    crowd = [Task(id=f"c{n}", title=f"Read {n}", status="complete") for n in range(60)]
    lines = [HypothesisLine(id="H1", text="deploy", state="open")]
    await streams.show_plan(at, PlanView(title="Crowded", tasks=crowd, hypotheses=lines, marker=marker("plan:1")))
    [message] = direct.own()
    assert len(message.tasks) == 50
    assert direct.slack.violations == []
