"""Every message of the scenarios and examples is read: plurals, doubled facts, internal words, times in one zone."""

import json
import re
from collections.abc import Iterator
from dataclasses import fields, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from agents.remediation import Plan
from agents.verdict import Symptom, Verdict
from handlers.slack.blocks import text as t
from handlers.slack.blocks.card import Card, card
from handlers.slack.blocks.details import details
from handlers.slack.blocks.exact_plan import exact_plan
from handlers.slack.blocks.message import Message
from handlers.slack.blocks.opening import Opening, opening
from handlers.slack.blocks.outcome import outcome, undo_words
from handlers.slack.blocks.plan import PlanView, plan
from handlers.slack.blocks.tasks import concluded, links
from handlers.slack.blocks.verdict import VerdictView, verdict_message
from store.ids import ApprovalId, ArtifactId, IncidentId, InvestigationId
from store.incidents.approvals import Approval, ApprovalState
from store.incidents.artifacts import Artifact
from store.secrets.redaction import Redacted
from tests.handlers.slack.blocks.examples import a_plan, a_symptom, a_verdict, assert_sound, at, decided, words

RECORDED = Path(__file__).resolve().parents[2] / "recorded" / "scenarios.json"
SCENARIOS: dict[str, Any] = json.loads(RECORDED.read_text())
_TIMES = ["proposed_at", "expires_at", "preview_read_at", "decided_at", "approved_until", "applied_at", "finished_at"]
_CODE = re.compile(r"```.*?```|`[^`]*`|\u201c[^\u201d]*\u201d", re.DOTALL)
_LINK = re.compile(r"<https?://[^|>]*\|([^>]*)>")
_WRONG = {
    "one of many": re.compile(r"\b1 (?!is\b|was\b|has\b|as\b|this\b|less\b)[a-z]{3,}s\b"),
    "a double possessive": re.compile(r"s's\b"),
    "a word of ours": re.compile(
        r"left its (?:normal |usual )?range|coincid|would need|noise unit|\bz ?= ?\d|score ?=|confidence ?=|\bnan\b"
        r"|Times are UTC|applied once|\bworks\b|_(?:observed|derived)_|dependency[_ ](?:latency|errors)"
        r"|\b(?-i:None)\b|cause_candidate|rank_causes|\berror ratio\b",
        re.IGNORECASE,
    ),
    "an internal row": re.compile(r"\w,[^,\s][^,]*,\S*->\S*,|->\S+,x\d"),
    "a bare clock": re.compile(r"(?<![\d:|-])\d{2}:\d{2}(?::\d{2})?(?! ?UTC|[\d:]|…)"),
    "a blank that is missing or doubled": re.compile(r"[a-z]\.[A-Z][a-z]|  +| [.,;]|\(\)|\.\."),
}


def _artifact(given: dict[str, Any]) -> Artifact:
    return Artifact(
        id=ArtifactId(given["id"]),
        number=given["number"],
        investigation_id=InvestigationId("v1"),
        tool_use_id=given["tool_use_id"],
        tool=given["tool"],
        arguments={},
        text=Redacted.ours(given["text"]),
        is_error=given["is_error"],
        taken_at=datetime.fromisoformat(given["taken_at"]),
        source=given["source"],
        facts=given["facts"],
    )


def _approval(given: dict[str, Any]) -> Approval:
    found = {one.name: given.get(one.name) for one in fields(Approval)}
    for name in _TIMES:
        found[name] = datetime.fromisoformat(found[name]) if found[name] else at(0)
    ids = {"id": ApprovalId("0198c0de-0000-7000-8000-000000000001"), "incident_id": IncidentId("i1")}
    return Approval(**{**found, **ids, "state": ApprovalState(given["state"]), "investigation_id": None})


def _of_run(verdict: Verdict, read: list[Artifact], *, card_follows: bool) -> Iterator[Message]:
    symptom: Symptom | None = verdict.symptom
    yield opening(
        Opening(
            investigation_id="v1",
            subject=symptom.service if symptom else "checkout",
            symptom=symptom,
            sources=["Metrics pages", "Log files"],
            missing=["traces"],
        )
    )
    yield plan(PlanView(title="Investigating", hypotheses=concluded(verdict)))
    view = VerdictView(investigation_id="v1", verdict=verdict, artifacts=read, links=links(read), card=card_follows)
    yield verdict_message(view)
    yield verdict_message(replace(view, struck=True))


