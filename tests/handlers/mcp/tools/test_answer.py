"""A question about an incident stands in its thread; a run that goes on takes it."""

from handlers.mcp.asking import say_question
from handlers.mcp.tool import McpContext
from store.ids import InvestigationId, new_id
from store.incidents import incident_for_thread
from store.incidents.conversations import conversation
from store.incidents.investigations import create_investigation, waiting_notes
from store.secrets.redaction import Redacted
from tests.handlers.mcp.caller import Door, SeesOpen, refused, told


async def test_a_question_is_answered_in_the_incidents_thread(door: Door) -> None:
    await door.rig.ask()
    async with door.client() as client:
        words = await told(client, "answer", incident="#1", question="which pool is exhausted?", wait_s=50)
    await door.rig.engine.settle()
    assert "#1 checkout fails" in words
    assert "Conclusion" in words
    assert [place[:2] for place in door.said.messages.values()] == [("C1", "1.0")]
    assert len(door.rig.runs()) == 2


async def test_a_run_that_goes_on_is_steered_by_the_question(door: Door) -> None:
    await door.rig.ask()
    async with door.rig.db.tenant(door.rig.tenant) as s:
        about = await incident_for_thread(s, "C1", "1.0")
        thread = await conversation(s, channel_id="C1", thread_ts="1.0")
        assert about is not None
        assert thread is not None
        run = await create_investigation(
            s,
            id=InvestigationId(new_id()),
            incident_id=about.id,
            conversation_id=thread.id,
            question=Redacted.ours("and search?"),
            requested_by=None,
            attempt=2,
        )
    async with door.client() as client:
        assert "is being investigated" in await told(
            client, "answer", incident="1", question="look at the pool", wait_s=0
        )
    async with door.rig.db.tenant(door.rig.tenant) as s:
        assert await waiting_notes(s, run.id) == 1
    assert "mcp.investigation.steered" in await door.rig.actions()


async def test_an_incident_that_is_hidden_is_as_good_as_unknown(door: Door) -> None:
    async with door.client() as client:
        assert "no such incident" in await refused(client, "answer", incident="7", question="why?")
    assert door.said.messages == {}


async def test_one_id_in_two_places_is_two_questions(door: Door) -> None:
    people = await door.rig.person()
    context = McpContext(db=door.rig.db, incident_service=door.rig.incident_service, posts=door.said, sees=SeesOpen())
    words = Redacted.ours("why?")
    places = (("C1", None), ("C1", "1.0"), ("C0OPEN", None), ("C1", None))
    found = [
        await say_question(people, words, context, channel=channel, thread_ts=thread, request="r1")
        for channel, thread in places
    ]
    assert len(set(found)) == 3
    assert found[0] == found[3]
