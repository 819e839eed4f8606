"""What the doctor finds, on a real local workspace, a real store and a fake of the Messages API."""

import asyncio
import copy
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from fakes.messages_api import MessagesApi, serving
from fakes.prometheus import fake_prometheus

from bot.demo.workspace import ManualClock, Workspace
from bot.doctor import examine
from bot.doctor.finding import DoctorFinding, FindingMark
from bot.doctor.slack import granted_scopes
from bot.doctor.variables import read_settings
from bot.manifest import load_manifest
from bot.opening import open_database
from bot.settings import Settings
from store.database.migrations import migrate, migrate_keyring
from store.keys.local_keys import LocalFileKeys
from store.secrets.redaction import Secret
from store.tenancy.connections import save_connection
from store.tenancy.lacking import STOP_BUTTON, note_lacking
from store.tenancy.tenants import SlackInstall, create_tenant, save_install

Lines = list[str]
Examine = Callable[..., Any]
ALL_VARIABLES = [
    str(field.validation_alias or f"AUTOHEAL_{name.upper()}") for name, field in Settings.model_fields.items()
]


@pytest.fixture
def configured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., None]:
    """Sets environment variables; all others of ours are unset, and the data folder is an empty one."""
    for name in ALL_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AUTOHEAL_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("AUTOHEAL_SHRED_MARK", str(tmp_path / "shred-mark.json"))

    def set_all(**values: str) -> None:
        for name, value in values.items():
            monkeypatch.setenv(name, value)

    return set_all


@pytest.fixture
async def workspace() -> AsyncIterator[Workspace]:
    async with running(load_manifest()) as started:
        yield started


class running:  # noqa: N801 - reads as a verb where it is used
    def __init__(self, manifest: dict[str, Any]) -> None:
        self._workspace = Workspace(manifest, clock=ManualClock())

    async def __aenter__(self) -> Workspace:
        await self._workspace.start()
        return self._workspace

    async def __aexit__(self, *_: object) -> None:
        await self._workspace.stop()


@pytest.fixture
def connected(configured: Callable[..., None], workspace: Workspace) -> Callable[..., None]:
    """As `configured`, with a workspace and both its tokens."""
    configured(
        SLACK_API_URL=workspace.api_url, SLACK_BOT_TOKEN=workspace.bot_token, SLACK_APP_TOKEN=workspace.app_token
    )
    return configured


@pytest.fixture
def look(capsys: pytest.CaptureFixture[str]) -> Examine:
    """Runs the doctor: exit code, printed lines."""

    async def run(**options: float) -> tuple[int, Lines]:
        code = await examine(**options)
        return code, capsys.readouterr().out.splitlines()

    return run


def line_of(lines: Lines, subject: str) -> str:
    (found,) = [line for line in lines if line[8:].strip().startswith(f"{subject}:")]
    return found


async def test_all_is_well_with_a_connected_workspace(connected: object, look: Examine) -> None:
    code, lines = await look()
    assert code == 0, lines
    assert lines[-1] == "Nothing to mend."
    assert not [line for line in lines if line.startswith(FindingMark.PROBLEM)]
    assert line_of(lines, "Slack bot token").startswith("ok")
    assert "all 11 of the manifest" in line_of(lines, "Slack scopes")
    assert "#incidents" in line_of(lines, "Slack channels")
    assert "Socket Mode can be opened" in line_of(lines, "Slack app token")
    assert "offline investigator only" in line_of(lines, "Claude")


async def test_it_refuses_nothing_of_the_strict_workspace(
    connected: object, workspace: Workspace, look: Examine
) -> None:
    await look()
    assert workspace.violations == []


async def test_it_says_what_it_cannot_test(connected: object, look: Examine) -> None:
    _, lines = await look()
    assert "cannot be tested" in line_of(lines, "Slack events")


async def test_all_wrong_settings_come_at_once_and_the_rest_is_tested(
    configured: Callable[..., None], look: Examine
) -> None:
    configured(AUTOHEAL_HTTP_PORT="many", AUTOHEAL_MODE="pigeon", SLACK_BOT_TOKEN="wrong-kind-of-token")
    code, lines = await look()
    assert code == 1
    for name in ("AUTOHEAL_HTTP_PORT", "AUTOHEAL_MODE", "SLACK_BOT_TOKEN", "SLACK_APP_TOKEN"):
        assert " -> " in line_of(lines, name)
    assert line_of(lines, "data folder").startswith("ok")
    assert lines[-1] == "4 to mend."
    assert "wrong-kind-of-token" not in "\n".join(lines)


