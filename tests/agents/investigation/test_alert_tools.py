"""Active alerts of a service and its neighbours, from all sources that know alerts."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from fakes.bare_connector import BareConnector

from agents.connecting.active_alerts import ActiveAlert, AlertsRead
from agents.connecting.connector import Connector, Service
from agents.connecting.toolbox import Toolbox
from agents.errors import BadArguments, Unavailable
from agents.investigation.alert_tools import AlertTools, AroundService
from agents.rows import Alerted, Searched, Unread

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
SERVICES = (
    Service(name="web", depends_on=("checkout",)),
    Service(name="checkout", depends_on=("payments",)),
    Service(name="payments"),
    Service(name="mail"),
)


class Pager(BareConnector):
    name = title = "pager"

    def __init__(self, *alerts: ActiveAlert, gaps: tuple[str, ...] = (), why: str = "") -> None:
        self.alerts, self.gaps, self.why = alerts, gaps, why
        self.asked: list[str] = []

    async def read_alerts(self, services: Sequence[str] | None = None) -> AlertsRead:
        self.asked = list(services or ())
        if self.why:
            raise Unavailable(self.why)
        return AlertsRead(alerts=tuple(one for one in self.alerts if one.service in self.asked), gaps=self.gaps)


def an_alert(service: str, name: str = "HighErrors", **more: object) -> ActiveAlert:
    usual = {"key": f"{service}-{name}", "state": "firing", "since": NOW, "labels": {"alertname": name, "pod": "a"}}
    return ActiveAlert(**{**usual, "service": service, "name": name, **more})  # type: ignore[arg-type] # as given


def tools_of(*connectors: Connector) -> AlertTools:
    return AlertTools(Toolbox(connectors=connectors, services=SERVICES))


async def test_those_of_the_service_come_first_then_its_neighbours_with_what_keeps_them_quiet() -> None:
    pager = Pager(
        an_alert("payments", since=NOW - timedelta(hours=1)),
        an_alert("mail"),
        an_alert("checkout", "Slow", state="silenced", silenced_by=("s1",), summary="p99\nis high", link="https://a/1"),
        an_alert("checkout"),
    )
    found = await tools_of(pager).active_alerts(AroundService(service="checkout"))
    assert pager.asked == ["checkout", "payments", "web"]
    searched, *rows = found.rows
    assert isinstance(searched, Searched)
    assert (searched.found, searched.whole) == (3, True)
    alerts = [row for row in rows if isinstance(row, Alerted)]
    assert [(row.service, row.name, row.state) for row in alerts] == [
        ("checkout", "HighErrors", "firing"),
        ("checkout", "Slow", "silenced"),
        ("payments", "HighErrors", "firing"),
    ]
    assert alerts[1].line == (
        'silenced by s1, active since 2026-03-01 12:00:00 UTC: Slow{pod="a"} [checkout-Slow]: p99 is high'
    )
    assert alerts[1].link == "https://a/1"
    assert found.summary == "3 active alerts, 1 of them quiet"
    assert [tool.name for tool in tools_of(pager).tools()] == ["active_alerts"]
    await tools_of(pager).active_alerts(AroundService(service="checkout", neighbours=False))
    assert pager.asked == ["checkout"]


async def test_nothing_active_a_part_and_no_look_at_all_are_three_answers() -> None:
    empty = await tools_of(Pager()).active_alerts(AroundService(service="mail"))
    assert empty.text == "nothing found: no alert of mail is active"
    assert empty.gap is None
    part = await tools_of(Pager(gaps=("2 alerts could not be read",)), Pager(why="is down")).active_alerts(
        AroundService(service="mail")
    )
    assert part.gap == "pager: is down; 2 alerts could not be read"
    assert [row.whole for row in part.rows if isinstance(row, Searched)] == [False]
    assert all(row.part for row in part.rows if isinstance(row, Unread))
    none = await tools_of(Pager(why="is down")).active_alerts(AroundService(service="mail"))
    assert none.summary == "could not look"
    assert not any(isinstance(row, Searched) for row in none.rows)
    assert none.facts["looked"] == [{"source": "pager", "why": "is down"}]


async def test_without_a_source_there_is_no_tool_and_a_stranger_is_refused() -> None:
    assert tools_of().tools() == []
    with pytest.raises(BadArguments, match="not a declared service"):
        await tools_of(Pager()).active_alerts(AroundService(service="nobody"))
