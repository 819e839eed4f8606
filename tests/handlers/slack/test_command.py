"""Finding a command."""

import pytest

from agents.permission import Permission
from handlers.slack.command import describe_commands, discover_commands, find_command
from store.people.users import Role


@pytest.mark.parametrize(
    ("text", "name", "rest"),
    [
        ("status", "status", ""),
        ("  INVESTIGATE   checkout  is down ", "investigate", "checkout  is down"),
        ("approve list", "approvals", ""),
        ("approve", "approvals", ""),
        ("approvals", "approvals", ""),
        ("stop 12", "stop", "12"),
    ],
)
def test_a_command_is_found_by_name_or_alias(text: str, name: str, rest: str) -> None:
    found = find_command(text)
    assert found is not None
    assert (found[0].name, found[1].strip()) == (name, rest)


@pytest.mark.parametrize("text", ["", "stopp", "statusquo", "list"])
def test_anything_else_is_none(text: str) -> None:
    assert find_command(text) is None


def test_every_command_declares_its_permission() -> None:
    assert {name: command.permission for name, command in discover_commands().items()} == {
        "alerts": Permission.READ,
        "approvals": Permission.READ,
        "connect": Permission.CONNECT,
        "disconnect": Permission.CONNECT,
        "false_alarm": Permission.INVESTIGATE,
        "help": Permission.READ,
        "incidents": Permission.READ,
        "integrations": Permission.READ,
        "investigate": Permission.INVESTIGATE,
        "policy": Permission.READ,
        "resolve": Permission.INVESTIGATE,
        "services": Permission.READ,
        "status": Permission.READ,
        "stop": Permission.INVESTIGATE,
        "webhook": Permission.CONNECT,
    }


def test_names_and_aliases_are_unique() -> None:
    names = [n for command in discover_commands().values() for n in (command.name, *command.aliases)]
    assert len(names) == len(set(names))


def test_help_leaves_out_what_the_role_may_not_do() -> None:
    assert "investigate" not in describe_commands(Role.VIEWER)
    assert "investigate" in describe_commands(Role.ADMIN)
