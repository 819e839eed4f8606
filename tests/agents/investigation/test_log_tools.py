"""One search over all places where logs are kept: what each found, newest last, and who could not be asked."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from agents.connecting.connector import Connector, ConnectorConfig, Service
from agents.connecting.log_search import SearchLogs, as_logged, lines_found
from agents.connecting.toolbox import Toolbox
from agents.errors import BadArguments, Unavailable
from agents.evidence.types import LogLine
from agents.investigation.log_tools import LogTools
from agents.rows import Logged, Searched
from agents.tool import ToolOutput

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


class Kept(Connector):
    """Lines by seconds before now."""

    config_model = ConnectorConfig

    def __init__(self, title: str, *ago: int, fails: str = "", of: tuple[str, ...] = ("checkout",)) -> None:
        self.title, self._ago, self._fails, self._of = title, ago, fails, of
        self.asked: list[SearchLogs] = []

    def keeps_log_of(self, service: str) -> bool:
        return service in self._of

    async def search_logs(self, arguments: SearchLogs) -> ToolOutput:
        self.asked.append(arguments)
        if self._fails:
            raise Unavailable(self._fails)
        lines = [
            LogLine(time=NOW - timedelta(seconds=n), service="checkout", level="error", text=f"{self.title} {n}")
            for n in self._ago
        ]
        shown = [as_logged(line) for line in lines]
        return lines_found(arguments.service, arguments.window(NOW), arguments.wanted, shown, [])


def tools(*connectors: Any) -> LogTools:
    return LogTools(Toolbox(connectors=connectors, services=(Service(name="checkout"),)), now=lambda: NOW)


async def test_lines_of_all_places_are_one_answer_in_time_order() -> None:
    files, store = Kept("files", 50, 10), Kept("store", 30, 5)
    found = await tools(files, store).search_logs(SearchLogs(service="checkout", limit=3))
    assert [row.example for row in found.rows if isinstance(row, Logged)] == ["store 30", "files 10", "store 5"]
    assert found.gap == "only the newest 3 of more lines are shown"
    assert files.asked[0].end == store.asked[0].end == NOW, "all are asked about the same time"


async def test_who_could_not_be_asked_is_a_gap_and_all_of_them_an_error() -> None:
    found = await tools(Kept("files", 1), Kept("store", fails="is down")).search_logs(SearchLogs(service="checkout"))
    searched = found.rows[0]
    assert isinstance(searched, Searched)
    assert (searched.found, searched.whole) == (1, False)
    assert "store" in str(found.gap)
    assert "is down" in str(found.gap)
    with pytest.raises(Unavailable, match="gone"):
        await tools(Kept("a", fails="gone"), Kept("b", fails="gone")).search_logs(SearchLogs(service="checkout"))
    with pytest.raises(BadArguments, match="RE2"):
        await tools(Kept("a"), Kept("b")).search_logs(SearchLogs(service="checkout", grep="(?=x)"))


async def test_only_where_the_service_has_a_log_is_it_looked_for() -> None:
    files, store = Kept("files", 1, of=("payments",)), Kept("store", 2)
    await tools(files, store).search_logs(SearchLogs(service="checkout"))
    assert not files.asked
    assert [one.name for one in tools(store).tools()] == ["search_logs"]
    assert tools().tools() == []
