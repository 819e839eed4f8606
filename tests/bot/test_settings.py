"""The environment variables, their table in docs/operating.md, and the operator's file shown there."""

import re
from datetime import timedelta
from pathlib import Path
from types import NoneType
from typing import Any, Literal, get_args, get_origin

import pytest
from pydantic import SecretStr
from pydantic.fields import FieldInfo

from agents.connecting.connector import discover_connectors
from agents.connecting.operator_file import load
from bot.settings import Settings, SettingsError, load_settings
from store.tenancy.tenants import TenantSettings

ROOT = Path(__file__).resolve().parents[2]
KINDS = {bool: "true or false", Path: "path", str: "text", int: "integer", float: "number", SecretStr: "secret"}


def variable(name: str, field: FieldInfo) -> str:
    return str(field.validation_alias or f"AUTOHEAL_{name.upper()}")


VARIABLES = {variable(name, field): field for name, field in Settings.model_fields.items()}


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


def test_without_any_variable_everything_has_its_default() -> None:
    settings = load_settings()
    assert settings.data == Path("var")
    assert settings.mode == "socket"
    assert settings.slack_bot_token is None
    assert settings.healing == (timedelta(seconds=5), timedelta(seconds=60), timedelta(seconds=300))


def test_every_wrong_variable_is_named_on_a_line_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTOHEAL_HTTP_PORT", "99999")
    monkeypatch.setenv("AUTOHEAL_LOG_LEVEL", "LOUD")
    monkeypatch.setenv("SLACK_APP_TOKEN", "planted-token")
    with pytest.raises(SettingsError) as refused:
        load_settings()
    lines = str(refused.value).splitlines()
    assert [line.partition(":")[0] for line in sorted(lines)] == [
        "AUTOHEAL_HTTP_PORT",
        "AUTOHEAL_LOG_LEVEL",
        "SLACK_APP_TOKEN",
    ]
    assert "planted-token" not in str(refused.value)


def test_a_wrong_value_is_answered_in_plain_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTOHEAL_MODE", "telegram")
    monkeypatch.setenv("AUTOHEAL_RUN_USD", "much")
    monkeypatch.setenv("AUTOHEAL_HTTP_PORT", "99999")
    monkeypatch.setenv("AUTOHEAL_WEB", "perhaps")
    with pytest.raises(SettingsError) as refused:
        load_settings()
    assert set(str(refused.value).splitlines()) == {
        "AUTOHEAL_MODE: is one of 'socket' or 'http'",
        "AUTOHEAL_RUN_USD: is a number",
        "AUTOHEAL_HTTP_PORT: is at most 65535",
        "AUTOHEAL_WEB: is true or false",
    }


@pytest.mark.parametrize(
    ("misspelt", "meant"),
    [("AUTOHEAL_SHRED_LEGDER", "AUTOHEAL_SHRED_LEDGER"), ("AUTOHEAL_DATABASEURL", "AUTOHEAL_DATABASE_URL")],
)
def test_a_misspelt_variable_is_named(monkeypatch: pytest.MonkeyPatch, misspelt: str, meant: str) -> None:
    monkeypatch.setenv(misspelt, "somewhere")
    with pytest.raises(SettingsError, match=f"{misspelt} is no setting; did you mean {meant}") as refused:
        load_settings()
    assert "somewhere" not in str(refused.value)


def test_variables_that_kubernetes_sets_for_a_service_of_our_name_are_let_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTOHEAL_SERVICE_PORT_HTTP", "3000")
    monkeypatch.setenv("AUTOHEAL_PORT_3000_TCP_ADDR", "10.1.2.3")
    monkeypatch.setenv("AUTOHEAL_HTTP_PORTS", "tcp://10.1.2.3:3000")
    monkeypatch.setenv("AUTOHEAL_DEPLOYED_BY", "the platform team")
    load_settings()


@pytest.mark.parametrize(("mode", "needed"), [("socket", "SLACK_APP_TOKEN"), ("http", "SLACK_SIGNING_SECRET")])
def test_serving_needs_what_its_mode_needs(monkeypatch: pytest.MonkeyPatch, mode: str, needed: str) -> None:
    monkeypatch.setenv("AUTOHEAL_MODE", mode)
    with pytest.raises(SettingsError) as refused:
        load_settings().require_slack()
    assert f"{needed} is not set" in str(refused.value)
    assert "SLACK_BOT_TOKEN is not set" in str(refused.value)
    monkeypatch.setenv("SLACK_BOT_TOKEN", "xoxb-1")
    monkeypatch.setenv(needed, "xapp-1")
    load_settings().require_slack()


