"""The environment variables: all that is wrong at once, and a mask for the secrets among them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final
from urllib.parse import urlsplit

from pydantic import ValidationError

from bot.doctor.finding import DoctorFinding, problem
from bot.settings import Settings, SettingsError, load_settings

_SHORTEST_SECRET: Final = 6


def read_settings() -> tuple[Settings, list[DoctorFinding]]:
    """All that is wrong at once. What cannot be read counts as not set, so that everything else is tested all the
    same.
    """
    try:
        settings, lines = load_settings(), []
    except SettingsError as exc:
        lines = str(exc).splitlines()
        settings = _without(exc.__cause__)
    try:
        settings.require_slack()
    except SettingsError as exc:
        named = {line.partition(":")[0] for line in lines}
        lines += [line for line in str(exc).splitlines() if " is not set: " in line and line.split()[0] not in named]
    return settings, [_of_line(line) for line in lines]


def _without(cause: BaseException | None) -> Settings:
    """The settings with each refused variable at its default."""
    refused = cause.errors() if isinstance(cause, ValidationError) else []
    names = {str(error["loc"][0]) for error in refused if error["loc"]}
    defaults = {
        key: field.default
        for key, field in ((field.validation_alias or name, field) for name, field in Settings.model_fields.items())
        if key in names
    }
    return Settings(**{str(key): value for key, value in defaults.items()})


def _of_line(line: str) -> DoctorFinding:
    what, _, advice = line.partition(": ")
    missing = what.endswith(" is not set")
    name = what.removesuffix(" is not set")
    return problem(name, "is not set" if missing else "cannot be used", advice)


def mask_of(settings: Settings) -> Callable[[str], str]:
    """Replaces the settings' secrets, wherever a line may have picked one up."""
    passwords = [_password(url) for url in (settings.database_url, settings.keyring_url)]
    return mask([*(secret.reveal() for secret in settings.secrets), *(one for one in passwords if one)])


def mask(secrets: Iterable[str]) -> Callable[[str], str]:
    """Replaces each of the secrets that is long enough to be told from a word."""
    known = sorted((secret for secret in secrets if len(secret) >= _SHORTEST_SECRET), key=len, reverse=True)

    def masked(line: str) -> str:
        for secret in known:
            line = line.replace(secret, "[hidden]")
        return line

    return masked


def _password(url: str | None) -> str | None:
    try:
        return urlsplit(url or "").password
    except ValueError:
        return None