def test_a_variable_is_named_once(configured: Callable[..., None]) -> None:
    configured(SLACK_BOT_TOKEN="wrong")
    _, wrong = read_settings()
    assert sorted(finding.subject for finding in wrong) == ["SLACK_APP_TOKEN", "SLACK_BOT_TOKEN"]


async def test_a_refused_bot_token_names_its_variable(connected: Callable[..., None], look: Examine) -> None:
    connected(SLACK_BOT_TOKEN="xoxb-somebody-elses")
    code, lines = await look()
    assert code == 1
    assert "invalid_auth" in line_of(lines, "Slack bot token")
    assert "SLACK_BOT_TOKEN" in line_of(lines, "Slack bot token")
    assert "xoxb-somebody-elses" not in "\n".join(lines)


async def test_a_refused_app_token_names_its_variable(connected: Callable[..., None], look: Examine) -> None:
    connected(SLACK_APP_TOKEN="xapp-somebody-elses")
    code, lines = await look()
    assert code == 1
    assert "connections:write" in line_of(lines, "Slack app token")
    assert "xapp-somebody-elses" not in "\n".join(lines)


async def test_scopes_that_were_not_granted_are_named(configured: Callable[..., None], look: Examine) -> None:
    manifest = copy.deepcopy(load_manifest())
    manifest["oauth_config"]["scopes"]["bot"].remove("groups:history")
    manifest["settings"]["event_subscriptions"]["bot_events"].remove("message.groups")
    async with running(manifest) as older:
        configured(SLACK_API_URL=older.api_url, SLACK_BOT_TOKEN=older.bot_token, SLACK_APP_TOKEN=older.app_token)
        code, lines = await look()
    assert code == 1
    assert "not granted: groups:history" in line_of(lines, "Slack scopes")
    assert "reinstall" in line_of(lines, "Slack scopes")


async def test_a_bot_in_no_channel_is_told_to_be_invited(
    connected: object, workspace: Workspace, look: Examine
) -> None:
    for name, channel in workspace.channels.items():
        if not name.startswith("dm:"):
            channel.members.discard(workspace.bot_user_id)
    code, lines = await look()
    assert code == 1
    assert "/invite @autoheal" in line_of(lines, "Slack channels")


async def test_slack_that_cannot_be_reached_is_a_problem(connected: Callable[..., None], look: Examine) -> None:
    connected(SLACK_API_URL="http://127.0.0.1:9/api/")
    code, lines = await look()
    assert code == 1
    assert "cannot be reached" in line_of(lines, "Slack bot token")


async def test_a_check_that_hangs_ends_at_its_time_out(connected: object, workspace: Workspace, look: Examine) -> None:
    workspace.faults.slow("auth.test", 3600.0)  # on a clock that nobody moves
    async with asyncio.timeout(60):
        code, lines = await look(check_s=0.5)
    assert code == 1
    assert "no answer within 0.5 s" in line_of(lines, "Slack")
    assert "offline investigator" in line_of(lines, "Claude")


async def test_where_workspaces_install_the_app_the_address_is_told(
    configured: Callable[..., None], look: Examine, workspace: Workspace
) -> None:
    configured(SLACK_API_URL=workspace.api_url, SLACK_CLIENT_ID="1.2", AUTOHEAL_MODE="http", SLACK_SIGNING_SECRET="s")
    _, lines = await look()
    assert line_of(lines, "Slack installation").startswith(FindingMark.PROBLEM)
    configured(
        SLACK_CLIENT_SECRET="s3cret-of-the-app",
        AUTOHEAL_PUBLIC_URL="https://autoheal.example.com",
        AUTOHEAL_SLACK_WORKSPACES="T0ACME",
    )
    _, lines = await look()
    told = line_of(lines, "Slack installation")
    assert "T0ACME may install the app at https://autoheal.example.com/slack/install" in told
    assert not [line for line in lines if "s3cret-of-the-app" in line]


async def test_in_http_mode_the_signing_secret_is_asked_for(connected: Callable[..., None], look: Examine) -> None:
    connected(AUTOHEAL_MODE="http")
    code, lines = await look()
    assert code == 1
    assert line_of(lines, "SLACK_SIGNING_SECRET").startswith(FindingMark.PROBLEM)
    connected(AUTOHEAL_MODE="http", SLACK_SIGNING_SECRET="8f742231b10e8888abcd99yyyzzz85a5")
    code, lines = await look()
    assert code == 0
    assert "8f742231b10e8888abcd99yyyzzz85a5" not in "\n".join(lines)


