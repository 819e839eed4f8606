"""What people rule out is kept as their word, with who lifted it when; and it blocks a click."""

from collections.abc import Sequence

import pytest
from fakes.rig import Rig

from agents.incidents.requests import DoneNow
from agents.permission import Denied
from store.database.session import Database
from store.ids import IncidentId, NoteId, stable_id
from store.incidents import investigations
from store.incidents.prohibitions import StoredProhibition, prohibitions
from store.secrets.redaction import Redacted


async def rows(rig: Rig, incident: IncidentId) -> Sequence[StoredProhibition]:
    async with rig.db.tenant(rig.tenant, readonly=True) as s:
        return await prohibitions(s, incident)


async def test_what_is_ruled_out_and_allowed_again_is_kept_with_who_and_when(database: Database, rig: Rig) -> None:
    run = await rig.ask("checkout fails. Do not restart checkout")
    incident = (await rig.case(run)).incident.id
    verdict = await rig.verdict(run)
    assert verdict.proposal is None
    assert "was ruled out in this thread" in (verdict.proposal_refused or "")
    (said,) = await rows(rig, incident)
    member, admin = await rig.person(), await rig.person("U0ADMIN")
    assert (said.remediation, said.service, said.stated_by) == ("restart_service", "checkout", member.user_id)
    assert str(said.words) == "Do not restart checkout"
    assert said.lifted_at is None
    again = await rig.ask("you may restart checkout", ts="1.0#2", who="U0ADMIN")
    (lifted,) = await rows(rig, (await rig.case(again)).incident.id)
    assert (lifted.id, lifted.lifted_by) == (said.id, admin.user_id)
    assert lifted.lifted_at is not None
    assert await rig.state(rig.approval_of(again)) == "proposed"
    actions = await rig.actions()
    assert (actions.count("agent.prohibition.stated"), actions.count("agent.prohibition.lifted")) == (1, 1)


async def test_a_word_after_the_card_is_kept_and_blocks_the_click(rig: Rig) -> None:
    found = await rig.proposed()
    await rig.ask("hold on, hands off checkout", ts="2.0", who="U0ADMIN")
    answer = await rig.decide(found)
    assert isinstance(answer, Denied)
    assert "was ruled out" in answer.reason
    kinds = {one.remediation for one in await rows(rig, found.incident_id)}
    assert {"restart_service", "rollback_deployment", "silence_alert", "scale_service", "other"} == kinds
    assert rig.effects == 0


@pytest.mark.parametrize("step", ["re-check", "apply"])
async def test_a_word_between_the_click_and_the_effect_stops_it(rig: Rig, step: str) -> None:
    found = await rig.proposed()
    admin = await rig.person("U0ADMIN")

    async def ruled_out() -> None:
        async with rig.db.tenant(rig.tenant) as s:
            text, note = Redacted.ours("stop, hands off checkout"), NoteId(stable_id("note", rig.tenant))
            await investigations.add_note(s, rig.runs()[0], note_id=note, text=text, by=admin.user_id)

    rig.engine.before[step] = ruled_out
    await rig.decide(found)
    now = await rig.approval(found.id)
    assert (now.state, now.decided_by, rig.effects) == ("proposed", None, 0)
    actions = await rig.actions()
    assert "agent.effect.refused" in actions
    assert "agent.effect.started" not in actions
    again = await rig.decide(now)
    assert isinstance(again, Denied)
    assert "was ruled out" in again.reason


async def test_a_note_during_a_run_is_kept_at_once(rig: Rig) -> None:
    run = await rig.begin()
    person = await rig.person()
    text = Redacted.ours("never restart checkout")
    if isinstance(await rig.incident_service.steer(person, run, text=text, source_ts="1.5"), DoneNow):
        assert [one.service for one in await rows(rig, (await rig.case(run)).incident.id)] == ["checkout"]
    await rig.engine.settle()