def _of_remedy(approval: Approval, plan_: Plan, onset: datetime | None) -> Iterator[Message]:
    view = Card(approval=approval, plan=plan_, people={"u1": "U0MIA"}, onset=onset)
    for state in ApprovalState:
        now = replace(view, approval=replace(approval, state=state))
        yield card(now)
        told = outcome(now)
        if told is not None:
            yield told
        undone = outcome(replace(now, approval=replace(now.approval, undo_of=ApprovalId("a0"))))
        if undone is not None:
            yield undone
    yield Message(text="x", blocks=tuple(exact_plan(view)))
    yield Message(text="x", blocks=({"type": "section", "text": {"type": "mrkdwn", "text": undo_words(view)}},))


def messages(name: str) -> list[Message]:
    if name == "example":
        symptom = a_symptom()
        made = list(_of_run(a_verdict(), [], card_follows=True))
        made += _of_remedy(decided(ApprovalState.HEALED, outcome={"last": 0.002}), a_plan(), at(-480))
        return [*made, *_of_run(a_verdict(cause=None, confidence="none", symptom=symptom), [], card_follows=False)]
    given = SCENARIOS[name]
    verdict, read = Verdict.model_validate(given["verdict"]), [_artifact(one) for one in given["artifacts"]]
    made = list(_of_run(verdict, read, card_follows=bool(given["approvals"])))
    onset = t.moment(verdict.symptom.onset) if verdict.symptom else None
    for one in given["approvals"]:
        made += _of_remedy(_approval(one), Plan.model_validate(one["plan"]), onset)
    return made


def spoken(message: Message) -> str:
    """What we say ourselves: without what is quoted from a program or a person."""
    told = "\n".join(_sentences(list(message.blocks)))
    return _CODE.sub("X", t.unescape(_LINK.sub(r"\1", _CODE.sub("X", told))))


def _sentences(node: object) -> Iterator[str]:
    if isinstance(node, dict):
        if node.get("type") in ("data_visualization", "rich_text_preformatted"):
            return
        text = node.get("text")
        if isinstance(text, str):
            yield text
        for child in node.values():
            yield from _sentences(child)
    elif isinstance(node, list):
        for child in node:
            yield from _sentences(child)


@pytest.mark.parametrize("name", ["example", *sorted(SCENARIOS)])
def test_every_message_reads_as_a_colleague_wrote_it(name: str) -> None:
    wrong: set[str] = set()
    for message in messages(name):
        if message.text != "x":
            assert_sound(message)
            assert "&gt;" not in message.text, "not everything that shows a notification reads the escapes"
        for said in (spoken(message), t.unescape(message.text)):
            for kind, pattern in _WRONG.items():
                wrong |= {
                    f"{kind}: {said[max(0, one.start() - 40) : one.end() + 40]!r}" for one in pattern.finditer(said)
                }
    assert wrong == set()


@pytest.mark.parametrize("name", ["example", *sorted(SCENARIOS)])
def test_a_verdict_says_nothing_twice(name: str) -> None:
    told = messages(name)[2]
    lines = [line.strip("• .") for line in spoken(told).splitlines() if len(line) > 20]
    assert len(lines) == len(set(lines))
    verdict = a_verdict() if name == "example" else Verdict.model_validate(SCENARIOS[name]["verdict"])
    if verdict.symptom is not None:
        assert lines[0].count(t.measure(verdict.symptom.now, verdict.symptom.unit)) == 1
    assert words(told).count("*Not*") <= 1


@pytest.mark.parametrize("name", sorted(SCENARIOS))
def test_a_verdict_is_short(name: str) -> None:
    told = messages(name)[2]
    assert sum(line.startswith("•") for line in words(told).splitlines()) <= 3
    assert len(spoken(told)) <= 1_000


@pytest.mark.parametrize("name", sorted(SCENARIOS))
def test_the_details_hold_the_verbatim_lines(name: str) -> None:
    given = SCENARIOS[name]
    verdict, read = Verdict.model_validate(given["verdict"]), [_artifact(one) for one in given["artifacts"]]
    for claim in verdict.claims:
        if claim.artifact and claim.quote:
            shown = details(verdict, read, {}, place=claim.artifact)
            assert json.dumps(claim.quote)[1:-1].split("\\n")[0][:80] in json.dumps(shown, ensure_ascii=True)