@pytest.mark.parametrize(("key", "model", "right"), [("sk-test", "", True), ("sk-other-key", "", False)])
async def test_the_model_key_is_tried(
    connected: Callable[..., None], look: Examine, key: str, model: str, right: Any
) -> None:
    with serving(MessagesApi([])) as base_url:
        connected(ANTHROPIC_API_KEY=key, ANTHROPIC_BASE_URL=base_url)
        code, lines = await look()
    assert (code == 0) is right
    assert line_of(lines, "Claude").startswith("ok" if right else "problem")
    assert key not in "\n".join(lines)


async def test_an_unknown_model_names_its_variable(connected: Callable[..., None], look: Examine) -> None:
    connected(ANTHROPIC_API_KEY="sk-test", AUTOHEAL_MODEL="claude-unheard-of")
    code, lines = await look()
    assert code == 1
    assert "AUTOHEAL_MODEL" in line_of(lines, "Claude")


async def test_a_key_file_that_others_can_read_is_a_problem(connected: object, look: Examine, tmp_path: Path) -> None:
    LocalFileKeys(tmp_path / "data" / "master.key")
    (tmp_path / "data" / "master.key").chmod(0o644)
    code, lines = await look()
    assert code == 1
    assert "chmod 600" in line_of(lines, "master key")


async def test_a_key_file_that_does_not_fit_the_data_is_a_problem(
    connected: object, look: Examine, tmp_path: Path
) -> None:
    folder = tmp_path / "data"
    wrapped = await LocalFileKeys(folder / "first.key").wrap(b"0" * 32, context={"purpose": "engine"})
    (folder / "engine.key").write_bytes(wrapped)
    LocalFileKeys(folder / "master.key")
    code, lines = await look()
    assert code == 1
    assert line_of(lines, "master key").startswith(FindingMark.PROBLEM)


async def test_a_master_key_in_a_file_is_named_as_unfit_for_production(
    connected: object, look: Examine, tmp_path: Path
) -> None:
    LocalFileKeys(tmp_path / "data" / "master.key")
    _, lines = await look()
    assert any(line.startswith(FindingMark.NOTE) and "not for production" in line for line in lines)


async def test_a_ledger_beside_its_keyring_and_master_key_fails_p16_and_a_mark_or_a_ledger_elsewhere_does_not(
    connected: Callable[..., None], look: Examine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    LocalFileKeys(tmp_path / "data" / "master.key")
    monkeypatch.delenv("AUTOHEAL_SHRED_MARK")
    for inside in ({}, {"AUTOHEAL_SHRED_MARK": str(tmp_path / "data" / "deeper" / "mark.json")}):
        connected(**inside)
        code, lines = await look()
        assert (code, line_of(lines, "P16").startswith(FindingMark.PROBLEM)) == (1, True)
        assert "AUTOHEAL_SHRED_MARK" in "".join(lines)
    connected(AUTOHEAL_SHRED_MARK=str(tmp_path / "mark.json"))
    _, lines = await look()
    assert not any("P16" in line for line in lines)
    monkeypatch.delenv("AUTOHEAL_SHRED_MARK")
    connected(AUTOHEAL_SHRED_LEDGER=str(tmp_path / "apart" / "ledger.jsonl"))
    _, lines = await look()
    assert not any("P16" in line for line in lines)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"AUTOHEAL_KEYS": "aws-kms"}, "AUTOHEAL_KMS_KEY_ARN is not set"),
        (
            {
                "AUTOHEAL_KEYS": "vault",
                "AUTOHEAL_VAULT_ADDRESS": "http://127.0.0.1:1",
                "AUTOHEAL_VAULT_KEY": "autoheal",
                "AUTOHEAL_VAULT_TOKEN": "hvs.planted",
            },
            "start it, unseal it",
        ),
    ],
)
async def test_a_key_service_is_tried(
    connected: Callable[..., None], look: Examine, tmp_path: Path, given: dict[str, str], words: str
) -> None:
    (tmp_path / "data").mkdir()
    connected(**given)
    code, lines = await look()
    assert code == 1
    assert words in line_of(lines, f"master key in {given['AUTOHEAL_KEYS']}")
    assert "hvs.planted" not in "\n".join(lines)


