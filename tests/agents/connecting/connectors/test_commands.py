import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from agents.connecting.connector import Actuator, ConnectorContext, RiskRated
from agents.connecting.connectors.commands import CONNECTOR, Commands, CommandsConfig, ServiceStatus
from agents.errors import BadArguments, NotPermitted, Unavailable
from agents.tool import Risk

ContextOf = Callable[..., ConnectorContext]
ECHO = "import json, os, sys; print(json.dumps([sys.argv[1:], dict(os.environ)]))"
SHA = "4f2a91b0" * 5


def command(name: str, action: str, *arguments: str, code: str = ECHO, **options: Any) -> dict[str, Any]:
    return {
        "name": name,
        "action": action,
        "argv": [sys.executable, "-c", code, *arguments],
        "risk": "medium",
        **options,
    }


def status(printed: str, **options: Any) -> dict[str, Any]:
    code = f"import sys; sys.stdout.write({printed!r})"
    return command("status", "read_target", "{service}", code=code, risk="read", **options)


RUNNING = json.dumps(
    {
        "version": SHA,
        "previous_version": None,
        "state": "running",
        "pid": 7,
        "instances": 2,
        "started_at": "2026-03-01T10:00:00+01:00",
    }
)


@pytest.fixture
def connect(context_of: ContextOf) -> Callable[..., Commands]:
    def build(*commands: dict[str, Any]) -> Commands:
        config = CommandsConfig.model_validate({"command": list(commands)})
        return Commands(config, context_of("checkout", "payments"))

    return build


async def test_an_action_runs_exactly_the_argv_that_was_shown(connect: Callable[..., Commands]) -> None:
    commands = connect(
        status(RUNNING),
        command(
            "rollback",
            "rollback_deployment",
            "{service}",
            "--to={version}",
            services=["checkout"],
            environment={"HOME": "/x"},
        ),
    )
    assert isinstance(commands, Actuator)
    assert isinstance(commands, RiskRated)
    assert commands.can("rollback_deployment", "checkout")
    assert not commands.can("rollback_deployment", "payments")
    assert commands.risk("rollback_deployment", "checkout") is Risk.MEDIUM
    parameters = {"service": "checkout", "version": SHA}
    argv = commands.argv("rollback_deployment", parameters)
    assert argv == (sys.executable, "-c", ECHO, "checkout", f"--to={SHA}")
    result = await commands.act("rollback_deployment", parameters, idempotency_key="key-1")
    assert result.ok
    arguments, environment = json.loads(result.detail.splitlines()[1])
    assert arguments == ["checkout", f"--to={SHA}"]
    environment.pop("LC_CTYPE", None)
    assert environment == {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "LC_ALL": "C.UTF-8",
        "HOME": "/x",
        "AUTOHEAL_IDEMPOTENCY_KEY": "key-1",
    }


async def test_no_shell_sees_the_arguments(connect: Callable[..., Commands], tmp_path: Path) -> None:
    hostile = f"; touch {tmp_path}/a; $(touch {tmp_path}/b) `touch {tmp_path}/c` && * ~ | > x"
    commands = connect(
        status(RUNNING),
        command(
            "tune", "tune", hostile, "{mode}", parameters={"mode": {"type": "choice", "choices": ["$(id)", "a b"]}}
        ),
    )
    for mode in ("$(id)", "a b"):
        result = await commands.act("tune", {"service": "checkout", "mode": mode}, idempotency_key="k")
        assert json.loads(result.detail.splitlines()[1])[0] == [hostile, mode]
    assert not any((tmp_path / name).exists() for name in "abc")


