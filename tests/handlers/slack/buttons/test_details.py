"""The details button."""

from handlers.slack.blocks.message import Message, actions, button
from handlers.slack.buttons.details import artifact_links
from store.ids import InvestigationId
from store.incidents.artifacts import Artifact, artifacts, save_artifact
from store.incidents.investigations import save_verdict
from store.secrets.redaction import Redacted
from tests.handlers.inbound import Slack, show, stored_run, words

VERDICT = {
    "headline": "checkout: pool cut. High.",
    "cause": None,
    "confidence": "none",
    "impact": "",
    "claims": [],
    "dropped": [{"text": "payments is slow", "reason": "the quote does not stand in A1"}],
    "hypotheses": [{"id": "H1", "text": "deploy", "state": "refuted", "reason": "after the onset"}],
    "not_known": ["traces not connected"],
    "checked": ["logs"],
    "proposal": None,
    "advice": "",
    "symptom": None,
    "chart": None,
    "model": "offline",
    "seconds": 13.0,
    "reads": 11,
    "cost_usd": 0.0,
}


async def a_verdict(slack: Slack) -> tuple[InvestigationId, str]:
    run = await stored_run(slack)
    async with slack.db.tenant(slack.tenant) as s:
        await save_verdict(s, run, VERDICT)
        await save_artifact(
            s,
            investigation_id=run,
            tool_use_id="toolu_1",
            tool="read_logs",
            arguments={},
            text=Redacted.ours("pool exhausted"),
            source="logs",
            facts={"link": "http://logs.example/1"},
        )
    return run, await show(slack, Message(text="Verdict", blocks=tuple(actions(button("details", "Details", run)))))


async def test_details_open_as_a_modal_with_what_was_dropped_and_why(slack: Slack) -> None:
    _, ts = await a_verdict(slack)
    await slack.workspace.click("mia", ts, "details")
    await slack.handled(1)
    (view,) = slack.workspace.views.values()
    shown = words(view.view["blocks"])
    assert "payments is slow (the quote does not stand in A1)" in shown
    assert "H1 deploy: refuted, after the onset" in shown


async def test_when_slack_takes_no_modal_any_more_details_come_as_a_private_message(slack: Slack) -> None:
    _, ts = await a_verdict(slack)
    slack.workspace.faults.fail("views.open", "expired_trigger_id")
    await slack.workspace.click("mia", ts, "details")
    await slack.handled(1)
    assert "traces not connected" in slack.private("incidents", "mia")[0]


async def test_links_are_those_that_connectors_gave(slack: Slack) -> None:
    run, _ = await a_verdict(slack)
    async with slack.db.tenant(slack.tenant, readonly=True) as s:
        read: list[Artifact] = await artifacts(s, run)
    assert artifact_links(read) == {"A1": "http://logs.example/1"}
