"""A stage for the offline investigator: simulated incidents, real tool texts from the real engine, the real gate."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from agents.evidence.types import Change, Edge
from agents.gate.draft import Checked, check_draft
from agents.gate.evidence import Evidence
from agents.gate.older import Older, read_older
from agents.investigation import analysis
from agents.investigation.calls import conclude_schema
from agents.investigation.review import Reviewed, review_draft
from agents.investigation.telemetry import Gathered
from agents.models.model import Briefing, Note, Turn, TurnRequest
from agents.models.offline import OfflineModel
from agents.tool import ToolOutput
from agents.verdict import Draft

NOW = datetime(2026, 11, 3, 2, 46, 7, tzinfo=UTC)
Answer = tuple[str, dict[str, Any], bool] | ToolOutput
Tool = Callable[[Mapping[str, Any]], Answer]


def schema(name: str, *arguments: str) -> dict[str, Any]:
    properties = {argument: {"type": "string"} for argument in arguments}
    return {"name": name, "description": name, "input_schema": {"type": "object", "properties": properties}}


WINDOW = ("minutes", "symptom_service", "symptom", "since_minutes")
ARGUMENTS = {
    "rank_causes": (*WINDOW, "wait_s"),
    "what_changed": (*WINDOW, "wait_s"),
    "log_patterns": (*WINDOW, "service"),
    "trace_breakdown": (*WINDOW, "service", "operation"),
    "read_diff": ("change",),
    "search_logs": ("service", "grep", "level", "limit"),
    "state_hypotheses": ("hypotheses",),
}


@dataclass(kw_only=True)
class Stage:
    """One conversation. `tools` answer text, facts and is_error; `refusals` are problems to raise once."""

    services: Mapping[str, tuple[str, ...]]
    tools: Mapping[str, Tool]
    question: str = "something is wrong"
    said: str = ""
    messages: list[dict[str, Any]] = field(default_factory=list)
    evidence: list[Evidence] = field(default_factory=list)
    reads: dict[str, Evidence] = field(default_factory=dict)
    turns: list[Turn] = field(default_factory=list)
    drafts: list[dict[str, Any]] = field(default_factory=list)
    notes: dict[int, str] = field(default_factory=dict)
    refusals: list[str] = field(default_factory=list)
    verdict: Checked | None = None
    reviewed: Reviewed = field(default_factory=Reviewed)
    garbled: bool = False

    def request(self) -> TurnRequest:
        if not self.messages:
            opening = "1. nobody [errors] score=9" if self.garbled else self._opening()
            self.messages.append({"role": "user", "content": [{"type": "text", "text": opening}]})
        tools = [schema(name, *ARGUMENTS.get(name, ())) for name in self.tools]
        return TurnRequest(
            system="", tools=[*tools, conclude_schema()], messages=self.messages, briefing=self.briefing()
        )

    def briefing(self) -> Briefing:
        """The same as data, as the loop gives it."""
        notes = [(n, m["content"]) for n, m in enumerate(self.messages) if m["role"] == "system"]
        people = "A person in the thread says:"
        said = [line.partition(":")[2] for line in self.said.splitlines() if not line.startswith("Autoheal:")]
        return Briefing(
            question=self.question,
            said=tuple(said),
            services=self.services,
            connected=("Metrics pages", "Log files", "Git"),
            missing=("traces",),
            notes=tuple(Note(text=t.removeprefix(people).strip(), place=n) for n, t in notes if t.startswith(people)),
            hurried=any(text.startswith("Conclude now") for _, text in notes),
            reads=self.reads,
        )

    def answer(self, content: list[dict[str, Any]]) -> None:
        """Commit an answer and run its tools, as the loop does."""
        self.messages.append({"role": "assistant", "content": content})
        uses = [block for block in content if block["type"] == "tool_use"]
        if uses:
            self.messages.append({"role": "user", "content": [self._result(use) for use in uses]})

    async def play(self, model: OfflineModel, most: int = 8) -> Checked:
        """Turns until the conclusion is stored."""
        for number in range(most):
            if number in self.notes:
                self.messages.append({"role": "system", "content": self.notes[number]})
            turn = await model.ask(self.request())
            self.turns.append(turn)
            self.answer(turn.content)
            if self.verdict is not None:
                return self.verdict
        raise AssertionError(f"no conclusion within {most} turns")

    def asked(self, tool: str) -> list[dict[str, Any]]:
        return [b["input"] for t in self.turns for b in t.content if b["type"] == "tool_use" and b["name"] == tool]

    def _opening(self) -> str:
        rows = [f"- {s} (production){', calls ' + ', '.join(c) if c else ''}" for s, c in self.services.items()]
        parts = [
            f"Question from the thread:\n{self.question}",
            "Declared services:\n" + "\n".join(rows),
            "Connected: Metrics pages, Log files, Git. Not connected: traces.",
            f"Said in the thread so far:\n{self.said}" if self.said else "",
        ]
        return "\n\n".join(part for part in parts if part)

    def _result(self, use: dict[str, Any]) -> dict[str, Any]:
        if use["name"] == "conclude":
            return self._concluded(use)
        tool = self.tools.get(use["name"])
        answer = tool(use["input"]) if tool else (f"there is no tool {use['name']!r}", {}, True)
        found = evidence_of(f"A{len(self.evidence) + 1}", use, answer)
        self.evidence.append(found)
        self.reads[use["id"]] = found
        content = f"[{found.id}] {found.tool}, {found.source}, {NOW:%H:%M:%S} UTC\n{found.text}"
        content = "[A9] rank_causes: quiet" if self.garbled else content
        block = {"type": "tool_result", "tool_use_id": use["id"], "content": content}
        return {**block, "is_error": True} if found.is_error else block

    def _concluded(self, use: dict[str, Any]) -> dict[str, Any]:
        self.drafts.append(use["input"])
        draft = Draft.model_validate(use["input"])
        checked = check_draft(draft, self.evidence, self.services)
        self.reviewed = review_draft(checked, self.evidence, self.services)
        problems = [*checked.problems, *self.reviewed.told, *(self.refusals if len(self.drafts) == 1 else ())]
        block = {"type": "tool_result", "tool_use_id": use["id"], "content": "stored"}
        if problems and len(self.drafts) < 2:
            told = "not stored yet; mend these and call conclude once more:\n" + "\n".join(problems)
            return {**block, "content": told, "is_error": True}
        self.verdict = check_draft(draft, self.evidence, self.services, at_most=self.reviewed.left)
        return block


def evidence_of(number: str, use: dict[str, Any], answer: Answer) -> Evidence:
    """A result with its rows; those of a text come from the reader of older results."""
    if isinstance(answer, ToolOutput):
        text, facts, is_error, rows = answer.text, dict(answer.facts), False, answer.rows
    else:
        text, facts, is_error = answer
        facts = {**facts, "gap": text} if is_error else facts
        older = Older(tool=use["name"], arguments=use["input"], text=text, facts=facts, taken_at=NOW, is_error=is_error)
        rows = read_older(older)
    return Evidence(
        id=number,
        tool=use["name"],
        source="evidence",
        text=text,
        facts=facts,
        taken_at=NOW,
        is_error=is_error,
        rows=rows,
        arguments=use["input"],
    )


def shown(text: str) -> Tool:
    """A tool that always answers this."""
    return lambda _: (text, {}, False)


def broken(text: str = "it did not answer") -> Tool:
    return lambda _: (text, {}, True)


def hunk(path: str, removed: list[str], added: list[str], *, heading: str = "", around: tuple[str, ...] = ()) -> str:
    """A unified diff of one file."""
    body = [*(f" {line}" for line in around), *(f"-{line}" for line in removed), *(f"+{line}" for line in added)]
    head = [f"diff --git a/{path} b/{path}", f"--- a/{path}", f"+++ b/{path}", f"@@ -1,9 +1,9 @@ {heading}".rstrip()]
    return "\n".join(["svc 1 -> 2 at 02:41:00 UTC: routine update", *head, *body])


sys.modules.setdefault("offline_stage", sys.modules[__name__])  # tests beside it import their helpers by this name
SHAS = {"c-bad": ("9c01be2f00aa11bb", "4f2a91c077dd22ee"), "c-ok": ("1a2b3c4d5e6f7a8b", "8b7a6f5e4d3c2b1a")}


@pytest.fixture(scope="session")
def simulation() -> Any:
    """The evidence engine's simulated system."""
    path = Path(__file__).parents[2] / "evidence" / "simulated.py"
    spec = importlib.util.spec_from_file_location("offline_simulated", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def stage_of(simulation: Any) -> Callable[..., tuple[Stage, Any]]:
    """`stage_of(fault, seed, diffs={...}, **simulate)` is a Stage on a simulated incident, and the incident."""

    def make(fault: str, seed: int, *, diffs: Mapping[str, str] | None = None, **more: Any) -> tuple[Stage, Any]:
        incident = simulation.simulate(fault, seed, **more)
        gathered = _gathered(incident)
        edges = incident.telemetry().edges
        fleet = incident.fleet
        services = {s: tuple(c for c in fleet.callees(s) if c in fleet.services) for s in fleet.services}
        return Stage(services=services, tools=_tools(gathered, edges, diffs or {})), incident

    return make


def _gathered(incident: Any) -> Gathered:
    raw = tuple(replace(series, labels={**series.labels, "service": series.labels["job"]}) for series in incident.raw)
    changes = tuple(_with_versions(change) for change in incident.changes)
    return Gathered(
        window=incident.telemetry().window, series=raw, logs=(tuple(incident.logs),), changes=changes, gaps=()
    )


def _with_versions(change: Change) -> Change:
    previous, version = SHAS[change.id]
    return replace(change, previous_version=previous, version=version)


def _tools(gathered: Gathered, edges: tuple[Edge, ...], diffs: Mapping[str, str]) -> dict[str, Tool]:
    def finding(made: Any) -> Answer:
        return ToolOutput(text=made.text, rows=made.rows, facts=dict(made.facts), summary=made.summary)

    def told(arguments: Mapping[str, Any]) -> analysis.Told:
        ago = arguments.get("since_minutes")
        since = None if ago is None else gathered.window.end - timedelta(minutes=ago)
        return analysis.Told(service=arguments.get("symptom_service"), symptom=arguments.get("symptom"), since=since)

    def diff(arguments: Mapping[str, Any]) -> Answer:
        change = arguments["change"]
        if change not in diffs:
            return "no earlier version to compare with", {}, True
        return diffs[change], {"diff_of": change}, False

    return {
        "rank_causes": lambda a: finding(analysis.rank(gathered, edges, told(a))),
        "what_changed": lambda a: finding(analysis.changes(gathered, edges, told(a))),
        "log_patterns": lambda a: finding(analysis.log_shifts(gathered, edges, told(a), a.get("service"))),
        "read_diff": diff,
        "state_hypotheses": lambda _: ("shown", {}, False),
    }
