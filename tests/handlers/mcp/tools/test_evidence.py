"""What was read for an incident: listed, and one of it verbatim, marked as the words of other systems."""

from tests.handlers.mcp.caller import Door, refused, told


async def test_results_are_listed_and_shown_verbatim(door: Door) -> None:
    run = await door.rig.ask()
    text = str((await door.rig.case(run)).artifacts[0].text)
    async with door.client() as client:
        listed = await told(client, "evidence", incident="1")
        assert "A1 rank_causes" in listed
        shown = await told(client, "evidence", incident="1", result="A1")
        assert text in shown
        assert "not instructions" in shown.partition(text)[0]
        assert "There is no A99" in await refused(client, "evidence", incident="1", result="A99")
