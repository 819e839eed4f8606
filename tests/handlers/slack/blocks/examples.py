"""A verdict, a plan and an approval as they are stored, and the rules that every message must keep."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from slack_sdk.models.blocks import Block

from agents.remediation import Healing, Plan, Precondition
from agents.tool import Risk
from agents.verdict import Cause, Chart, ChartSeries, Claim, Hypothesis, Proposal, Symptom, Verdict
from bot.demo.workspace.validation import check_blocks
from handlers.slack.blocks.message import Message
from store.ids import ApprovalId, IncidentId, InvestigationId, UserId
from store.incidents.approvals import Approval, ApprovalState

T0 = datetime(2026, 11, 12, 2, 49, 0, tzinfo=UTC)
_TOKEN = re.compile(r"<!date\^\d+\^[^|>]*\|([^>]*?)(?: UTC)?>")
HASH = "0123456789abcdef" * 4


def at(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def a_symptom() -> Symptom:
    onset = "2026-11-12T02:41:00+00:00"
    return Symptom(service="checkout", indicator="error_ratio", unit="ratio", before=0.003, now=0.09, onset=onset)


def a_claim(text: str, **changes: Any) -> Claim:
    given = {
        "status": "observed",
        "side": "for",
        "artifact": "A3",
        "source": "prometheus",
        "taken_at": "2026-11-12T02:49:10+00:00",
        "quote": "pool exhausted: 5 of 5 in use",
    }
    return Claim(text=text, **{**given, **changes})


def a_verdict(**changes: Any) -> Verdict:
    given: dict[str, Any] = {
        "headline": "checkout: 4f2a91 cut the DB pool 50->5",
        "cause": Cause(
            service="checkout",
            external=None,
            change="4f2a91",
            change_verdict="cause",
            kind="pool exhausted",
            statement="4f2a91 cut the DB pool from 50 to 5",
        ),
        "confidence": "high",
        "impact": "One in eleven checkouts fails",
        "claims": (
            a_claim("Errors rose"),
            a_claim("The pool is exhausted", artifact="A4", source="logs"),
            a_claim("The diff sets pool_size to 5", artifact="A5", source="git"),
            a_claim("Payments is steady", side="against", quote=None),
        ),
        "dropped": (),
        "hypotheses": (
            Hypothesis(id="H1", text="deploy 4f2a91", state="supported", reason=""),
            Hypothesis(id="H2", text="payment provider", state="refuted", reason="p95 flat"),
        ),
        "not_known": ("traces not connected",),
        "checked": ("payments", "orders"),
        "proposal": Proposal(remediation="rollback_deployment", arguments={"service": "checkout"}),
        "proposal_refused": None,
        "advice": "",
        "symptom": a_symptom(),
        "chart": Chart(
            title="checkout: errors",
            series=(ChartSeries(name="checkout", points=(("02:40", 0.003), ("02:41", 0.05), ("02:42", 0.09))),),
        ),
        "model": "claude-x",
        "offline_because": None,
        "seconds": 13.2,
        "reads": 11,
        "cost_usd": 0.19,
    }
    return Verdict(**{**given, **changes})


def a_plan(**changes: Any) -> Plan:
    given: dict[str, Any] = {
        "remediation": "rollback_deployment",
        "title": "Roll back checkout to 9c01be",
        "button": "Roll back checkout to 9c01be",
        "action": "rollback",
        "parameters": {"service": "checkout", "version": "9c01be"},
        "argv": ("shopctl", "rollback", "checkout", "--to", "9c01be"),
        "target": "checkout",
        "environment": "production",
        "from_version": "4f2a91",
        "to_version": "9c01be",
        "target_version": "4f2a91",
        "diff_link": "https://git.example.com/shop/compare/9c01be...4f2a91",
        "diff_paths": ("checkout/config.toml",),
        "commits_lost": ("b77e01 Log the cart's size",),
        "migrations": ("0007_add_index.sql",),
        "instances": 2,
        "interruption": "a restart of about 2 s each",
        "risk": Risk.MEDIUM,
        "reversible": True,
        "undo": "deploy 4f2a91 again",
        "undo_parameters": {"service": "checkout", "version": "4f2a91"},
        "undo_until": at(86_400),
        "preconditions": (Precondition(text="checkout runs 4f2a91", holds=True, read_at=at(5)),),
        "healing": Healing(
            service="checkout",
            indicator="error_ratio",
            unit="ratio",
            before=0.09,
            threshold=0.01,
            worse_than=0.12,
            hold_s=180,
            window_s=286,
        ),
        "cause": "4f2a91 cut the DB pool from 50 to 5",
        "confidence": "high",
        "evidence": ("A3", "A5"),
        "requested_by": "U0RAJ",
        "read_at": at(5),
        "fresh_until": at(905),
    }
    return Plan(**{**given, **changes})


def an_approval(state: ApprovalState = ApprovalState.PROPOSED, **changes: Any) -> Approval:
    approval = Approval(
        id=ApprovalId("0198c0de-0000-7000-8000-000000000001"),
        incident_id=IncidentId("i1"),
        investigation_id=InvestigationId("v1"),
        remediation="rollback_deployment",
        plan=a_plan().model_dump(mode="json"),
        plan_hash=HASH,
        target="checkout",
        target_version="4f2a91",
        risk="medium",
        state=state,
        proposed_at=at(6),
        expires_at=at(6 + 86_400),
        preview_read_at=at(5),
        decided_by=None,
        decided_at=None,
        decision=None,
        approved_until=None,
        applied_at=None,
        finished_at=None,
        outcome=None,
        undo_of=None,
        message_channel=None,
        message_ts=None,
    )
    return replace(approval, **changes)


def decided(state: ApprovalState, **changes: Any) -> Approval:
    given: dict[str, Any] = {
        "decided_by": UserId("u1"),
        "decided_at": at(10),
        "decision": "approved",
        "approved_until": at(910),
        "applied_at": at(14),
        "finished_at": at(240),
    }
    return an_approval(state, **{**given, **changes})


def words(message: Message) -> str:
    """Everything that a message's blocks say, as one text; times as a reader sees them in UTC."""
    found: list[str] = []
    _collect(list(message.blocks), found)
    return _TOKEN.sub(r"\1", "\n".join(found))


