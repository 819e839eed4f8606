"""A program proposes, people decide; nothing it can call approves."""

from store.incidents.approvals import ApprovalState
from store.people.users import Role
from tests.handlers.mcp.caller import Door, refused, told

RESTART = {"remedy": "restart_service", "arguments": {"service": "checkout"}}


async def test_a_proposal_waits_for_a_person_and_is_made_once(door: Door) -> None:
    run = await door.rig.ask()
    own = door.rig.approval_of(run)
    async with door.client() as client:
        assert "proposed before" in await told(client, "propose", incident="1", **RESTART)
        await door.rig.decide(await door.rig.approval(own), "rejected")
        proposed = await client.call_tool("propose", {"incident": "1", **RESTART})
        await door.rig.engine.settle()
        assert proposed.structured_content is not None
        found = await door.rig.approval(proposed.structured_content["proposal"])
        assert (found.state, found.remediation) == (ApprovalState.PROPOSED, "restart_service")
        await door.rig.decide(found, "rejected")
        assert "rejected" in await told(client, "propose", incident="1", **RESTART)
    assert door.rig.effects == 0
    assert door.rig.notes.count("proposed") == 2
    assert (await door.rig.actions()).count("mcp.approval.proposed") == 1


async def test_what_cannot_be_planned_is_refused_in_words(door: Door) -> None:
    async with door.client() as client:
        assert "no such incident" in await refused(client, "propose", incident="1", **RESTART)
        await door.rig.ask()
        assert "There is no such remedy" in await refused(client, "propose", incident="1", remedy="approve")
        unknown = {"remedy": "restart_service", "arguments": {"service": "nope"}}
        assert "not a declared service" in await refused(client, "propose", incident="1", **unknown)
    async with door.client(Role.VIEWER) as client:
        assert "This needs" in await refused(client, "propose", incident="1", **RESTART)
