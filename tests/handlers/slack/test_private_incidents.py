"""What happens in a private channel or in a direct message is told to nobody else, by whichever way they ask."""

import ast
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

import agents
import bot
import handlers
import store
from agents.incidents.requests import Ask, Investigating
from agents.permission import Person
from handlers.slack.inbound.arrival import SlackActor
from store.ids import InvestigationId
from store.incidents import Sight
from store.people.users import Role
from store.secrets.redaction import Redacted
from tests.handlers.inbound import Slack, set_person, workspace_of

SECRET = "checkout: merger talks with Globex leak"


async def _begin(slack: Slack, who: str, channel: str, words: str = SECRET) -> InvestigationId:
    """Somebody asks in a channel; the run that began."""
    ts = await slack.workspace.post(who, channel, words)
    place = slack.workspace.channels[channel].id if channel in slack.workspace.channels else channel
    person = await _person(slack, who)
    ask = Ask(question=Redacted.ours(words), channel_id=place, thread_ts=ts, source_ts=ts)
    begun = await slack.context.incident_service.investigate(person, ask)
    assert isinstance(begun, Investigating)
    return begun.investigation_id


async def _person(slack: Slack, who: str) -> Person:
    found = await slack.caller.person(
        await workspace_of(slack), SlackActor(user_id=slack.workspace.users[who].id), None
    )
    assert isinstance(found, Person)
    return found


def _all_that_reads(slack: Slack, who: str) -> str:
    """Everything that one person's eyes can reach: their channels, their messages, their Home."""
    user = slack.workspace.users[who].id
    seen = [
        json.dumps(message.blocks) + message.text
        for channel in slack.workspace.channels.values()
        if user in channel.members
        for message in slack.workspace.messages(channel.name if not channel.is_im else channel.id)
        if message.ephemeral_for in (None, "", user)
    ]
    home = slack.workspace.home(who)
    return "\n".join([*seen, json.dumps(home.view) if home else ""])


@pytest.mark.parametrize("place", ["leads", "D0MIA"])
@pytest.mark.parametrize("role", [Role.MEMBER, Role.ADMIN])
async def test_no_way_of_asking_tells_an_outsider(slack: Slack, place: str, role: Role) -> None:
    await set_person(slack, "raj", role)
    await _begin(slack, "mia", place)
    asked = [
        ("incidents", "/autoheal status"),
        ("incidents", "/autoheal incidents"),
        ("incidents", "/autoheal approvals"),
        ("incidents", "/autoheal stop 1"),
    ]
    for channel, command in asked:
        await slack.workspace.slash("raj", channel, command)
    await slack.workspace.post("raj", "D0RAJ", "status")
    await slack.workspace.post("raj", "incidents", f"@autoheal {SECRET.upper()}")
    await slack.handled(6)
    await slack.workspace.open_home("raj")
    await slack.until(lambda: slack.workspace.home("raj"))
    read = _all_that_reads(slack, "raj").replace(SECRET.upper(), "")
    assert "Globex" not in read
    assert "looking into this already" not in read
    assert "Nothing is running under that number." in read
    assert len(slack.engine.of("investigate")) == 2, "whoever may not see the run gets one of their own"


async def test_whoever_is_a_member_is_told_and_joins(slack: Slack) -> None:
    await _begin(slack, "mia", "leads")
    await slack.workspace.post("olga", "D0OLGA", "status")
    await slack.workspace.post("olga", "incidents", f"@autoheal {SECRET}")
    await slack.handled(2)
    read = _all_that_reads(slack, "olga")
    assert "Globex" in read
    assert "I am looking into this already" in read
    assert len(slack.engine.of("investigate")) == 1


async def test_whoever_left_reads_no_further(slack: Slack) -> None:
    await _begin(slack, "mia", "leads")
    slack.workspace.channels["leads"].members.discard("U0OLGA")
    await slack.workspace.slash("olga", "incidents", "/autoheal incidents")
    await slack.handled(1)
    assert slack.private("incidents", "olga") == ["No incident is open."]


async def test_an_alert_does_not_join_what_its_readers_may_not_see(slack: Slack) -> None:
    await slack.settings(triage_channels=("C0INCIDENTS",))
    await _begin(slack, "mia", "leads", "checkout is failing")
    await slack.workspace.post("pagerbot", "incidents", "checkout is failing")
    await slack.handled(1)
    assert len(slack.engine.of("investigate")) == 2


