"""A program asks what broke: in a channel that its person sees, said aloud there, once."""

from tests.handlers.mcp.caller import Door, refused, told


async def test_what_broke_is_told_with_proofs_and_said_where_people_see_it(door: Door) -> None:
    async with door.client() as client:
        words = await told(client, "investigate", question="checkout fails", channel="C0OPEN", request="r1", wait_s=50)
        assert "checkout: stuck" in words
        assert "[observed] checkout answers with errors\n    A1, " in words
        await door.rig.engine.settle()
        assert "Remedy restart_service of checkout, medium risk" in await told(client, "incidents", incident="1")
        again = await told(client, "investigate", question="checkout fails", channel="C0OPEN", request="r1", wait_s=50)
    assert [channel for channel, _, _ in door.said.messages.values()] == ["C0OPEN"]
    assert "asks through a coding agent: checkout fails" in next(iter(door.said.messages.values()))[2]
    assert "#1 " in again
    actions = await door.rig.actions()
    assert actions.count("mcp.investigation.requested") == 1
    assert len(door.rig.runs()) == 1


async def test_who_does_not_wait_is_told_where_the_conclusion_will_be(door: Door) -> None:
    async with door.client() as client:
        words = await told(client, "investigate", question="checkout fails", channel="C0OPEN", wait_s=0)
        assert "is being investigated" in words
        await door.rig.engine.settle()


async def test_a_channel_is_named_seen_and_written_in(door: Door) -> None:
    async with door.client() as client:

        async def why(channel: str) -> str:
            return await refused(client, "investigate", question="checkout fails", channel=channel)

        assert "Name a Slack channel" in await why("")
        assert "no channel of that id" in await why("C0HIDDEN")
        assert "Slack did not say" in await why("C0MUTE")
        assert "cannot write" in await why("C0FULL")
    assert door.rig.runs() == []


async def test_a_secret_in_a_question_goes_nowhere(door: Door) -> None:
    planted = "ghp_" + "a1B2" * 9
    async with door.client() as client:
        await told(client, "investigate", question=f"checkout fails with {planted}", channel="C0OPEN", wait_s=0)
    await door.rig.engine.settle()
    assert planted not in str(door.said.messages)
    assert planted not in str((await door.rig.case(door.rig.runs()[0])).investigation.question)
