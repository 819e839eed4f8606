"""`autoheal doctor`: tests every credential, scope and channel, and says for each problem what to do next.

It reads and changes nothing, so it may run beside `autoheal serve`. Each check has a time-out and prints one line. What
is printed passes a mask of the settings' own secrets, since a library's error may quote what it was given.
"""

from __future__ import annotations

import asyncio
import os
import stat
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp
import psycopg
from pydantic import SecretStr, ValidationError
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from agents.claude_model import BASE_URL, ClaudeModel, make_client
from agents.connector import Connector
from agents.model import ModelBug, ModelUnavailable
from agents.operator_file import OperatorFile, OperatorFileError, build_connectors, load
from agents.outbound import Outbound
from agents.slot import SlotTaken, take_slot
from bot.assemble import egress_to, now
from bot.manifest import bot_scopes, load_manifest
from bot.settings import Settings, SettingsError, load_settings
from bot.slack_clients import EgressRefused, guarded_session
from bot.slack_clients import make_client as make_slack_client
from store.engine import create_engine
from store.errors import StoreError
from store.local_keys import LocalFileKeys
from store.migrations import require_current, require_current_keyring
from store.redaction import Secret

CHECK_S: Final = 15.0
_CHANNELS_SHOWN: Final = 10
_SETTINGS: Final = "settings"
_SHORTEST_SECRET: Final = 6
_UNREACHABLE: Final = (aiohttp.ClientError, OSError, EgressRefused)


class Mark(StrEnum):
    """How a line begins. A note is something that was not tested, or that is fine to leave as it is."""

    OK = "ok"
    NOTE = "note"
    PROBLEM = "problem"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One line. A problem has a next action."""

    mark: Mark
    subject: str
    detail: str
    next_action: str = ""

    def line(self) -> str:
        then = f" -> {self.next_action}" if self.next_action else ""
        text = f"{self.subject}: {self.detail}{then}"
        return f"{self.mark:8} {' '.join(text.split())}"


def ok(subject: str, detail: str) -> Finding:
    return Finding(mark=Mark.OK, subject=subject, detail=detail)


def note(subject: str, detail: str) -> Finding:
    return Finding(mark=Mark.NOTE, subject=subject, detail=detail)


def problem(subject: str, detail: str, next_action: str) -> Finding:
    return Finding(mark=Mark.PROBLEM, subject=subject, detail=detail, next_action=next_action)


async def examine(*, check_s: float = CHECK_S) -> int:
    """Prints as it goes. Exit code 1 when there is a problem. `check_s` bounds each check."""
    found: list[Finding] = []
    settings, wrong = read_settings()
    mask = _mask(settings)
    checks: list[tuple[str, Callable[[], AsyncIterator[Finding]]]] = [
        (_SETTINGS, lambda: _each(wrong or [ok(_SETTINGS, "complete and readable")])),
        ("data folder", lambda: check_folder(settings)),
        ("database", lambda: check_databases(settings)),
        ("engine", lambda: check_engine(settings)),
        ("Slack", lambda: check_slack(settings)),
        ("Claude", lambda: check_claude(settings)),
        ("operator's file", lambda: check_operator_file(settings, check_s)),
    ]
    for subject, check in checks:
        async for finding in _bounded(subject, check(), check_s):
            found.append(finding)
            print(mask(finding.line()), flush=True)
    problems = sum(finding.mark is Mark.PROBLEM for finding in found)
    print("Nothing to mend." if problems == 0 else f"{problems} to mend.")
    return 1 if problems else 0


async def _each(findings: Iterable[Finding]) -> AsyncIterator[Finding]:
    for finding in findings:
        yield finding


async def _bounded(subject: str, findings: AsyncIterator[Finding], seconds: float) -> AsyncIterator[Finding]:
    """What a check finds. When its next finding takes longer than `seconds`, that is the problem, and it ends."""
    while True:
        try:
            async with asyncio.timeout(seconds):
                finding = await anext(findings)
        except StopAsyncIteration:
            return
        except TimeoutError:
            yield problem(
                subject, f"no answer within {seconds:g} s", "see whether it can be reached from this host, and repeat"
            )
            return
        yield finding


# Settings


def read_settings() -> tuple[Settings, list[Finding]]:
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


def _of_line(line: str) -> Finding:
    what, _, advice = line.partition(": ")
    missing = what.endswith(" is not set")
    name = what.removesuffix(" is not set")
    return problem(name, "is not set" if missing else "cannot be used", advice)


def _mask(settings: Settings) -> Callable[[str], str]:
    """Replaces the settings' secrets, wherever a line may have picked one up."""
    secrets = [value.get_secret_value() for _, value in settings if isinstance(value, SecretStr)]
    secrets += [password for url in (settings.database_url, settings.keyring_url) if (password := _password(url))]
    known = sorted((s for s in secrets if len(s) >= _SHORTEST_SECRET), key=len, reverse=True)

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


