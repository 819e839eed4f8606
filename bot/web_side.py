"""What people and programs reach over HTTP besides Slack, joined: the context of the API, and metrics."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from datetime import timedelta

from starlette.applications import Starlette
from starlette.routing import BaseRoute

from agents.connecting.connecting import Connecting
from agents.connecting.disconnecting import Disconnecting
from agents.connecting.toolboxes import Toolboxes
from agents.permission import Person, Sees
from bot.master_keys import account_secret
from bot.metrics import Backlog, Metrics
from bot.settings import Settings
from bot.web_app import build_web_app
from handlers.web.api_app import build_api
from handlers.web.api_resource import ApiContext
from store.audit.event_days import EventDays
from store.database.session import Database
from store.inbox.backlog import arrivals_waiting, relay_lag
from store.incidents import Sight
from store.keys.key_provider import MasterKeys
from store.people.account_keys import AccountKeys
from store.people.passwords import Passwords
from store.people.sign_in import SignIn
from store.people.throttle import Throttle
from store.secrets.redaction import Secret


async def open_account_keys(settings: Settings, keys: MasterKeys) -> AccountKeys:
    """Made at the first use. Raises WrongMasterKey and what key services raise."""
    return AccountKeys.derived_from(await account_secret(keys, settings.data / "accounts.key"))


class NobodySees:
    """Where Slack is not asked, nobody can say who may see what was said in its channels."""

    async def among(self, _person: Person, _channels: Iterable[str | None], *, here: str | None = None) -> Sight:
        return Sight(channels=frozenset({here} if here else ()), asked_in_vain=True)


async def build_web_side(
    settings: Settings,
    *,
    db: Database,
    keys: MasterKeys,
    days: EventDays,
    metrics: Metrics,
    toolboxes: Toolboxes,
    sees: Sees | None = None,
    slack: Sequence[BaseRoute] = (),
    webhooks: Sequence[BaseRoute] = (),
) -> Starlette:
    """`slack`: its routes in HTTP mode, none in Socket Mode."""
    account_keys = await open_account_keys(settings, keys)
    passwords = await asyncio.to_thread(Passwords, account_keys.pepper)  # it hashes once, a quarter of a second
    context = ApiContext(
        db=db,
        days=days,
        keys=account_keys,
        passwords=passwords,
        sign_in=SignIn(db=db, keys=account_keys, passwords=passwords, throttle=Throttle(db.now)),
        disconnecting=Disconnecting(db=db, egress_of=toolboxes.egress_of, now=db.now),
        connecting=Connecting(db, toolboxes, now=db.now),
        toolbox_for=toolboxes.of,
        sees=sees or NobodySees(),
        public_url=settings.public_url,
    )

    async def backlog() -> Backlog:
        lag: timedelta = await relay_lag(db)
        return Backlog(queued=await arrivals_waiting(db), relay_lag_s=lag.total_seconds())

    async def page() -> bytes:
        return await metrics.text(backlog)

    token = settings.metrics_token
    return build_web_app(
        slack=slack,
        webhooks=webhooks,
        api=build_api(context),
        metrics=page,
        metrics_token=Secret(token.get_secret_value()) if token else None,
    )