async def test_what_slack_does_not_say_is_hidden_and_said(slack: Slack) -> None:
    await _begin(slack, "mia", "leads")
    await slack.workspace.slash("olga", "incidents", "/autoheal help")  # who asks where is known from here on
    await slack.handled(1)
    slack.workspace.faults.fail("conversations.info", "internal_error", times=2)
    for count, command in enumerate(("/autoheal incidents", "/autoheal status"), start=2):
        await slack.workspace.slash("olga", "incidents", command)
        await slack.handled(count)
    told = slack.private("incidents", "olga")[1:]
    assert len(told) == 2
    assert all("Slack did not say who may see them" in one for one in told)
    assert not any("No incident" in one for one in told)


async def test_a_button_of_a_hidden_run_does_nothing(slack: Slack) -> None:
    run = await _begin(slack, "mia", "leads")
    block = {
        "type": "actions",
        "elements": [
            {"type": "button", "action_id": "stop", "value": run, "text": {"type": "plain_text", "text": "x"}}
        ],
    }
    client = await slack.context.clients.client_for(slack.tenant)
    posted = await client.chat_postMessage(channel="C0INCIDENTS", text="x", blocks=[block])
    await slack.workspace.click("raj", str(posted["ts"]), "stop")
    await slack.handled(1)
    assert "I do not know this investigation any more." in slack.private("incidents", "raj")


# There is one list


def _functions(package: object, *words: str) -> Iterator[tuple[str, ast.AST]]:
    """Of the files that hold one of these words."""
    root = Path(str(getattr(package, "__file__", ""))).parent
    for path in root.rglob("*.py"):
        text = path.read_text()
        if not any(word in text for word in words):
            continue
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield f"{path.relative_to(root.parent)}:{node.name}", node


def _names(node: ast.AST) -> set[str]:
    nodes = list(ast.walk(node))
    return {n.id for n in nodes if isinstance(n, ast.Name)} | {n.attr for n in nodes if isinstance(n, ast.Attribute)}


def test_one_function_lists_incidents() -> None:
    """The others find one by its id or by its thread; what is left gives away channels at most."""
    touching = {
        name
        for package in (store, agents, handlers, bot)
        for name, node in _functions(package, "IncidentRow")
        if "IncidentRow" in _names(node)
    }
    assert {name for name in touching if "/migrations/" not in name} == {
        "store/incidents/__init__.py:open_incident",
        "store/incidents/__init__.py:incident",
        "store/incidents/__init__.py:incident_for_thread",
        "store/incidents/__init__.py:_row",
        "store/incidents/__init__.py:_incident",
        "store/incidents/__init__.py:candidates",
        "store/incidents/__init__.py:_open",
    }
    reading = {name for name, node in _functions(store, "_open") if "_open" in _names(node)}
    assert {name for name in reading if name.startswith("store/incidents/__init__.py:")} == {
        "store/incidents/__init__.py:visible_incidents",
        "store/incidents/__init__.py:channels_of_incidents",
        "store/incidents/__init__.py:candidates",
        "store/incidents/__init__.py:open_ids",
    }


def test_what_could_be_the_same_incident_is_read_by_the_one_function_that_decides_it() -> None:
    for called, callers in (
        ("candidates", {"agents/incidents/same_incident.py:read_known"}),
        ("open_ids", {"agents/incidents/reconciler.py:_look_at"}),
        (
            "read_known",
            {
                "agents/incidents/investigating.py:investigate",
                "agents/incidents/investigating.py:_sight",
                "agents/incidents/ending.py:alert_ended",
            },
        ),
    ):
        found = {
            name
            for package in (agents, handlers, bot)
            for name, node in _functions(package, called)
            if any(isinstance(one, ast.Call) and called in _names(one.func) for one in ast.walk(node))
        }
        assert found == callers


def test_whatever_answers_a_person_lists_runs_and_proposals_of_visible_incidents_only() -> None:
    """All runs and all proposals of a tenant are for the system itself: to stop them, to take them up again."""
    listing = {"running_investigations", "open_approvals"}
    for package in (handlers, agents):
        for name, node in _functions(package, *listing):
            for call in ast.walk(node):
                if not isinstance(call, ast.Call) or not _names(call.func) & listing:
                    continue
                if name.startswith("handlers/"):
                    assert {keyword.arg for keyword in call.keywords} == {"of"}, name
    assert Sight().covers("C1") is False
