"""Forms are read by one rule, whichever door they come through."""

from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict, Field

from agents.connecting.connecting import connectable
from agents.connecting.fields import Field as Asked
from agents.connecting.fields import Form, FormError, Way, read_form, split
from store.secrets.redaction import Secret


class Settings(BaseModel):
    model_config = ConfigDict(extra="forbid")

    url: str
    only: dict[str, str] = Field(default_factory=dict)
    names: list[str] = Field(default_factory=list)


class Nothing(BaseModel):
    """A connector without settings."""


FORM = Form(
    fields=(
        Asked(
            name="url", label="Address", help="h", example="https://x.example", required=True, pattern=r"https?://\S+"
        ),
        Asked(name="only", label="Only", help="h", example="cluster = eu", kind="pairs"),
        Asked(name="names", label="Names", help="h", kind="lines"),
        Asked(name="token", label="Token", help="h", secret=True),
        Asked(name="username", label="User name", help="h", credential=True),
        Asked(name="password", label="Password", help="h", secret=True),
    ),
    ways=(Way(title="Token", fields=("token",)), Way(title="User and password", fields=("username", "password"))),
)


def test_what_is_filled_in_becomes_settings_and_secrets() -> None:
    filled = read_form(
        FORM,
        Settings,
        {"url": " https://a.example ", "only": "cluster = eu\n\nenv=prod", "names": "a, b\nc", "username": "me"},
        {"password": Secret("hunter2-hunter2")},
    )
    assert filled.config == {
        "url": "https://a.example",
        "only": {"cluster": "eu", "env": "prod"},
        "names": ["a", "b", "c"],
        "username": "me",
    }
    assert {name: secret.reveal() for name, secret in filled.credentials.items()} == {"password": "hunter2-hunter2"}
    assert filled.way is not None
    assert filled.way.title == "User and password"
    settings, beside = split(FORM, filled.config)
    assert "username" not in settings
    assert beside["username"].reveal() == "me"
    assert "hunter2" not in repr(filled)


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"token": "t"}, "Address is missing, such as https://x.example."),
        ({"url": "ftp://x", "token": "t"}, "Address does not look right, such as https://x.example."),
        ({"url": "https://x"}, "A credential is missing: fill in Token or User and password."),
        ({"url": "https://x", "username": "me"}, "User and password also needs Password."),
        ({"url": "https://x", "token": "t", "username": "me", "password": "p"}, "Fill in only one of Token or"),
        ({"url": "https://x", "token": "t", "only": "eu"}, "Only: write one `name = value` a line"),
        ({"url": "https://x", "token": "t", "only": "a=1\na=2"}, "Only: a stands there twice."),
        ({"url": "https://x", "token": "t", "nonsense": "1"}, "nonsense is not asked for here."),
    ],
)
def test_what_cannot_be_used_is_told_with_what_to_write(values: dict[str, str], told: str) -> None:
    with pytest.raises(FormError) as caught:
        read_form(FORM, Settings, values, {})
    assert told in str(caught.value)


def test_a_key_block_survives_a_form_of_one_line() -> None:
    key = Asked(name="key", label="Key", help="h", secret=True)
    form = Form(fields=(key,), ways=(Way(title="K", fields=("key",)),))
    blanks = "-----BEGIN A KEY----- YWJj ZGVm -----END A KEY-----"
    for written in (blanks, blanks.replace(" YWJj ZGVm ", r"\nYWJj\nZGVm\n")):
        filled = read_form(form, Nothing, {}, {"key": Secret(written)})
        assert filled.credentials["key"].reveal() == "-----BEGIN A KEY-----\nYWJj\nZGVm\n-----END A KEY-----\n"


def test_a_form_whose_secrets_belong_to_no_way_is_refused() -> None:
    with pytest.raises(TypeError, match="token"):
        Form(fields=(Asked(name="token", label="T", help="h", secret=True),))


def test_every_connectable_tool_declares_itself_whole() -> None:
    found: dict[str, Any] = connectable()
    assert {"prometheus", "jaeger", "openmetrics"} <= set(found)
    for name, kind in found.items():
        assert kind.form.fields, name
        assert kind.about, name
        assert kind.docs_url.startswith("https://"), name
        assert all(one.help.endswith((".", ")")) for one in kind.form.fields), name
        assert len(kind.instructions.splitlines()) <= 10, name
        assert set(kind.form.credential_fields) == set(kind.credential_fields), name
        declared = {one.name for one in kind.form.fields} - set(kind.form.credential_fields)
        assert declared <= set(kind.config_model.model_fields), name
