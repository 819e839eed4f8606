"""What `autoheal webhook` does: the same as an admin does from Slack, audited as the operator's."""

from __future__ import annotations

from collections.abc import Sequence

from agents.alerting.administering import MadeWebhook, make_webhook, remove_webhook, rotate_webhook
from agents.webhooks.problem import BadWebhook
from bot.opening import open_database
from bot.settings import Settings, SettingsError
from handlers.slack.commands.webhook import address
from store.audit import Actor
from store.database.session import TenantSession
from store.errors import NotFound
from store.ids import WebhookId
from store.inbox import webhooks
from store.tenancy.tenants import find_tenant

_OPERATOR = Actor(type="system", id="operator")


async def administer(
    settings: Settings, tenant: str, action: str | None, words: Sequence[str], *, label: str, secret: str | None
) -> list[str]:
    """What to print. Raises SettingsError with what is accepted."""
    async with open_database(settings) as (db, _):
        found = await find_tenant(db, tenant)
        if found is None or found.status != "active":
            raise SettingsError(f"there is no active tenant {tenant}; `autoheal tenant` lists them")
        try:
            async with db.tenant(found.id) as s:
                return await _act(s, settings, (action, list(words)), label=label, secret=secret)
        except BadWebhook as exc:
            raise SettingsError(str(exc)) from exc
        except NotFound as exc:
            raise SettingsError(f"there is no such webhook; `autoheal webhook {tenant}` lists them") from exc


async def _act(
    s: TenantSession, settings: Settings, asked: tuple[str | None, list[str]], *, label: str, secret: str | None
) -> list[str]:
    match asked:
        case None, []:
            known = await webhooks.webhooks(s)
            lines = [(one.id, one.provider, one.label, address(one, settings.public_url)) for one in known]
            return ["  ".join(line) for line in lines] or [
                "there is none yet; `autoheal webhook TENANT add PROVIDER` makes one"
            ]
        case "add", [provider, *rest]:
            if wrong := [one for one in rest if "=" not in one]:
                raise BadWebhook(f"{wrong[0]!r} is no setting; write name=value")
            made = await make_webhook(
                s,
                provider=provider,
                label=label,
                config=dict(one.split("=", 1) for one in rest),
                secret=secret,
                actor=_OPERATOR,
                source="operator",
                by=None,
            )
            return _shown(made, settings)
        case "rotate", [which]:
            made = await rotate_webhook(s, WebhookId(which), secret=secret, actor=_OPERATOR, source="operator")
            return _shown(made, settings)
        case "delete", [which]:
            if not await remove_webhook(s, WebhookId(which), actor=_OPERATOR, source="operator"):
                raise NotFound("no such webhook")
            return ["deleted"]
        case _:
            raise BadWebhook("write: autoheal webhook TENANT [add PROVIDER [NAME=VALUE ...] | rotate ID | delete ID]")


def _shown(made: MadeWebhook, settings: Settings) -> list[str]:
    lines = [f"id:      {made.webhook.id}", f"address: {address(made.webhook, settings.public_url)}"]
    if made.secret is not None:
        lines.append(f"secret:  {made.secret.reveal()}   (shown once)")
    return [*lines, made.setup]
