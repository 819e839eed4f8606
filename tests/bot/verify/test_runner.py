"""`autoheal verify` on a sound deployment: what is proved, what is left behind, what is signed."""

import json
from pathlib import Path
from typing import Any

import pytest

from bot.opening import open_database
from bot.settings import Settings
from bot.upkeep import open_signer
from bot.verify import attestations, runner
from bot.verify.attestations import Attestation
from bot.verify.promise import discover_promises
from bot.verify.report import BadReport, check_report
from bot.verify.reports import path_of
from bot.verify.site import NAME
from store.tenancy.tenants import list_tenants

MUST_BE_PROVED = {"P1", "P2", "P3", "P4", "P5", "P6", "P8", "P9", "P10", "P13", "P14", "P15", "P16", "P17"}


@pytest.mark.slow
async def test_a_sound_deployment_is_proved_and_nothing_is_left_behind(settings: Settings, tmp_path: Path) -> None:
    signed = await runner.verify(settings, discover_promises())
    report = signed["report"]
    found = {finding["promise"]: finding for finding in report["findings"]}
    assert [f for f in found.values() if f["outcome"] == "failed"] == []
    assert {name for name, f in found.items() if f["outcome"] == "proved"} >= MUST_BE_PROVED
    assert report["cleaned_up"]
    async with open_database(settings) as (db, keys):
        assert [t for t in await list_tenants(db, "active", "frozen", "closing") if t.name == NAME] == []
        public = (await open_signer(settings, keys)).public_pem
    (kept,) = path_of(settings).glob("*.json")
    key = tmp_path / "key.pem"
    key.write_bytes(public)
    assert check_report(kept, key) == report
    assert report["commit"] or report["version"]
    assert {"deployment", "configuration_sha256", "code_sha256", "at"} <= report.keys()


async def test_a_changed_report_and_a_foreign_key_are_refused(sqlite_settings: Settings, tmp_path: Path) -> None:
    await runner.verify(sqlite_settings, runner.chosen(["P20"]))
    (kept,) = path_of(sqlite_settings).glob("*.json")
    async with open_database(sqlite_settings) as (_, keys):
        (tmp_path / "key.pem").write_bytes((await open_signer(sqlite_settings, keys)).public_pem)
    changed = json.loads(kept.read_text())
    changed["report"]["findings"][0]["outcome"] = "failed"
    (tmp_path / "changed.json").write_text(json.dumps(changed))
    with pytest.raises(BadReport, match="was changed"):
        check_report(tmp_path / "changed.json", tmp_path / "key.pem")
    (tmp_path / "cut.json").write_bytes(kept.read_bytes()[:-30])
    with pytest.raises(BadReport, match="cut off"):
        check_report(tmp_path / "cut.json", tmp_path / "key.pem")
    with pytest.raises(BadReport, match="not a public key"):
        check_report(kept, kept)


async def test_an_interrupted_run_is_cleaned_up_by_the_next(
    sqlite_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def cut_off(*_: Any, **__: Any) -> None:
        raise OSError("the power went")

    with monkeypatch.context() as broken:
        broken.setattr("bot.verify.runner.judge", cut_off)
        broken.setattr("bot.verify.site.clean_up", lambda *_: _nothing())
        with pytest.raises(OSError, match="power"):
            await runner.verify(sqlite_settings, {})
    async with open_database(sqlite_settings) as (db, _):
        assert len([t for t in await list_tenants(db) if t.name == NAME]) == 2
    report = (await runner.verify(sqlite_settings, runner.chosen(["P20"])))["report"]
    assert report["cleaned_up"]
    async with open_database(sqlite_settings) as (db, _):
        assert [t for t in await list_tenants(db) if t.name == NAME] == []


async def test_what_nobody_can_see_needs_a_statement_that_is_not_old(
    sqlite_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = sqlite_settings.model_copy(update={"keys": "aws-kms"})
    promise = discover_promises()["P19"]

    async def seen() -> Any:
        from bot.verify.site import open_site

        async with open_site(sqlite_settings) as site:
            site.settings = settings
            (finding,) = await runner.judge(site, {"P19": promise})
            return finding, site.signer, site.clock()

    finding, signer, now = await seen()
    assert (finding.outcome, "--attest P19" in finding.sentence) == ("failed", True)
    said = Attestation(promise="P19", statement="scanned on every push", by="mia", at=now - attestations.GOOD_FOR * 1.1)
    attestations.attest(settings.data, signer, said)
    assert (await seen())[0].outcome == "failed"
    attestations.attest(
        settings.data, signer, Attestation(promise="P19", statement="scanned on every push", by="mia", at=now)
    )
    finding, _, _ = await seen()
    assert (finding.outcome, "mia" in finding.sentence) == ("attested", True)


def test_an_unknown_promise_is_named() -> None:
    with pytest.raises(runner.UnknownPromise, match="P99"):
        runner.chosen(["P2", "P99"])


async def _nothing() -> None:
    return None
