"""Slack: token, scopes, channels, and the way by which events come."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from agents.connecting.operator_file import OperatorFileError, load
from bot.doctor.finding import DoctorFinding, note, ok, problem
from bot.manifest import bot_scopes, load_manifest
from bot.settings import Settings, SettingsError
from bot.slack_clients import EgressRefused, guarded_session, make_client
from bot.waiting import absence
from store.secrets.redaction import Secret

_CHANNELS_SHOWN: Final = 10
_UNREACHABLE: Final = (aiohttp.ClientError, OSError, EgressRefused)


async def check_slack(settings: Settings) -> AsyncIterator[DoctorFinding]:
    """Token, scopes, channels, and the way by which events come."""
    async with guarded_session(settings.slack_api_url) as session:
        if settings.many_workspaces:
            yield _installation(settings)
        elif settings.slack_bot_token is None:
            yield note("Slack bot token", "not tested: SLACK_BOT_TOKEN is not set")
        else:
            token = Secret(settings.slack_bot_token.get_secret_value())
            async for finding in _bot_token(make_client(session, settings.slack_api_url, token), settings):
                yield finding
        yield await _way_in(settings, make_client(session, settings.slack_api_url, None))
    yield note("Slack events", "cannot be tested from here: mention the bot in a channel and see that it answers")


def _installation(settings: Settings) -> DoctorFinding:
    """Whether Slack takes the id and the secret shows only when somebody installs the app."""
    subject = "Slack installation"
    try:
        settings.require_slack()
    except SettingsError as exc:
        return problem(subject, str(exc).partition("\n")[0], "see the settings above, or `autoheal setup --public-url`")
    who = "any workspace" if settings.may_install is None else ", ".join(sorted(settings.may_install))
    return ok(subject, f"{who} may install the app at {settings.install_url}")


async def _bot_token(client: AsyncWebClient, settings: Settings) -> AsyncIterator[DoctorFinding]:
    subject = "Slack bot token"
    try:
        answer = await client.auth_test()
    except SlackApiError as exc:
        yield _refused(subject, exc, "reinstall the app and copy the Bot User OAuth Token to SLACK_BOT_TOKEN")
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


def _scopes(granted: frozenset[str]) -> DoctorFinding:
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


async def _channels(client: AsyncWebClient, bot: str) -> DoctorFinding:
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
        code = exc.response.get("error")
        return _away(subject, exc) or problem(subject, f"cannot be listed ({code})", "see the scopes above")
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


def _binding(settings: Settings, team_id: str) -> DoctorFinding:
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


async def _way_in(settings: Settings, client: AsyncWebClient) -> DoctorFinding:
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
        todo = "generate an App-Level Token with connections:write, with Socket Mode on, and set SLACK_APP_TOKEN"
        return _refused(subject, exc, todo)
    except _UNREACHABLE as exc:
        return _unreachable(subject, exc)
    return ok(subject, "Socket Mode can be opened")


def _refused(subject: str, exc: SlackApiError, todo: str) -> DoctorFinding:
    return _away(subject, exc) or problem(subject, f"refused by Slack ({exc.response.get('error')})", todo)


def _away(subject: str, exc: SlackApiError) -> DoctorFinding | None:
    """A limit, or a bad day of Slack's, says nothing of the token."""
    away = absence(exc)
    return None if away is None else problem(subject, f"not tested: {away}", "try again in a minute")


def _unreachable(subject: str, exc: Exception) -> DoctorFinding:
    return problem(
        subject,
        f"Slack cannot be reached ({type(exc).__name__})",
        "let this host reach the address in SLACK_API_URL (https://slack.com by default)",
    )
