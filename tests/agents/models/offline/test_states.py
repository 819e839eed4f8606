"""The offline investigator over sources that tell their state: reads by capability, concludes with quotes."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from fakes.cluster_text import POD, deployments, nodes, pod_text, pods

from agents.connecting.cluster import ClusterTools, call_of, read_of, tool_name
from agents.connecting.database import DatabaseTools
from agents.evidence.database.types import DatabaseSeries
from agents.evidence.kubernetes.types import Read, What
from agents.gate.draft import check_draft
from agents.gate.evidence import Evidence
from agents.models.model import Briefing, TurnRequest
from agents.models.offline import OfflineModel
from agents.tool import NoArguments, Tool, ToolOutput, tool, tools_of
from agents.verdict import Draft

CONCLUDE = {"name": "conclude", "description": "", "input_schema": Draft.model_json_schema()}
NOW = datetime(2026, 1, 1, tzinfo=UTC)
PULL = "Warning  Failed  9s (x3 over 60s)  kubelet  Failed to pull image: dial tcp: lookup images.example: no such host"
LISTED = {
    "deployments": deployments(("oven", "0/1", "1"), ("till", "1/1", "1")).text,
    "pods": pods((POD, "0/1", "ErrImagePull", "0", "2m")).text,
    "nodes": nodes(("control", "Ready,SchedulingDisabled"), ("node-a", "Ready")).text,
}


class Bakery:
    """A cluster of canned outputs that remembers what it was asked."""

    def __init__(self, listed: Mapping[str, str] = LISTED, event: str = PULL) -> None:
        self.asked: list[Read] = []
        self._listed = listed
        self._event = event

    async def read(self, read: Read) -> str:
        self.asked.append(read)
        if read.what is What.LIST:
            return self._listed.get(read.kind, "No resources found in bakery namespace.")
        return pod_text(events=[self._event]) if read.what is What.DESCRIBE else "nothing"


class Ledger:
    """A database that runs out of storage."""

    instance = "ledger"

    async def read_metrics(self) -> Sequence[DatabaseSeries]:
        points = (("02:00", 15e9), ("02:05", 0.3e9))
        return [DatabaseSeries(name="FreeStorageSpace", unit="Bytes", instance="ledger", points=points)]

    async def read_events(self) -> Sequence[str]:
        return ["02:06:12 DB instance ran out of storage space."]


async def investigate(
    tools: list[Tool],
    services: Sequence[str] | Mapping[str, tuple[str, ...]],
    missing: str = "metrics, logs, changes, traces",
    question: str = "What is wrong?",
) -> tuple[Draft, list[Evidence]]:
    """Turn by turn as the loop does it, up to the draft that is handed in."""
    opening = "Question from the thread:\nWhat is wrong?\n\nDeclared services:\n" + "\n".join(
        f"- {s} (x)" for s in services
    )
    opening += f"\n\nConnected: the source. Not connected: {missing}."
    messages: list[dict[str, Any]] = [{"role": "user", "content": [{"type": "text", "text": opening}]}]
    evidence: list[Evidence] = []
    reads: dict[str, Evidence] = {}
    by_name = {tool.name: tool for tool in tools}
    for _ in range(10):
        told = Briefing(
            question=question,
            services=dict(services) if isinstance(services, Mapping) else dict.fromkeys(services, ()),
            connected=("the source",),
            missing=tuple(missing.split(", ")),
            reads=reads,
        )
        schemas = [*(t.schema() for t in tools), CONCLUDE]
        request = TurnRequest(system="", tools=schemas, messages=messages, briefing=told)
        answer = await OfflineModel().ask(request)
        messages.append({"role": "assistant", "content": answer.content})
        results = []
        for call in (block for block in answer.content if block["type"] == "tool_use"):
            if call["name"] == "conclude":
                return Draft.model_validate(call["input"]), evidence
            tool = by_name[call["name"]]
            output = await tool.run(tool.parse(call["input"]))
            number = f"A{len(evidence) + 1}"
            found = Evidence(
                id=number,
                tool=tool.name,
                source="x",
                text=output.text,
                facts={},
                taken_at=NOW,
                rows=output.rows,
                arguments=call["input"],
            )
            evidence.append(found)
            reads[call["id"]] = found
            head = f"[{number}] {tool.name}, x, 02:00:00 UTC\n"
            results.append({"type": "tool_result", "tool_use_id": call["id"], "content": head + output.text})
        messages.append({"role": "user", "content": results})
    raise AssertionError("no conclusion")


async def test_a_cluster_is_read_until_the_cause_is_sure_and_the_gate_passes_it() -> None:
    bakery = Bakery()
    draft, evidence = await investigate(tools_of(ClusterTools(bakery), source="x"), ["oven", "till"])
    checked = check_draft(draft, evidence, ["oven", "till"])
    assert checked.problems == ()
    assert checked.cause is not None
    assert (checked.cause.service, checked.cause.kind) == ("oven", "image registry dns failure")
    assert checked.confidence == "high"
    assert any("no such host" in str(claim.quote) for claim in checked.claims)
    assert len(bakery.asked) < 10


async def test_where_nobody_declared_who_calls_whom_a_named_service_hides_no_other() -> None:
    tools = tools_of(ClusterTools(Bakery()), source="x")
    draft, _ = await investigate(tools, ["oven", "till"], question="Why does the till fail?")
    assert draft.cause is not None
    assert draft.cause.service == "oven"
    calls = {"till": (), "oven": ("till",)}
    elsewhere, _ = await investigate(tools, calls, question="Why does the till fail?")
    assert elsewhere.cause is None, "the till does not call the oven"


async def test_a_cluster_where_all_is_well_is_called_so() -> None:
    listed = {
        **LISTED,
        "deployments": deployments(("oven", "1/1", "1")).text,
        "pods": pods((POD, "1/1", "Running", "0", "9m")).text,
    }
    draft, evidence = await investigate(tools_of(ClusterTools(Bakery(listed)), source="x"), ["oven"])
    assert draft.cause is None
    assert draft.headline.startswith("No active failure")
    assert check_draft(draft, evidence, ["oven"]).problems == ()


async def test_a_cluster_that_explains_nothing_is_no_confident_cause() -> None:
    listed = {**LISTED, "pods": "forbidden", "deployments": "forbidden"}
    draft, _ = await investigate(tools_of(ClusterTools(Bakery(listed)), source="x"), ["oven"])
    assert draft.cause is None
    assert draft.headline.startswith("No confident cause")


async def test_where_metrics_are_connected_a_quiet_cluster_leaves_the_word_to_them() -> None:
    listed = {**LISTED, "deployments": deployments(("oven", "1/1", "1")).text, "pods": pods().text}
    tools = tools_of(ClusterTools(Bakery(listed)), source="x")
    draft, _ = await investigate(tools, ["oven"], missing="traces")
    assert draft.cause is None
    assert not draft.headline.startswith("No active failure")


class Measures:
    """Counts how often it was asked what is felt."""

    def __init__(self) -> None:
        self.asked = 0

    @tool()
    async def rank_causes(self, arguments: NoArguments) -> ToolOutput:
        """Ranks nothing."""
        assert isinstance(arguments, NoArguments)
        self.asked += 1
        return ToolOutput(text="nothing is abnormal here", summary="quiet")


@pytest.mark.parametrize(("missing", "asked"), [("traces", 1), ("metrics, logs, changes, traces", 0)])
async def test_what_is_felt_of_a_cause_in_the_cluster_is_measured_where_metrics_are(missing: str, asked: int) -> None:
    measures = Measures()
    tools = [*tools_of(ClusterTools(Bakery()), source="x"), *tools_of(measures, source="y")]
    draft, _ = await investigate(tools, ["oven", "till"], missing=missing)
    assert draft.cause is not None
    assert (draft.cause.service, measures.asked) == ("oven", asked)


async def test_a_database_is_read_in_one_turn() -> None:
    draft, evidence = await investigate(tools_of(DatabaseTools(Ledger()), source="x"), ["ledger"])
    checked = check_draft(draft, evidence, ["ledger"])
    assert checked.problems == ()
    assert checked.cause is not None
    assert (checked.cause.service, checked.cause.kind, checked.confidence) == ("ledger", "storage exhausted", "high")
    assert len(evidence) == 2


def test_a_tool_call_and_its_read_translate_both_ways() -> None:
    for read in (
        Read(what=What.LIST, kind="pods", detail="wide"),
        Read(what=What.DESCRIBE, kind="pods", name="oven"),
        Read(what=What.CONNECT, name="oven", detail="8080"),
        Read(what=What.COMPONENT, name="node-a", detail="kubelet"),
        Read(what=What.ALERTS),
    ):
        assert read_of(*call_of(read)) == read
    assert read_of("rank_causes", {}) is None
    assert read_of("cluster_dance", {}) is None
    assert tool_name(What.LIST) == "cluster_list"
