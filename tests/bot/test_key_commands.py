"""The operator's commands for keys: each says what it did, what is half done, and how it goes on."""

import asyncio
from pathlib import Path

import pytest

from agents.durable.engine import EngineSettings
from bot.assemble import engine_settings
from bot.cli import main
from bot.master_keys import account_secret, open_master_keys
from bot.opening import open_database
from bot.settings import Settings, SettingsError, load_settings
from store import audit
from store.errors import WrongMasterKey
from store.ids import TenantId
from store.keys.local_keys import LocalFileKeys
from store.secrets.redaction import Secret
from store.tenancy.connections import connections, save_connection
from store.tenancy.tenants import create_tenant

ARN = "arn:aws:kms:us-east-1:123456789012:key/11111111-2222-3333-4444-555555555555"


@pytest.fixture
async def tenant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TenantId:
    monkeypatch.setenv("AUTOHEAL_DATA", str(tmp_path))
    async with open_database(load_settings()) as (db, keys):
        made = await create_tenant(db, name="Acme")
        await engine_settings(load_settings(), keys)
        async with db.tenant(made) as s:
            await save_connection(s, connector="git", config={}, credentials={"token": Secret("hunter2-of-acme")})
    return made


async def called(*words: str) -> int:
    return await asyncio.to_thread(main, ["keys", *words])