# This host


async def check_folder(settings: Settings) -> AsyncIterator[Finding]:
    """The data folder can be written, and its keys are private and fit together."""
    subject, folder = "data folder", settings.data
    if not folder.exists():
        parent = next(p for p in folder.absolute().parents if p.exists())
        if os.access(parent, os.W_OK | os.X_OK):
            yield ok(subject, f"{folder} will be made at the first start")
        else:
            yield problem(subject, f"{parent} cannot be written", "let this user write it, or set AUTOHEAL_DATA")
        return
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as exc:
        yield problem(subject, f"{folder}: {exc.strerror}", "let this user write it, or set AUTOHEAL_DATA")
        return
    yield ok(subject, f"{folder} can be written")
    async for finding in _keys(folder):
        yield finding


async def _keys(folder: Path) -> AsyncIterator[Finding]:
    subject, path, engine = "master key", folder / "master.key", folder / "engine.key"
    if not path.exists():
        if engine.exists() or (folder / "keyring.db").exists():
            yield problem(subject, f"{path} is missing, but data encrypted under it exists", "restore it from a backup")
        else:
            yield ok(subject, f"{path} will be made at the first start; back it up then, apart from the databases")
        return
    try:
        keys = LocalFileKeys(path)
        if engine.exists():
            await keys.unwrap(engine.read_bytes(), context={"purpose": "engine"})
    except StoreError as exc:
        yield problem(subject, str(exc), "as it says; nothing was changed")
        return
    except OSError as exc:
        yield problem(subject, f"{exc.filename}: {exc.strerror}", "let this user read it")
        return
    mode = stat.S_IMODE(path.stat().st_mode)
    yield ok(subject, f"{path} has mode {mode:04o} and opens this folder's data")


async def check_databases(settings: Settings) -> AsyncIterator[Finding]:
    """Both databases can be reached and are at this version's schema."""
    both: tuple[tuple[str, str, str | None, Callable[[AsyncEngine], Awaitable[None]]], ...] = (
        ("database", settings.content_url, settings.database_url, require_current),
        ("keyring", settings.keys_url, settings.keyring_url, require_current_keyring),
    )
    for subject, url, configured, require in both:
        if configured is None and not _file_of(url).exists():
            yield ok(subject, "a SQLite file will be made at the first start")
            continue
        yield await _database(subject, url, require)


def _file_of(sqlite_url: str) -> Path:
    return Path(sqlite_url.partition(":///")[2])


async def _database(subject: str, url: str, require: Callable[[AsyncEngine], Awaitable[None]]) -> Finding:
    variable = "AUTOHEAL_DATABASE_URL" if subject == "database" else "AUTOHEAL_KEYRING_URL"
    try:
        engine = create_engine(url, pool_size=1)
    except (SQLAlchemyError, ValueError) as exc:
        return problem(subject, f"its address cannot be used ({type(exc).__name__})", f"correct {variable}")
    try:
        await require(engine)
    except StoreError as exc:
        return problem(subject, str(exc), "as it says")
    except (SQLAlchemyError, OSError) as exc:
        return problem(subject, f"cannot be reached ({type(exc).__name__})", f"start it, or correct {variable}")
    finally:
        await engine.dispose()
    return ok(subject, f"{engine.dialect.name}, at this version's schema")


async def check_engine(settings: Settings) -> AsyncIterator[Finding]:
    """Whether a process could start here now."""
    subject = "engine"
    if settings.database_url is None and not settings.data.exists():
        yield ok(subject, "nothing runs here yet")
        return
    try:
        slot = await take_slot(settings.engine_url, str(settings.data))
    except SlotTaken:
        yield note(subject, "`autoheal serve` is running here")
        return
    except (psycopg.Error, SQLAlchemyError, OSError) as exc:
        yield problem(subject, f"its database cannot be reached ({type(exc).__name__})", "see the database above")
        return
    await slot.release()
    yield ok(subject, "the slot is free: `autoheal serve` can start")


