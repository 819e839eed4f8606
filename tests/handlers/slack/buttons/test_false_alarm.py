"""False alarm, by a button."""

from handlers.slack.blocks.message import Message, actions
from handlers.slack.blocks.verdict import end_buttons
from store.incidents import incident
from store.incidents.investigations import investigation
from tests.handlers.inbound import Slack, show, stored_run


async def test_a_false_alarm_is_told_from_one_that_is_resolved(slack: Slack) -> None:
    run_id = await stored_run(slack)
    ts = await show(slack, Message(text="Verdict", blocks=tuple(actions(*end_buttons(run_id)))))
    await slack.workspace.click("mia", ts, "false_alarm")
    await slack.handled(1)
    async with slack.db.tenant(slack.tenant, readonly=True) as s:
        run = await investigation(s, run_id)
        assert run is not None
        ended = await incident(s, run.incident_id)
    assert ended is not None
    assert ended.status == "false_alarm"
    assert slack.private("incidents", "mia") == ["#1 is a false alarm. If it comes back, it is opened again."]