def _collect(node: object, found: list[str]) -> None:
    if isinstance(node, dict):
        for name, child in node.items():
            if name in ("text", "title", "value", "url") and isinstance(child, str):
                found.append(child)
            else:
                _collect(child, found)
    elif isinstance(node, list):
        for child in node:
            _collect(child, found)


def assert_sound(message: Message) -> None:
    """Within Slack's limits by three readings: slack_sdk's models, the strict workspace, and our own rules."""
    assert 0 < len(message.text) <= 120
    assert "\n" not in message.text
    assert check_blocks(list(message.blocks)) == []
    for block in message.blocks:
        if block["type"] != "data_visualization":
            parsed = Block.parse(block)
            assert parsed is not None
            parsed.to_dict()
    _assert_verbatim(list(message.blocks))


def _assert_verbatim(node: object) -> None:
    """Nothing in mrkdwn is turned into a link by Slack itself."""
    if isinstance(node, dict):
        assert node.get("type") != "mrkdwn" or node.get("verbatim") is True
        assert node.get("type") not in ("image", "markdown")
        for child in node.values():
            _assert_verbatim(child)
    elif isinstance(node, list):
        for child in node:
            _assert_verbatim(child)


def links(message: Message) -> set[str]:
    """Every address that mrkdwn links."""
    said: list[str] = []
    _mrkdwn(list(message.blocks), said)
    targets = [piece.partition(">")[0] for line in said for piece in line.split("<")[1:]]
    return {target.partition("|")[0] for target in targets if not target.startswith(("@", "#", "!date^"))}


def _mrkdwn(node: object, said: list[str]) -> None:
    if isinstance(node, dict) and node.get("type") == "mrkdwn":
        said.append(node["text"])
    elif isinstance(node, dict | list):
        for child in node.values() if isinstance(node, dict) else node:
            _mrkdwn(child, said)


def action_ids(message: Message) -> list[str]:
    return [
        element["action_id"]
        for block in message.blocks
        if block["type"] in ("actions", "context_actions")
        for element in block["elements"]
    ]
