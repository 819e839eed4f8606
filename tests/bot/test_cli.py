"""The command line: what a person sees who types something wrong."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bot.cli import discover_subcommands, main

ROOT = Path(__file__).resolve().parents[2]
COMMANDS = [name for name, _ in discover_subcommands()]


def run(*arguments: str, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """`python -m bot ...` in a process of its own, with none of our variables but those given."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("AUTOHEAL_", "SLACK_", "ANTHROPIC"))}
    return subprocess.run(
        [sys.executable, "-m", "bot", *arguments],
        env={**kept, "PYTHONPATH": str(ROOT), "AUTOHEAL_DATA": str(folder / "data"), **variables},
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )


def test_no_command_shows_all_commands(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    said = capsys.readouterr().out
    assert [command for command in COMMANDS if command not in said] == []


def test_commands_stand_in_the_order_in_which_one_needs_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert COMMANDS[:4] == ["setup", "doctor", "serve", "demo"]
    main([])
    said = capsys.readouterr().out
    lines = [line for line in said.splitlines() if line.startswith("    ") and line.strip()]
    shown = [line.split()[0] for line in lines if line.split()[0] in COMMANDS]
    assert shown[:4] == COMMANDS[:4]


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith("autoheal ")


@pytest.fixture
def nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in os.environ:
        if name.startswith(("AUTOHEAL_", "SLACK_", "ANTHROPIC")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AUTOHEAL_DATA", str(tmp_path / "data"))


@pytest.mark.usefixtures("nothing_set")
def test_the_demo_asks_claude_only_where_it_is_told_to(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "--claude", "--headless"]) == 2
    assert "ANTHROPIC_API_KEY" in capsys.readouterr().err


def test_an_unknown_command_shows_help_and_ends_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["heal-everything"])
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert "usage: autoheal" in said
    assert "heal-everything" in said


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_has_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([command, "--help"])
    assert ended.value.code == 0
    assert f"autoheal {command}" in capsys.readouterr().out


def test_each_command_is_described() -> None:
    assert {"serve", "demo", "setup", "doctor", "tenant", "migrate"} <= set(COMMANDS)
    assert [name for name, module in discover_subcommands() if not (module.__doc__ and module.HELP)] == []


@pytest.mark.usefixtures("nothing_set")
def test_serve_without_settings_names_each_variable_and_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve"]) == 2
    said = capsys.readouterr().err
    assert "SLACK_BOT_TOKEN is not set" in said
    assert "SLACK_APP_TOKEN is not set" in said
    assert "autoheal setup" in said
    assert "Traceback" not in said


@pytest.mark.usefixtures("nothing_set")
def test_a_wrong_setting_is_named_without_its_value(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SLACK_BOT_TOKEN", "planted-token")
    monkeypatch.setenv("AUTOHEAL_RUN_USD", "much")
    assert main(["serve"]) == 2
    said = capsys.readouterr().err
    assert "SLACK_BOT_TOKEN: starts with xoxb-" in said
    assert "AUTOHEAL_RUN_USD" in said
    assert "planted-token" not in said
    assert "Traceback" not in said


@pytest.mark.slow
def test_migrate_makes_the_databases_and_may_be_repeated(tmp_path: Path) -> None:
    for _ in range(2):
        done = run("migrate", folder=tmp_path)
        assert done.returncode == 0, done.stderr
    assert {path.name for path in (tmp_path / "data").glob("*.db")} >= {"autoheal.db", "keyring.db"}


@pytest.mark.slow
def test_doctor_tells_by_its_exit_code(tmp_path: Path) -> None:
    done = run("doctor", folder=tmp_path)
    assert done.returncode == 1
    assert "problem  SLACK_BOT_TOKEN" in done.stdout
    assert done.stderr == ""


def test_setup_needs_no_settings(tmp_path: Path) -> None:
    done = run("setup", folder=tmp_path)
    assert done.returncode == 0
    assert "https://api.slack.com/apps?new_app=1" in done.stdout
    assert not (tmp_path / "data").exists()


@pytest.mark.usefixtures("nothing_set")
def test_an_unknown_scenario_names_those_that_exist(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "--headless", "--scenario", "meteor"]) == 2
    said = capsys.readouterr().err
    assert "meteor" in said
    assert "config-cut" in said


@pytest.mark.slow
def test_a_database_that_is_away_is_named_and_another_try_is_advised(tmp_path: Path) -> None:
    url = "postgresql://autoheal:planted-password@127.0.0.1:1/autoheal"
    done = run("migrate", folder=tmp_path, AUTOHEAL_DATABASE_URL=url, AUTOHEAL_KEYRING_URL=url)
    assert done.returncode == 75
    assert "Try again later: the database does not answer" in done.stderr
    assert "Traceback" not in done.stderr
    assert "planted-password" not in done.stderr


def test_a_bug_keeps_its_traceback_and_has_a_code_of_its_own(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(_chosen: object) -> int:
        raise KeyError("ours")

    monkeypatch.setattr(dict(discover_subcommands())["setup"], "run", fails)
    assert main(["setup"]) == 70
    assert "Traceback" in capsys.readouterr().err
