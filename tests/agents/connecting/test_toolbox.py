"""Of foreign tools a run has so many at most: those that have to do with its question."""

from collections.abc import Callable

from agents.connecting.connector import Connector, ConnectorContext
from agents.connecting.connectors.mcp import McpConnector
from agents.connecting.toolbox import MOST_FOREIGN, Toolbox
from tests.agents.connecting.connectors.conftest import clock, context_of, outbound

ContextOf = Callable[..., ConnectorContext]
__all__ = ["clock", "context_of", "outbound"]


def with_tools(context: ConnectorContext, *names: str) -> Connector:
    pinned = {name: {"fingerprint": "x", "description": f"About {name}.", "arguments": {}} for name in names}
    given = {"url": "https://tools.example.com/mcp", "read": names, "pinned": pinned}
    return McpConnector(McpConnector.config_model.model_validate(given), context)


async def test_the_question_chooses_among_many_foreign_tools(context_of: ContextOf) -> None:
    first = with_tools(context_of("checkout"), *(f"weather_{n}" for n in range(MOST_FOREIGN)))
    second = with_tools(context_of("checkout"), "kafka_lag", "kafka_topics")
    few = Toolbox(connectors=(second,)).connector_tools("why is checkout slow?")
    assert [tool.name for tool in few] == ["kafka_lag", "kafka_topics"]
    chosen = Toolbox(connectors=(first, second)).connector_tools("is the kafka lag growing?")
    assert len(chosen) == MOST_FOREIGN
    assert {"kafka_lag", "kafka_topics"} <= {tool.name for tool in chosen}
    again = Toolbox(connectors=(first, second)).connector_tools("is the kafka lag growing?")
    assert [tool.name for tool in again] == [tool.name for tool in chosen]