def test_secrets_do_not_show_in_the_repr(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, field in VARIABLES.items():
        if SecretStr in get_args(field.annotation):
            monkeypatch.setenv(name, {"SLACK_BOT_TOKEN": "xoxb-", "SLACK_APP_TOKEN": "xapp-"}.get(name, "") + "planted")
    assert "planted" not in repr(load_settings())


def test_the_password_in_a_databases_address_is_a_secret_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTOHEAL_DATABASE_URL", "postgresql://autoheal:pl%40nted-secret@localhost/autoheal")
    settings = load_settings()
    assert "nted-secret" not in repr(settings)
    assert "pl@nted-secret" in [secret.reveal() for secret in settings.secrets]


@pytest.mark.parametrize(
    "url",
    ["postgresql://u@localhost/db", "postgres://u@localhost/db", "postgresql+psycopg://u@localhost/db"],
    ids=["long", "short", "driver"],
)
def test_every_spelling_of_postgresql_means_the_driver_that_is_installed(
    monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("AUTOHEAL_DATABASE_URL", url)
    settings = load_settings()
    assert settings.content_url == "postgresql+psycopg://u@localhost/db"
    assert settings.engine_url == settings.content_url
    assert settings.keys_url.startswith("sqlite")  # the keyring stays apart unless it is moved too


@pytest.mark.parametrize(
    ("url", "tls", "accepted"),
    [
        ("postgresql://u@db.example/a", "verify", False),
        ("postgresql://u@db.example/a?sslmode=require", "verify", False),
        ("postgresql://u@db.example/a?sslmode=verify-full", "verify", True),
        ("postgresql://u@db.example/a", "off", True),
        ("postgresql://u@localhost:5432/a", "verify", True),
        ("postgresql://u@[::1]/a", "verify", True),
        ("postgresql:///a", "verify", True),
        ("postgresql://u@/a?host=/run/postgresql", "verify", True),
        ("postgresql://u@localhost/a?host=db.example", "verify", False),
        ("postgresql://u@localhost,db.example/a", "verify", False),
        ("postgresql://u@localhost.evil.example/a", "verify", False),
    ],
)
def test_a_database_on_another_host_proves_itself_or_nothing_starts(
    monkeypatch: pytest.MonkeyPatch,
    url: str,
    tls: str,
    accepted: bool,  # noqa: FBT001 -- a table
) -> None:
    monkeypatch.delenv("PGSSLMODE", raising=False)
    monkeypatch.setenv("AUTOHEAL_DATABASE_TLS", tls)
    for name in ("AUTOHEAL_DATABASE_URL", "AUTOHEAL_OWNER_URL", "AUTOHEAL_KEYRING_URL"):
        monkeypatch.setenv(name, url)
        if accepted:
            load_settings()
            continue
        with pytest.raises(SettingsError, match=f"{name}: .*sslmode=verify-full.*AUTOHEAL_DATABASE_TLS=off"):
            load_settings()
        monkeypatch.delenv(name)


@pytest.mark.parametrize("url", ["http://autoheal.example", "autoheal.example", "https://autoheal.example/app"])
def test_the_public_address_is_https_and_a_host(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("AUTOHEAL_PUBLIC_URL", url)
    with pytest.raises(SettingsError, match="AUTOHEAL_PUBLIC_URL"):
        load_settings()


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({}, "AUTOHEAL_SMTP_FROM"),
        ({"SMTP_FROM": "a@b.cc", "SMTP_TLS": "off"}, "AUTOHEAL_SMTP_TLS=off"),
        ({"SMTP_FROM": "a@b.cc", "SMTP_USER": "u"}, "go together"),
    ],
)
def test_mail_does_not_travel_in_the_clear(monkeypatch: pytest.MonkeyPatch, given: dict[str, str], says: str) -> None:
    load_settings().require_mail()
    monkeypatch.setenv("AUTOHEAL_SMTP_HOST", "smtp.example")
    for name, value in given.items():
        monkeypatch.setenv(f"AUTOHEAL_{name}", value)
    with pytest.raises(SettingsError, match=says):
        load_settings().require_mail()


def test_content_keys_and_engine_are_files_of_their_own() -> None:
    settings = load_settings()
    assert len({url.rsplit("/", 1)[1] for url in (settings.content_url, settings.keys_url, settings.engine_url)}) == 3


# The table of docs/operating.md


def documented() -> dict[str, tuple[str, str, str]]:
    """Kind, default and meaning by variable, as the documentation says."""
    text = (ROOT / "docs" / "operating.md").read_text()
    table = text.partition("<!-- settings -->")[2].partition("<!-- /settings -->")[0]
    rows = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in table.splitlines() if line[:3] == "| `"]
    return {name.strip("` |"): (kind, default.strip("`"), meaning) for name, kind, default, meaning in rows}


def kind_of(annotation: Any) -> str:
    plain = [one for one in get_args(annotation) or [annotation] if one is not NoneType]
    if get_origin(annotation) is Literal:
        return " or ".join(plain)
    return KINDS[plain[0]]


def test_the_documentation_lists_every_variable_in_order() -> None:
    assert list(documented()) == list(VARIABLES)


@pytest.mark.parametrize("name", VARIABLES)
def test_the_documented_variable_is_the_real_one(name: str) -> None:
    field = VARIABLES[name]
    kind, default, meaning = documented()[name]
    assert kind == kind_of(field.annotation)
    assert default == ("" if field.default is None else str(field.default))
    assert re.fullmatch(r"\w.+\.", meaning), "a sentence"
    if field.description:
        assert meaning.startswith(field.description)


def test_the_documentation_lists_every_setting_of_a_workspace() -> None:
    text = (ROOT / "docs" / "operating.md").read_text()
    table = text.partition("<!-- tenant -->")[2].partition("<!-- /tenant -->")[0]
    assert re.findall(r"^\| `(\w+)`", table, re.MULTILINE) == list(TenantSettings.__dataclass_fields__)


def test_the_documented_operators_file_is_accepted_and_shows_every_connector(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "operating.md").read_text()
    (example,) = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    path = tmp_path / "autoheal.toml"
    path.write_text(example)
    file = load(path)
    connected_by_people = {"mcp"}  # each of its tools is accepted by whoever connects it
    assert {section.name for section in file.sections} == set(discover_connectors()) - connected_by_people
    assert len(file.services) > 1


def test_the_first_file_of_the_readme_is_accepted(tmp_path: Path) -> None:
    (example,) = re.findall(r"```toml\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    path = tmp_path / "autoheal.toml"
    path.write_text(example)
    assert load(path).tenant == "default"
