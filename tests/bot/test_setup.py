"""The link that creates the app, and the way from there to a first answer."""

import json
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import jsonschema
import pytest

from bot.cli import main
from bot.manifest import load_manifest
from bot.settings import Settings
from bot.setup import app_link, manifest_for, print_setup
from bot.slack_app import EVENTS_PATH
from bot.slack_oauth import INSTALL_PATH, REDIRECT_PATH


def test_the_link_carries_the_whole_manifest_to_slack() -> None:
    link = urlsplit(app_link(load_manifest()))
    query = parse_qs(link.query, strict_parsing=True)
    assert (link.scheme, link.netloc, link.path) == ("https", "api.slack.com", "/apps")
    assert query["new_app"] == ["1"]
    assert json.loads(query["manifest_json"][0]) == load_manifest()


def test_it_prints_the_link_and_every_step_to_a_first_answer(capsys: pytest.CaptureFixture[str]) -> None:
    assert print_setup() == 0
    said = capsys.readouterr().out
    assert app_link(load_manifest()) in said
    steps = ["SLACK_BOT_TOKEN", "SLACK_APP_TOKEN", "connections:write", "/invite @autoheal", "doctor", "serve"]
    assert [step for step in steps if step not in said] == []


def test_it_asks_for_a_place_of_the_mark_until_one_can_be_used(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    answers = iter([str(tmp_path / "missing"), str(tmp_path)])
    assert print_setup(lambda _: next(answers)) == 0
    said = capsys.readouterr().out
    assert f"There is no folder {tmp_path / 'missing'}" in said
    assert f"export AUTOHEAL_SHRED_MARK={tmp_path}/autoheal-shred-mark.json" in said
    print_setup(lambda _: "")
    assert "AUTOHEAL_SHRED_MARK=/mnt/elsewhere/" in capsys.readouterr().out


def test_for_several_workspaces_the_app_is_reached_over_http_and_installed_by_oauth(
    capsys: pytest.CaptureFixture[str], shared_dir: Path
) -> None:
    url = "https://autoheal.example.com"
    manifest = manifest_for(url)
    schema = json.loads((shared_dir / "specs" / "slack-manifest.schema.2.0.0.json").read_text())
    jsonschema.validate(manifest, schema)
    assert manifest["oauth_config"]["redirect_urls"] == [f"{url}{REDIRECT_PATH}"]
    assert not manifest["settings"]["socket_mode_enabled"]
    assert manifest["settings"]["event_subscriptions"]["request_url"] == f"{url}{EVENTS_PATH}"
    assert main(["setup", "--public-url", f"{url}/"]) == 0
    said = capsys.readouterr().out
    assert app_link(manifest) in said
    assert f"{url}{INSTALL_PATH}" in said
    with pytest.raises(SystemExit):
        main(["setup", "--public-url", "http://autoheal.example.com/app"])
    assert "is https://host" in capsys.readouterr().err


@pytest.mark.parametrize("public_url", [None, "https://autoheal.example.com"])
def test_the_variables_that_it_names_exist(capsys: pytest.CaptureFixture[str], public_url: str | None) -> None:
    print_setup(public_url=public_url)
    exported = [
        line.split()[1].partition("=")[0] for line in capsys.readouterr().out.splitlines() if " export " in line
    ]
    known = {str(field.validation_alias or f"AUTOHEAL_{name.upper()}") for name, field in Settings.model_fields.items()}
    assert exported
    assert set(exported) <= known