# Slack


async def check_slack(settings: Settings) -> AsyncIterator[Finding]:
    """Token, scopes, channels, and the way by which events come."""
    async with guarded_session(settings.slack_api_url) as session:
        if settings.slack_bot_token is None:
            yield note("Slack bot token", "not tested: SLACK_BOT_TOKEN is not set")
        else:
            token = Secret(settings.slack_bot_token.get_secret_value())
            async for finding in _bot_token(make_slack_client(session, settings.slack_api_url, token), settings):
                yield finding
        yield await _way_in(settings, make_slack_client(session, settings.slack_api_url, None))
    yield note("Slack events", "cannot be tested from here: mention the bot in a channel and see that it answers")


async def _bot_token(client: AsyncWebClient, settings: Settings) -> AsyncIterator[Finding]:
    subject = "Slack bot token"
    try:
        answer = await client.auth_test()
    except SlackApiError as exc:
        code = exc.response.get("error")
        yield problem(
            subject,
            f"refused by Slack ({code})",
            "reinstall the app and copy the Bot User OAuth Token to SLACK_BOT_TOKEN",
        )
        return
    except _UNREACHABLE as exc:
        yield _unreachable(subject, exc)
        return
    yield ok(subject, f"@{answer.get('user')} in {answer.get('team')} ({answer.get('team_id')})")
    yield _scopes(granted_scopes(answer.headers))
    yield await _channels(client, str(answer.get("user")))
    yield _binding(settings, str(answer.get("team_id")))


def granted_scopes(headers: Mapping[str, Any]) -> frozenset[str]:
    """Slack names a token's scopes in a header of each answer."""
    given = next((value for name, value in headers.items() if name.lower() == "x-oauth-scopes"), "")
    text = given[0] if isinstance(given, list) and given else given
    return frozenset(scope.strip() for scope in str(text).split(",") if scope.strip())


def _scopes(granted: frozenset[str]) -> Finding:
    wanted = bot_scopes(load_manifest())
    lacking, more = sorted(wanted - granted), sorted(granted - wanted)
    if lacking:
        return problem(
            "Slack scopes",
            f"not granted: {', '.join(lacking)}",
            "bring the app's manifest to the one of `autoheal setup`, then reinstall it to the workspace",
        )
    unused = f"; granted but not used: {', '.join(more)}" if more else ""
    return ok("Slack scopes", f"all {len(wanted)} of the manifest are granted{unused}")


async def _channels(client: AsyncWebClient, bot: str) -> Finding:
    subject = "Slack channels"
    names: list[str] = []
    cursor = ""
    try:
        while True:
            wanted = {"types": "public_channel,private_channel", "exclude_archived": "true", "limit": 200}
            page = await client.api_call("users.conversations", params={**wanted, "cursor": cursor})
            names += [_channel(channel) for channel in page.get("channels") or []]
            cursor = str((page.get("response_metadata") or {}).get("next_cursor") or "")
            if not cursor:
                break
    except SlackApiError as exc:
        return problem(subject, f"cannot be listed ({exc.response.get('error')})", "see the scopes above")
    except _UNREACHABLE as exc:
        return _unreachable(subject, exc)
    if not names:
        return problem(subject, "the bot is in none", f"type /invite @{bot} in your incident channel")
    shown = ", ".join(sorted(names)[:_CHANNELS_SHOWN])
    more = f" and {len(names) - _CHANNELS_SHOWN} more" if len(names) > _CHANNELS_SHOWN else ""
    return ok(subject, f"the bot is in {shown}{more}")


def _channel(channel: Mapping[str, Any]) -> str:
    shared = " (shared with outside: refused there)" if channel.get("is_ext_shared") else ""
    return f"#{channel.get('name')}{shared}"


def _binding(settings: Settings, team_id: str) -> Finding:
    subject = "this host's sources"
    if settings.operator_file is None:
        return note(subject, "none are declared: AUTOHEAL_OPERATOR_FILE is not set")
    try:
        file = load(settings.operator_file)
    except OperatorFileError:
        return note(subject, "not tested: the operator's file cannot be used")
    if file.tenant not in ("default", team_id):
        return problem(
            subject,
            f"bound to {file.tenant}, the bot is in {team_id}",
            'correct `tenant` in the file, or write "default"',
        )
    return ok(subject, "bound to this workspace")


