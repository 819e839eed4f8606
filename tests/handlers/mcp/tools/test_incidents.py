"""Open incidents as far as the person sees, and one of them in full."""

from agents.incidents.requests import Ask
from store.incidents import incident_for_thread
from store.people.users import Role
from store.secrets.redaction import Redacted
from tests.handlers.mcp.caller import Door, refused, told


async def hidden_incident(door: Door, channel: str) -> str:
    ask = Ask(question=Redacted.ours("payroll leaks"), channel_id=channel, thread_ts="8.0", source_ts="8.0")
    await door.rig.incident_service.investigate(await door.rig.person(), ask)
    await door.rig.engine.settle()
    async with door.rig.db.tenant(door.rig.tenant, readonly=True) as s:
        found = await incident_for_thread(s, channel, "8.0")
    assert found is not None
    return found.id


async def test_incidents_are_listed_and_shown_as_far_as_the_person_sees(door: Door) -> None:
    await door.rig.ask()
    hidden = await hidden_incident(door, "C0SECRET")
    async with door.client(Role.ADMIN) as client:
        listed = await told(client, "incidents")
        assert "#1 checkout fails" in listed
        assert "checkout: stuck" in listed
        assert "payroll" not in listed
        for wanted in (hidden, "#2"):
            assert "no such incident" in await refused(client, "incidents", incident=wanted)
            assert "no such incident" in await refused(client, "evidence", incident=wanted)
        shown = await told(client, "incidents", incident="#1")
        assert "Remedy restart_service of checkout" in shown
        assert "a person decides on its card in Slack" in shown


async def test_what_slack_does_not_say_is_told_apart_from_nothing(door: Door) -> None:
    hidden = await hidden_incident(door, "C0MUTE")
    async with door.client() as client:
        assert "Slack did not say" in await told(client, "incidents")
        assert "Slack did not say" in await refused(client, "incidents", incident=hidden)
