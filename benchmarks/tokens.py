"""What a run costs: tokens, the share read from the cache and dollars, for runs of 4, 8 and 15 turns.

    python benchmarks/tokens.py [--model claude-sonnet-5-5] [--characters 4000]

The real client asks the strict stand-in of the Messages API with the product's own system prompt and tools, and results
of a given length; every number is counted on the requests as they were sent. A token is taken to be four characters of
JSON: an estimate. Prices are those of `agents/models/prices.py`, of the date printed. The second run of each
length comes within the cache's five minutes, as a second incident or a follow-up does.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

sys.path[0] = str(Path(__file__).resolve().parents[1])
sys.path.insert(1, str(Path(__file__).resolve().parents[1] / "tests"))

import httpx2
from fakes.messages_api import Answer, MessagesApi, answer, call, say, think

from agents.connecting.toolbox import Toolbox
from agents.investigation.calls import conclude_schema
from agents.investigation.investigation_tools import InvestigationTools
from agents.investigation.loop import system_prompt
from agents.models.claude_model import DEFAULT_MODEL, ClaudeModel, make_client
from agents.models.model import TurnRequest, Usage
from agents.models.prices import AS_OF, cost_usd
from agents.processes.evidence_pool import EvidencePool

LENGTHS = (4, 8, 15)
CALLS = 2  # a turn, as the played runs had it


def script(body: dict[str, Any]) -> Answer:
    turn = sum(message["role"] == "assistant" for message in body["messages"])
    reads = [call("log_patterns", {"minutes": 5 + turn, "service": f"s{n}"}) for n in range(CALLS)]
    return answer(think("The next read tells one from the other. " * 8), say("Reading on."), *reads)


def tools() -> list[dict[str, Any]]:
    async def nothing() -> list[Any]:
        return []

    pool = EvidencePool()
    own = InvestigationTools(toolbox=Toolbox(), pool=pool, now=lambda: datetime.now(UTC), stored=nothing)
    found = [*(tool.schema() for tool in own.tools()), conclude_schema()]
    pool.close()
    return found


async def run(model: ClaudeModel, turns: int, question: str, result: str) -> list[Usage]:
    messages: list[dict[str, Any]] = [{"role": "user", "content": [say(question)]}]
    used = []
    for _ in range(turns):
        turn = await model.ask(TurnRequest(system=system_prompt(), tools=tools(), messages=messages))
        used.append(turn.usage)
        uses = [block for block in turn.content if block["type"] == "tool_use"]
        results = [{"type": "tool_result", "tool_use_id": use["id"], "content": result} for use in uses]
        messages = [*messages, {"role": "assistant", "content": turn.content}, {"role": "user", "content": results}]
    return used


async def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--model", default=DEFAULT_MODEL)
    asked.add_argument("--characters", type=int, default=4_000, help="length of one result")
    told = asked.parse_args()
    print(f"{told.model}, prices of {AS_OF}, estimate of 4 characters a token, {told.characters} characters a result")
    print("turns  run     input   cached share  output   dollars")
    result = ("checkout,error ratio,0.2%->50%,new,z=30.0,02:40:30\n" * 400)[: told.characters]
    for turns in LENGTHS:
        api = MessagesApi(script)
        wire = httpx2.AsyncClient(transport=httpx2.ASGITransport(app=api))
        client = make_client(api_key="sk-test", check_egress=lambda _: None, http_client=wire)
        async with client:
            model = ClaudeModel(client, model=told.model)
            for name, question in (("first", "checkout fails"), ("second", "search is slow")):
                used = await run(model, turns, question, result)
                total, read = sum(u.total_input for u in used), sum(u.cache_read for u in used)
                dollars = sum(cost_usd(told.model, u) for u in used)
                output = sum(u.output for u in used)
                print(f"{turns:>5}  {name:<6} {total:>7}  {read / total:>12.2f}  {output:>6}  {dollars:>8.4f}")


if __name__ == "__main__":
    asyncio.run(main())
