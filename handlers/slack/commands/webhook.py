"""`/autoheal webhook`: where other systems may send alerts and changes. Making one shows its address and secret once,
to the admin who asked, and nobody else.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from agents.alerting.administering import MadeWebhook, declare_heartbeat, make_webhook, remove_webhook, rotate_webhook
from agents.permission import Permission
from agents.webhooks import discover_providers
from agents.webhooks.heartbeat import heartbeat_minutes, heartbeat_of, silent_since
from agents.webhooks.making import known_provider
from agents.webhooks.problem import BadWebhook
from handlers.slack.blocks import text as t
from handlers.slack.blocks.message import Message, actions, button, sections
from handlers.slack.command import Command, CommandCall
from handlers.slack.context import HandlerContext
from store import audit
from store.database.session import TenantSession
from store.errors import NotFound
from store.ids import UserId, WebhookId
from store.inbox import webhooks
from store.inbox.webhooks import Webhook

_HELP = (
    "`/autoheal webhook` lists them. `/autoheal webhook add <provider> [name] [setting=value ...]`, "
    "`/autoheal webhook rotate <id>`, `/autoheal webhook secret <id>` for one that its sender made, "
    "`/autoheal webhook heartbeat <id> <minutes>` where something always arrives within that time, "
    "`/autoheal webhook delete <id>`. Providers: {providers}."
)


class WebhookCommand(Command):
    name = "webhook"
    aliases = ("webhooks",)
    usage = "[add <provider> | rotate <id> | secret <id> | heartbeat <id> <minutes> | delete <id>]"
    summary = "where other systems may send alerts and changes"
    permission = Permission.CONNECT

    async def run(self, call: CommandCall, context: HandlerContext) -> None:
        words = call.rest.split()
        answer: str | Message
        try:
            answer = await _answer(call, words, context)
        except BadWebhook as exc:
            answer = t.prose(str(exc), 600)
        except NotFound:
            answer = "There is no webhook with this id. `/autoheal webhook` lists them."
        await call.reply.privately(answer)


async def _answer(  # noqa: PLR0911 -- one for each word
    call: CommandCall, words: list[str], context: HandlerContext
) -> str | Message:
    person, actor = call.person, audit.Actor(type="user", id=call.person.user_id)
    async with context.db.tenant(person.tenant_id) as s:
        match words:
            case []:
                return _listed(await webhooks.webhooks(s), s.now())
            case ["add", provider, *rest]:
                label = " ".join(one for one in rest if "=" not in one)
                config = dict(one.split("=", 1) for one in rest if "=" in one)
                made = await make_webhook(
                    s,
                    provider=provider.lower(),
                    label=label,
                    config=config,
                    secret=None,
                    actor=actor,
                    source="slack",
                    by=UserId(person.user_id),
                )
                if _made_elsewhere(made.webhook):
                    return _asks_secret(made.webhook, _shown(replace(made, secret=None), context))
                return _shown(made, context)
            case ["heartbeat", which, minutes]:
                return await _watched(s, which, minutes, actor)
            case ["secret", which]:
                return _asks_secret(await _known(s, which))
            case ["rotate", which] if _made_elsewhere(await _known(s, which)):
                return _asks_secret(await _known(s, which))
            case ["rotate", which]:
                made = await rotate_webhook(s, WebhookId(which), secret=None, actor=actor, source="slack")
                return f"{_shown(made, context)} The old secret counts for a day more."
            case ["delete" | "remove", which]:
                if not await remove_webhook(s, WebhookId(which), actor=actor, source="slack"):
                    raise NotFound("no such webhook")
                return "Deleted. What is sent there is refused from now on."
            case _:
                return _HELP.format(providers=", ".join(sorted(discover_providers())))


async def _watched(s: TenantSession, which: str, minutes: str, actor: audit.Actor) -> str:
    """Raises BadWebhook, NotFound."""
    every = None if minutes.lower() == "off" else heartbeat_minutes(minutes)
    await declare_heartbeat(s, WebhookId(which), every, actor=actor, source="slack")
    if every is None:
        return "Its silence is not judged any more."
    return (
        f"Admins are told when nothing arrived there for {every} min. Alertmanager's Watchdog makes a good heartbeat."
    )


async def _known(s: TenantSession, which: str) -> Webhook:
    """Raises NotFound."""
    known = next((one for one in await webhooks.webhooks(s) if one.id == which), None)
    if known is None:
        raise NotFound("no such webhook")
    return known


def _made_elsewhere(webhook: Webhook) -> bool:
    return known_provider(webhook.provider).vendor_makes_secret(webhook.config)


def _asks_secret(webhook: Webhook, lead: str = "") -> Message:
    """A button to the form: a secret that is typed into a command would stand in the channel's history of commands."""
    ask = f"Enter the secret of {t.prose(webhook.label, 80)} in the form. The one before counts for a day more."
    enter = actions(button("webhook_secret", "Enter its secret", webhook.id))
    return Message(text=t.push("Enter the secret"), blocks=(*sections(lead or ask), *enter))


def address(webhook: Webhook, public_url: str | None) -> str:
    """Where to send it; without a public address of this deployment only the path is known."""
    return f"{public_url or 'https://<the address of this deployment>'}{webhook.path}"


def _shown(made: MadeWebhook, context: HandlerContext) -> str:
    lines = [f"Address: {t.code(address(made.webhook, context.public_url), 400)}"]
    if made.secret is not None:
        lines.append(f"Secret, shown once: {t.code(made.secret.reveal(), 200)}")
    lines.append(t.escape(made.setup))
    return "\n".join(lines)


def _listed(known: list[Webhook], now: datetime) -> str:
    if not known:
        return "There is no webhook yet. " + _HELP.format(providers=", ".join(sorted(discover_providers())))
    return "\n".join(_line(one, now) for one in known)


def _line(one: Webhook, now: datetime) -> str:
    last = f"last good delivery {t.day_minute(one.accepted_at)} UTC" if one.accepted_at else "nothing accepted yet"
    bad = ""
    if one.refused_at is not None and (one.accepted_at is None or one.refused_at > one.accepted_at):
        reason = (one.refused_reason or "").replace("_", " ")
        bad = f"; *refused* {one.refused_count}, last {t.day_minute(one.refused_at)} UTC ({reason})"
    declared = heartbeat_of(one.config)
    watched = f"; something every {t.duration(declared.every)}" if declared is not None else ""
    silent = ", but it is *silent*" if silent_since(one, now) is not None else ""
    return f"• {t.prose(one.label, 80)} ({one.provider}), `{one.id}`: {last}{watched}{silent}{bad}"


COMMAND = WebhookCommand()