async def test_a_shred_ledger_that_was_changed_is_a_problem(connected: object, look: Examine, tmp_path: Path) -> None:
    LocalFileKeys(tmp_path / "data" / "master.key")
    (tmp_path / "data" / "shred-ledger.jsonl").write_text("{}\n")
    code, lines = await look()
    assert code == 1
    assert "changed at line 1" in line_of(lines, "shred ledger")


async def test_a_lost_key_file_is_not_quietly_made_anew(connected: object, look: Examine, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "keyring.db").touch()
    code, lines = await look()
    assert code == 1
    assert "restore it" in line_of(lines, "master key")
    assert not (tmp_path / "data" / "master.key").exists()


async def test_migrated_databases_are_well_and_others_are_not(connected: object, look: Examine, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    await migrate(f"sqlite:///{folder}/autoheal.db")
    (folder / "keyring.db").touch()
    LocalFileKeys(folder / "master.key")
    code, lines = await look()
    assert code == 1
    assert line_of(lines, "database").startswith("ok")
    assert "autoheal migrate" in line_of(lines, "keyring")
    await migrate_keyring(f"sqlite:///{folder}/keyring.db")
    code, lines = await look()
    assert code == 0
    assert line_of(lines, "keyring").startswith("ok")


async def test_a_database_that_does_not_answer_is_a_problem_without_its_password(
    connected: Callable[..., None], look: Examine
) -> None:
    connected(
        AUTOHEAL_DATABASE_URL="postgresql://autoheal:planted-password@127.0.0.1:9/autoheal",
        AUTOHEAL_KEYRING_URL="no address at all",
    )
    code, lines = await look()
    assert code == 1
    assert "AUTOHEAL_DATABASE_URL" in line_of(lines, "database")
    assert "AUTOHEAL_KEYRING_URL" in line_of(lines, "keyring")
    assert line_of(lines, "engine").startswith(FindingMark.PROBLEM)
    assert "planted-password" not in "\n".join(lines)


HOLD_THE_SLOT = """
import asyncio, sys
from agents.durable.process_lock import take_process_lock
slot = asyncio.run(take_process_lock("sqlite:///unused", sys.argv[1]))
print("taken", flush=True)
sys.stdin.read()
"""


async def test_a_running_process_is_no_problem(connected: object, look: Examine, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    other = await asyncio.create_subprocess_exec(
        sys.executable, "-c", HOLD_THE_SLOT, str(tmp_path / "data"), stdin=PIPE, stdout=PIPE
    )
    assert other.stdout is not None
    await other.stdout.readline()
    code, lines = await look()
    await other.communicate(b"")
    assert code == 0
    assert "is running here" in line_of(lines, "engine")


async def test_it_leaves_no_trace(connected: object, look: Examine, tmp_path: Path) -> None:
    await look()
    assert not (tmp_path / "data").exists()


OPERATOR_FILE = """
tenant = "{tenant}"
[[service]]
name = "checkout"
[connectors.logfiles]
roots = ["{folder}"]
files = {{ checkout = "checkout.log" }}
[[connectors.commands.command]]
name = "restart"
action = "restart_service"
risk = "medium"
verify = "restart_service"
argv = ["{program}", "{{service}}"]
"""


async def test_each_connector_is_tested_and_a_missing_program_is_named(
    connected: Callable[..., None], look: Examine, tmp_path: Path
) -> None:
    path = tmp_path / "autoheal.toml"
    connected(AUTOHEAL_OPERATOR_FILE=str(path))
    path.write_text(OPERATOR_FILE.format(tenant="default", folder=tmp_path, program="/nonexistent/deploy"))
    code, lines = await look()
    assert code == 1
    assert line_of(lines, "Log files").startswith(FindingMark.PROBLEM)
    assert "/nonexistent/deploy" in line_of(lines, "Commands")
    (tmp_path / "checkout.log").write_text('{"time": "2026-11-05T02:41:00Z", "msg": "up"}\n')
    path.write_text(OPERATOR_FILE.format(tenant="default", folder=tmp_path, program="/bin/true"))
    code, lines = await look()
    assert code == 0, lines
    assert line_of(lines, "Log files").startswith("ok")
    assert line_of(lines, "Commands").startswith("ok")


async def test_what_people_connected_is_tested_and_named_without_its_secret(
    connected: Callable[..., None], look: Examine, tmp_path: Path
) -> None:
    token, file = "glsa-3f9Kd82hQz71LmNb", tmp_path / "autoheal.toml"
    file.write_text('tenant = "default"\n[egress.connections]\neu = ["127.0.0.0/8"]\n[[service]]\nname = "checkout"\n')
    connected(AUTOHEAL_OPERATOR_FILE=str(file))
    settings, _ = read_settings()
    assert settings is not None
    async with fake_prometheus(token=token) as prometheus:
        async with open_database(settings) as (db, _):
            tenant = await create_tenant(db, name="Acme")
            async with db.tenant(tenant) as s:
                await save_connection(
                    s,
                    connector="prometheus",
                    label="eu",
                    config={"url": prometheus.url},
                    credentials={"token": Secret(token)},
                )
        code, lines = await look()
        assert code == 0, lines
        assert line_of(lines, "Prometheus (eu)").startswith("ok")
        prometheus.token = "another"
        code, lines = await look()
    assert code == 1
    assert "/autoheal integrations" in line_of(lines, "Prometheus (eu)")
    assert not [line for line in lines if token in line]


async def test_an_installation_without_slacks_stop_button_is_told_with_one_link(
    connected: Callable[..., None], look: Examine
) -> None:
    settings, _ = read_settings()
    assert settings is not None
    async with open_database(settings) as (db, _):
        tenant = await create_tenant(db, name="Acme")
        async with db.tenant(tenant) as s:
            install = SlackInstall(
                enterprise_id=None,
                team_id="T0LOCAL",
                is_enterprise_install=False,
                app_id="A0AUTOHEAL",
                bot_user_id="U0AUTOHEAL",
                bot_token=Secret("xoxb-of-acme"),
                installer_slack_id="",
                scopes=("chat:write",),
                installed_at=s.now(),
            )
            await save_install(s, install)
        _, lines = await look()
        assert line_of(lines, "Slack in use").startswith("ok")
        async with db.tenant(tenant) as s:
            await note_lacking(s, STOP_BUTTON, lacking=True)
        code, lines = await look()
    told = line_of(lines, "Slack in use")
    assert code == 1
    assert "Stop button stops nothing" in told
    assert told.count("https://api.slack.com/apps/A0AUTOHEAL/install-on-team") == 1


async def test_a_bug_in_a_connectors_test_is_a_line_and_the_others_are_tested(
    connected: Callable[..., None], look: Examine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(_: Any) -> None:
        raise KeyError("canary")

    monkeypatch.setattr("agents.connecting.connectors.logfiles.LogFiles.check", fail)
    path = tmp_path / "autoheal.toml"
    connected(AUTOHEAL_OPERATOR_FILE=str(path))
    path.write_text(OPERATOR_FILE.format(tenant="default", folder=tmp_path, program="/bin/true"))
    code, lines = await look()
    assert code == 1
    assert "failed inside Autoheal (KeyError)" in line_of(lines, "Log files")
    assert line_of(lines, "Commands").startswith("ok")
    assert "canary" not in "".join(lines)


async def test_an_operators_file_for_another_workspace_is_a_problem(
    connected: Callable[..., None], look: Examine, tmp_path: Path
) -> None:
    path = tmp_path / "autoheal.toml"
    (tmp_path / "checkout.log").touch()
    path.write_text(OPERATOR_FILE.format(tenant="T0ELSEWHERE", folder=tmp_path, program="/bin/true"))
    connected(AUTOHEAL_OPERATOR_FILE=str(path))
    code, lines = await look()
    assert code == 1
    assert "T0ELSEWHERE" in line_of(lines, "this host's sources")


async def test_every_fault_of_the_operators_file_is_a_line(
    connected: Callable[..., None], look: Examine, tmp_path: Path
) -> None:
    path = tmp_path / "autoheal.toml"
    path.write_text('colour = "blue"\n[[service]]\nname = "Not A Name"\n')
    connected(AUTOHEAL_OPERATOR_FILE=str(path))
    code, lines = await look()
    assert code == 1
    wrong = [line for line in lines if "operator's file" in line and line.startswith(FindingMark.PROBLEM)]
    assert any("colour" in line for line in wrong)
    assert any("service.0.name" in line for line in wrong)


def test_scopes_are_read_from_any_spelling_of_the_header() -> None:
    assert granted_scopes({"X-OAuth-Scopes": "chat:write, commands"}) == {"chat:write", "commands"}
    assert granted_scopes({"x-oauth-scopes": ["chat:write"]}) == {"chat:write"}
    assert granted_scopes({}) == frozenset()


def test_a_finding_is_one_line() -> None:
    finding = DoctorFinding(mark=FindingMark.PROBLEM, subject="it", detail="two\nlines", next_action="do")
    assert finding.line() == "problem  it: two lines -> do"
