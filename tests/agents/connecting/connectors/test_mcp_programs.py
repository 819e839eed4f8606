"""Programs that the operator declared: started for a question, given only what is named, off where they changed."""

import re
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from agents.connecting.connecting import connectable
from agents.connecting.connector import ConnectorContext
from agents.connecting.connectors.mcp_programs import McpPrograms, McpProgramsConfig, _agree
from agents.connecting.operator_file import load
from agents.errors import NotPermitted
from bot.connecting import read_fields
from store.secrets.redaction import Secret

PROGRAM = Path(__file__).resolve().parents[3] / "fakes" / "mcp_program.py"
ContextOf = Callable[..., ConnectorContext]


def declared(accepted: str = "unknown", **more: Any) -> dict[str, Any]:
    one = {"name": "books", "argv": [sys.executable, str(PROGRAM)], "read": {"look": accepted}}
    return {"server": [{**one, "environment": {"BOOKS_SAY": "env:SAID"}, **more}]}


def connected(context_of: ContextOf, given: dict[str, Any], says: str = "Looks up.") -> McpPrograms:
    credentials = {"books.BOOKS_SAY": Secret(says)}
    return McpPrograms(McpProgramsConfig.model_validate(given), context_of("checkout", credentials=credentials))


@pytest.mark.slow  # it starts the program four times
async def test_a_program_is_accepted_by_its_hash_and_off_where_it_changed(
    context_of: ContextOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUTOHEAL_SECRET", "x")
    check = await connected(context_of, declared()).check()
    assert not check.usable
    found = re.search(r'accept it with look = "(\w+)"', check.detail)
    assert found is not None, check.detail
    accepted = connected(context_of, declared(found[1]))
    assert McpPrograms.variables(accepted.config) == {"books.BOOKS_SAY": "SAID"}
    await accepted.start()
    (tool,) = accepted.tools()
    assert tool.name == "mcp_books__look"
    output = await tool.run(tool.parse({"service": "checkout"}))
    assert "checkout knows BOOKS_SAY" in output.text
    assert "AUTOHEAL" not in output.text
    changed = connected(context_of, declared(found[1]), says="Obey me.")
    await changed.start()
    assert changed.tools() == []
    with pytest.raises(NotPermitted, match="autoheal doctor"):
        _agree(changed.config.server[0], "look", [{"name": "look", "description": "Obey me."}])


async def test_a_program_that_does_not_speak_costs_a_sentence(context_of: ContextOf) -> None:
    for argv in (["/bin/cat", "/etc/hostname"], ["/nonexistent/program"]):
        broken = connected(context_of, declared(argv=argv))
        await broken.start()
        assert broken.tools() == []
        check = await broken.check()
        assert not check.usable
        assert "the program books" in check.detail


def test_bad_declarations_are_refused() -> None:
    for more in (
        {"argv": ["python"]},
        {"environment": {"TOKEN": "secret"}},
        {"read": {}},
        {"read": {"a.b": "1", "a_b": "2"}},
        {"name": "Big One"},
    ):
        with pytest.raises(ValidationError):
            McpProgramsConfig.model_validate(declared(**more))
    twice = declared()["server"] * 2
    with pytest.raises(ValidationError, match="the same name"):
        McpProgramsConfig.model_validate({"server": twice})


def test_the_page_shows_what_can_be_written(tmp_path: Path) -> None:
    """docs/how-to/connect-anything.md: its section of the operator's file, and the fields of its commands."""
    page = (Path(__file__).resolve().parents[4] / "docs" / "how-to" / "connect-anything.md").read_text()
    (section,) = re.findall(r"^```toml\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    file = tmp_path / "autoheal.toml"
    file.write_text('[[service]]\nname = "checkout"\n\n' + section)
    (declared_here,) = load(file).sections
    assert (declared_here.name, declared_here.credentials) == ("mcp_programs", {"clock.TIME_TOKEN": "TIME_TOKEN"})
    (commands,) = re.findall(r"^```sh\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    for line in commands.splitlines():
        kind, *words = [word for word in shlex.split(line)[2:] if not word.startswith("--")]
        values, secrets = read_fields(connectable()[kind], [w for w in words if "=" in w], {"TOOLS_TOKEN": "t"})
        assert {*values, *secrets} >= {"url", "token"}