async def _way_in(settings: Settings, client: AsyncWebClient) -> Finding:
    """Socket Mode's token by asking for an address, which opens nothing; the signing secret can only be seen."""
    if settings.mode == "http":
        if settings.slack_signing_secret is None:
            return note("Slack signing secret", "not tested: SLACK_SIGNING_SECRET is not set")
        return note("Slack signing secret", "is set; whether it is the right one shows at the first signed request")
    subject = "Slack app token"
    if settings.slack_app_token is None:
        return note(subject, "not tested: SLACK_APP_TOKEN is not set")
    try:
        await client.apps_connections_open(app_token=settings.slack_app_token.get_secret_value())
    except SlackApiError as exc:
        return problem(
            subject,
            f"refused by Slack ({exc.response.get('error')})",
            "generate an App-Level Token with connections:write, with Socket Mode on, and set SLACK_APP_TOKEN",
        )
    except _UNREACHABLE as exc:
        return _unreachable(subject, exc)
    return ok(subject, "Socket Mode can be opened")


def _unreachable(subject: str, exc: Exception) -> Finding:
    return problem(
        subject,
        f"Slack cannot be reached ({type(exc).__name__})",
        "let this host reach the address in SLACK_API_URL (https://slack.com by default)",
    )


# Model and sources


async def check_claude(settings: Settings) -> AsyncIterator[Finding]:
    """The key and the model, at no cost."""
    subject, key = "Claude", settings.anthropic_api_key
    if key is None:
        yield note(subject, "ANTHROPIC_API_KEY is not set: offline investigator only, nothing goes to a model")
        return
    base_url = settings.anthropic_base_url or BASE_URL
    try:
        client = make_client(
            api_key=key.get_secret_value(),
            check_egress=egress_to(base_url),
            base_url=base_url,
            timeout=timedelta(seconds=10),
            max_retries=0,
        )
        model = ClaudeModel(client, model=settings.model)
    except ValueError as exc:
        yield problem(subject, str(exc), "correct ANTHROPIC_API_KEY or AUTOHEAL_MODEL")
        return
    try:
        await model.check()
    except (ModelUnavailable, ModelBug) as exc:
        yield problem(
            subject, str(exc), "correct ANTHROPIC_API_KEY or AUTOHEAL_MODEL; until then the offline investigator works"
        )
        return
    finally:
        await client.close()
    yield ok(subject, f"{settings.model} answers to this key")


async def check_operator_file(settings: Settings, check_s: float) -> AsyncIterator[Finding]:
    """The file, and each connector's own test, within `check_s` each."""
    subject = "operator's file"
    if settings.operator_file is None:
        yield note(subject, "AUTOHEAL_OPERATOR_FILE is not set: Autoheal answers, but has nothing to read")
        return
    async with AsyncExitStack() as stack:
        try:
            file = load(settings.operator_file)
            outbound = Outbound(file.egress)
            stack.push_async_callback(outbound.close)
            connectors = build_connectors(file, outbound=outbound, now=now)
        except OperatorFileError as exc:
            for line in str(exc).splitlines():
                yield problem(subject, line, "correct the file; docs/operating.md shows each connector by example")
            return
        for connector in connectors:
            stack.push_async_callback(connector.close)
        yield ok(subject, f"{len(file.services)} services, {len(connectors)} connectors")
        hide = _mask_file(file)
        for connector in connectors:
            yield await _connector(connector, check_s, hide)


async def _connector(connector: Connector, check_s: float, hide: Callable[[str], str]) -> Finding:
    try:
        async with asyncio.timeout(check_s * 0.9):
            checked = await connector.check()
    except TimeoutError:
        return problem(
            connector.title, "did not answer in time", f"see whether connectors.{connector.name} is reachable"
        )
    detail, action = hide(checked.detail), hide(checked.next_action)
    if checked.ok:
        return ok(connector.title, detail)
    return problem(connector.title, detail, action or f"correct connectors.{connector.name}")


def _mask_file(file: OperatorFile) -> Callable[[str], str]:
    """Credentials of the connectors stand in variables that the file names."""
    named = {variable for section in file.sections for variable in section.credentials.values()}
    secrets = [os.environ[variable] for variable in named if len(os.environ.get(variable, "")) >= _SHORTEST_SECRET]

    def masked(line: str) -> str:
        for secret in secrets:
            line = line.replace(secret, "[hidden]")
        return line

    return masked