@pytest.mark.parametrize(
    ("action", "parameters", "fate"),
    [
        ("drop_database", {"service": "checkout"}, NotPermitted),
        ("scale", {"service": "billing", "count": "1"}, NotPermitted),
        ("scale", {"count": "1"}, NotPermitted),
        ("scale", {"service": "checkout", "count": "1", "force": "yes"}, NotPermitted),
        ("scale", {"service": "checkout", "count": "1", "version": SHA}, NotPermitted),
        ("scale", {"service": "checkout"}, BadArguments),
        ("scale", {"service": "checkout", "count": "0"}, BadArguments),
        ("scale", {"service": "checkout", "count": "11"}, BadArguments),
        ("scale", {"service": "checkout", "count": "1; id"}, BadArguments),
        ("scale", {"service": "checkout", "count": "１"}, BadArguments),
        ("scale", {"service": "checkout", "count": "1\n"}, BadArguments),
        ("rollback_deployment", {"service": "checkout", "version": "main"}, BadArguments),
        ("rollback_deployment", {"service": "checkout", "version": "--force"}, BadArguments),
        ("rollback_deployment", {"service": "checkout", "version": SHA + "\n"}, BadArguments),
        ("read_target", {"service": "checkout"}, NotPermitted),
    ],
)
async def test_what_is_undeclared_or_ill_typed_runs_nothing(
    connect: Callable[..., Commands], tmp_path: Path, action: str, parameters: dict[str, str], fate: type[Exception]
) -> None:
    touch = f"open({str(tmp_path / 'ran')!r}, 'w')"
    commands = connect(
        command("status", "read_target", code=touch, risk="read"),
        command("scale", "scale", "{count}", code=touch, parameters={"count": {"type": "int", "min": 1, "max": 10}}),
        command("rollback", "rollback_deployment", "{version}", code=touch),
    )
    with pytest.raises(fate):
        await commands.act(action, parameters, idempotency_key="k")
    assert not (tmp_path / "ran").exists()


async def test_a_failing_program_is_a_failed_result_with_what_it_said(connect: Callable[..., Commands]) -> None:
    commands = connect(
        status(RUNNING), command("restart", "restart_service", code="import sys; print('a'); sys.exit('no such unit')")
    )
    result = await commands.act("restart_service", {"service": "checkout"}, idempotency_key="k")
    assert (result.ok, result.detail) == (False, "exit code 1\na\nno such unit")


async def test_a_program_that_hangs_is_killed_and_its_effect_is_unknown(connect: Callable[..., Commands]) -> None:
    commands = connect(
        status(RUNNING), command("restart", "restart_service", code="import time; time.sleep(60)", timeout_s=0.1)
    )
    with pytest.raises(Unavailable, match="not known"):
        await commands.act("restart_service", {"service": "checkout"}, idempotency_key="k")


async def test_output_is_capped(connect: Callable[..., Commands]) -> None:
    commands = connect(
        status(RUNNING), command("restart", "restart_service", code="print('x' * 100_000)", max_output_bytes=200)
    )
    result = await commands.act("restart_service", {"service": "checkout"}, idempotency_key="k")
    assert result.ok
    assert result.detail == "exit code 0 [only the newest 200 bytes of what it printed are kept]\n" + "x" * 199


async def test_the_newest_output_is_kept_of_reads_and_actions_and_a_secret_at_the_cut_is_not_shown(
    connect: Callable[..., Commands],
) -> None:
    noise = "print('line of noise\\n' * 5_000); "
    code = f"print('api_key =', 'hunter2secret' * 1_000, flush=True); {noise}print('the reason it failed')"
    commands = connect(
        status(RUNNING),
        command("restart", "restart_service", code=code, max_output_bytes=200),
        command("why", "explain", code=code, max_output_bytes=200, risk="read"),
    )
    (why,) = (tool for tool in commands.tools() if tool.name == "why")
    read = await why.run(why.parse({"service": "checkout"}))
    acted = await commands.act("restart_service", {"service": "checkout"}, idempotency_key="k")
    for said in (read.text, acted.detail):
        assert said.endswith("line of noise\n\nthe reason it failed")
        assert len(said) < 300
    assert read.gap == "why: only the newest 200 bytes of what it printed are kept"
    cut_inside = "import sys; sys.stdout.write('api_key = ' + 'hunter2secret' * 2_000 + '\\nlast')"
    commands = connect(status(RUNNING), command("restart", "restart_service", code=cut_inside, max_output_bytes=200))
    acted = await commands.act("restart_service", {"service": "checkout"}, idempotency_key="k")
    assert acted.detail.endswith("\nlast")
    assert "hunter2" not in acted.detail


