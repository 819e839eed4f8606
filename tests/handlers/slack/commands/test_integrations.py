"""`/autoheal integrations`: what is connected, tested while one waits."""

from datetime import UTC, datetime

from agents.connecting.connecting import ConnectionHealth
from agents.connecting.connector import Check
from handlers.slack.blocks.integrations import health_line
from store.ids import ConnectionId
from store.people.users import Role
from store.tenancy.connections import Connection
from tests.fakes.prometheus import fake_prometheus
from tests.handlers.inbound import Slack, set_person
from tests.handlers.slack.modals.test_connect import TOKEN, connect

AT = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def _health(check: Check | None, **more: object) -> ConnectionHealth:
    stored = Connection(
        id=ConnectionId("c"), connector="prometheus", label="eu", config={}, scopes=(), consented_by=None,
        connected_at=AT, **more,  # type: ignore[arg-type]
    )  # fmt: skip
    return ConnectionHealth(connection=stored, title="Prometheus", check=check, reason="its settings are damaged")


def test_each_state_has_its_own_words() -> None:
    assert health_line(_health(Check(ok=True, detail="3 services seen"))) == "*eu* (Prometheus) works: 3 services seen"
    silent = health_line(_health(Check(ok=True, detail="answers", has_data=False), data_at=AT))
    assert "*silent: nothing new since 1 Mar 12:00 UTC*" in silent
    broken = health_line(_health(Check(ok=False, detail="refused (401)"), worked_at=AT))
    in_the_readers_zone = "<!date^1772366400^{date_short_pretty} at {time}|1 Mar 12:00 UTC>"
    assert broken == f"*eu* (Prometheus) *does not work*, last worked {in_the_readers_zone}: refused (401)"
    assert "*cannot be used*: its settings are damaged" in health_line(_health(None))
    lacking = health_line(_health(Check(ok=False, answers=True, detail="answers", lacks=("no traces of a",))))
    assert "Lacks: no traces of a" in lacking


async def test_what_is_connected_is_shown_with_its_health(slack: Slack) -> None:
    await set_person(slack, "mia", Role.ADMIN)
    async with fake_prometheus(token=TOKEN) as prometheus:
        await connect(slack, prometheus.url)
        await slack.handled(2)
        await slack.workspace.slash("mia", "incidents", "/autoheal integrations")
        await slack.handled(3)
        prometheus.status = 503
        await slack.workspace.slash("mia", "incidents", "/autoheal integrations")
        await slack.handled(4)
    *_, working, failing = slack.private("incidents", "mia")
    assert "*eu* (Prometheus) works: Prometheus 3.1.0" in working
    assert "*eu* (Prometheus) *does not work*, last worked" in failing
    assert "answered 503" in failing
    assert slack.workspace.violations == []
