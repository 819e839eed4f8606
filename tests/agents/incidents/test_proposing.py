"""A remedy that a person proposes: planned like any other, made once, and decided by others."""

from fakes.rig import Rig

from agents.incidents.proposing import Proposed
from agents.incidents.requests import NothingToDo
from agents.permission import Denied
from agents.verdict import Proposal

RESTART = Proposal(remediation="restart_service", arguments={"service": "checkout"})


async def test_what_waits_already_is_not_proposed_twice(rig: Rig) -> None:
    run = await rig.ask()
    answer = await rig.incident_service.propose(await rig.person(), run, RESTART)
    assert isinstance(answer, Proposed)
    assert (answer.is_new, answer.approval.id) == (False, rig.approval_of(run))


async def test_who_may_not_investigate_may_not_propose(rig: Rig) -> None:
    run = await rig.ask()
    assert isinstance(await rig.incident_service.propose(await rig.person("U0VIEWER"), run, RESTART), Denied)


async def test_an_incident_that_ended_is_left_alone(rig: Rig) -> None:
    run, person = await rig.ask(), await rig.person()
    incident = (await rig.case(run)).incident.id
    await rig.incident_service.end_incident(person, incident, ending="resolved")
    answer = await rig.incident_service.propose(person, run, RESTART)
    assert isinstance(answer, NothingToDo)
    assert "has ended" in answer.reason