@pytest.mark.parametrize("printed", [RUNNING, json.dumps(dict.fromkeys(("checkout", "payments"), json.loads(RUNNING)))])
async def test_the_target_is_read_from_the_programs_json(connect: Callable[..., Commands], printed: str) -> None:
    commands = connect(status(printed))
    target = await commands.read_target("checkout")
    assert (target.service, target.version, target.previous_version) == ("checkout", SHA, None)
    assert (target.state, target.instances) == ("running", 2)
    assert target.started_at == datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
    shown = await commands.service_status(ServiceStatus(service="checkout"))
    assert shown.facts["version"] == SHA
    assert (await commands.check()).ok


@pytest.mark.parametrize(
    ("printed", "said"),
    [
        ("running", "did not print JSON"),
        ("[]", "unusable the document"),
        ('{"state": "running"}', "unusable version"),
        ('{"version": "$(id)", "state": "x", "started_at": "yesterday"}', "unusable version, started_at"),
    ],
)
async def test_an_unusable_answer_of_the_target_is_unavailable(
    connect: Callable[..., Commands], printed: str, said: str
) -> None:
    commands = connect(status(printed))
    with pytest.raises(Unavailable, match=said):
        await commands.read_target("checkout")
    assert not (await commands.check()).ok


async def test_a_target_command_that_fails_is_unavailable(connect: Callable[..., Commands]) -> None:
    commands = connect(command("status", "read_target", code="import sys; sys.exit('shop is down')", risk="read"))
    with pytest.raises(Unavailable, match="shop is down"):
        await commands.read_target("checkout")
    with pytest.raises(NotPermitted):
        await commands.read_target("billing")


async def test_only_commands_with_risk_read_are_tools(connect: Callable[..., Commands]) -> None:
    commands = connect(
        status(RUNNING),
        command("restart", "restart_service"),
        command(
            "disk_use",
            "disk_use",
            "{unit}",
            risk="read",
            services=["checkout"],
            parameters={"unit": {"type": "choice", "choices": ["kb", "mb"]}},
        ),
    )
    tools = {tool.name: tool for tool in commands.tools()}
    assert set(tools) == {"service_status", "disk_use"}
    disk_use = tools["disk_use"]
    assert disk_use.risk is Risk.READ
    output = await disk_use.run(disk_use.parse({"service": "checkout", "unit": "mb"}))
    assert json.loads(output.text)[0] == ["mb"]
    with pytest.raises(BadArguments):
        await disk_use.run(disk_use.parse({"service": "checkout", "unit": "tb"}))
    with pytest.raises(NotPermitted):
        await disk_use.run(disk_use.parse({"service": "payments", "unit": "mb"}))
    with pytest.raises(BadArguments):
        disk_use.parse({"service": "checkout", "unit": "mb", "more": 1})


@pytest.mark.parametrize(
    ("commands", "said"),
    [
        ([command("a", "a", "{what}", risk="read")], "what"),
        ([command("a", "a", risk="read", parameters={"x": {"type": "int"}})], "does not use"),
        ([{"name": "a", "action": "a", "argv": ["sh", "-c"], "risk": "read"}], "absolute path"),
        ([{"name": "a", "action": "a", "argv": ["/bin/{service}"], "risk": "read"}], "absolute path"),
        ([command("a", "a")], "read_target, which no command has"),
        ([command("a", "a", risk="read"), command("a", "b", risk="read")], "same name"),
        ([command("a", "read_target", risk="low")], "risk"),
        ([status(RUNNING), command("b", "b", undo="c")], "the action c"),
        ([command("a", "a", risk="harmless")], "risk"),
        ([], "at least 1"),
    ],
)
def test_a_declaration_that_cannot_work_is_refused(commands: list[dict[str, Any]], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        CommandsConfig.model_validate({"command": commands})


def test_it_is_a_host_connector() -> None:
    assert CONNECTOR.host