async def test_status_names_a_file_as_unfit_for_production(
    tenant: TenantId, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert await called("status") == 0
    said = capsys.readouterr().out
    assert "not for production" in said
    assert "1, wrapped 1 by local-file" in said
    assert str(tmp_path / "shred-ledger.jsonl") in said
    assert "half done" not in said


async def test_a_new_master_key_wraps_everything_and_the_old_line_is_not_needed_any_more(
    tenant: TenantId, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "master.key"
    engine_key = (await asyncio.to_thread(_engine_key)).key
    assert await called("rotate-master") == 0
    assert "1 data keys were wrapped anew" in capsys.readouterr().out
    lines = path.read_text().splitlines()
    assert len(lines) == 2
    path.write_text(lines[1] + "\n")
    assert (await asyncio.to_thread(_engine_key)).key == engine_key
    async with open_database(load_settings()) as (db, _), db.tenant(tenant, readonly=True) as s:
        assert len(await connections(s)) == 1
        assert (await audit.trail(s))[-1].action == "operator.key.rewrapped"
    assert await called("rewrap") == 0
    assert "0 data keys were wrapped anew by local-file; 1 were already" in capsys.readouterr().out


def _engine_key() -> EngineSettings:
    async def read() -> EngineSettings:
        async with open_database(load_settings()) as (_, keys):
            return await engine_settings(load_settings(), keys)

    return asyncio.run(read())


def _account_secret() -> bytes:
    async def read() -> bytes:
        async with open_master_keys(load_settings()) as keys:
            return await account_secret(keys, load_settings().data / "accounts.key")

    return asyncio.run(read())


async def test_a_half_done_rewrap_is_named(
    tenant: TenantId, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    async with open_database(load_settings()) as (_, keys):
        assert hasattr(keys.current, "rotate")
        await keys.current.rotate()
    assert await called("status") == 0
    assert "1 are not wrapped by the newest master key: run `autoheal keys rewrap`" in capsys.readouterr().out


@pytest.mark.slow
async def test_a_tenants_rotation_begins_waits_and_is_seen(
    tenant: TenantId, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await called("rotate-tenant", tenant) == 0
    assert "A new version of the data key was made.\nGoes on from" in capsys.readouterr().out
    assert await called("rotate-tenant", tenant) == 0
    assert "under way goes on" in capsys.readouterr().out
    assert await called("status") == 0
    assert f"tenant {tenant} is rotating to version 2" in capsys.readouterr().out
    assert await called("rotate-tenant", "nobody") == 2
    assert "there is no tenant nobody" in capsys.readouterr().err


async def test_at_once_seals_anew_at_once(tenant: TenantId, capsys: pytest.CaptureFixture[str]) -> None:
    assert await called("rotate-tenant", tenant, "--at-once") == 0
    assert "rows were sealed anew" in capsys.readouterr().out


async def test_a_lost_ledger_stops_everything_until_the_operator_decides(
    tenant: TenantId, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "shred-ledger.jsonl").unlink()
    assert await called("status") == 2
    assert "no ledger, no restore" in capsys.readouterr().err
    assert await called("shred-ledger", "--begin-anew") == 0
    assert "Close them again" in capsys.readouterr().out
    assert await called("shred-ledger") == 0
    assert "0 keys" in capsys.readouterr().out


async def test_a_wrong_key_file_stops_with_what_to_do_and_changes_nothing(
    tenant: TenantId, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    right = (tmp_path / "master.key").read_bytes()
    (tmp_path / "master.key").unlink()
    assert await called("rewrap") == 2
    assert "master.key is missing" in capsys.readouterr().err
    LocalFileKeys(tmp_path / "master.key")  # another one
    assert await called("rewrap") == 2
    assert "does not hold the master key that this keyring was made with" in capsys.readouterr().err
    (tmp_path / "master.key").write_bytes(right)
    assert await called("rewrap") == 0


@pytest.mark.parametrize(
    ("keys", "named"),
    [
        ("aws-kms", ["AUTOHEAL_KMS_KEY_ARN"]),
        ("vault", ["AUTOHEAL_VAULT_ADDRESS", "AUTOHEAL_VAULT_KEY", "AUTOHEAL_VAULT_TOKEN"]),
    ],
)
def test_missing_variables_of_a_key_service_are_named(
    keys: str, named: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUTOHEAL_KEYS", keys)
    with pytest.raises(SettingsError) as refused:
        load_settings().require_keys()
    assert all(f"{name} is not set" in str(refused.value) for name in named)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("AUTOHEAL_KMS_KEY_ARN", "alias/autoheal", "an alias may point elsewhere"),
        ("AUTOHEAL_KMS_FORMER_KEY_ARNS", f"{ARN},nonsense", "AUTOHEAL_KMS_FORMER_KEY_ARNS"),
        ("AUTOHEAL_VAULT_ADDRESS", "http://vault.internal:8200", "https://"),
    ],
)
def test_unsafe_values_are_refused(name: str, value: str, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=words):
        load_settings()


@pytest.mark.slow
async def test_a_keyring_moves_from_the_file_to_kms_and_needs_the_file_no_more(
    tenant: TenantId, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from aiobotocore.session import get_session  # type: ignore[import-untyped] # publishes no types
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    async with get_session().create_client("kms", region_name="us-east-1", endpoint_url=f"http://{host}:{port}") as kms:
        arn = (await kms.create_key())["KeyMetadata"]["Arn"]
    monkeypatch.setenv("AUTOHEAL_KEYS", "aws-kms")
    monkeypatch.setenv("AUTOHEAL_KMS_KEY_ARN", arn)
    monkeypatch.setenv("AUTOHEAL_KMS_ENDPOINT", f"http://{host}:{port}")
    before = (await asyncio.to_thread(_engine_key)).key
    accounts = await asyncio.to_thread(_account_secret)
    assert await called("rotate-master") == 2
    assert "AUTOHEAL_KMS_FORMER_KEY_ARNS" in capsys.readouterr().err
    assert await called("rewrap") == 0
    assert "1 data keys were wrapped anew by aws-kms" in capsys.readouterr().out
    (tmp_path / "master.key").unlink()
    assert (await asyncio.to_thread(_engine_key)).key == before
    assert await asyncio.to_thread(_account_secret) == accounts
    async with open_database(load_settings()) as (db, _), db.tenant(tenant, readonly=True) as s:
        assert len(await connections(s)) == 1
    assert not (tmp_path / "master.key").exists()
    monkeypatch.setenv("AUTOHEAL_KEYS", "local")
    monkeypatch.delenv("AUTOHEAL_KMS_KEY_ARN")
    async with open_database(load_settings()) as (db, _):
        with pytest.raises(WrongMasterKey, match="'aws-kms', which is not configured here"):
            await db.keyring.data_keys(tenant)
    server.stop()


def test_the_ledger_may_lie_elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert Settings(data=tmp_path).ledger_path == tmp_path / "shred-ledger.jsonl"
    monkeypatch.setenv("AUTOHEAL_SHRED_LEDGER", str(tmp_path / "apart"))
    assert load_settings().ledger_path == tmp_path / "apart"
