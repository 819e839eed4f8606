"""`/autoheal webhook`: where other systems may send alerts and changes. Making one shows its address and secret once,
to the admin who asked, and nobody else.
"""

from __future__ import annotations

from agents.alerting.administering import MadeWebhook, make_webhook, remove_webhook, rotate_webhook
from agents.permission import Permission
from agents.webhooks import discover_providers
from agents.webhooks.making import BadWebhook
from handlers.slack.blocks import text as t
from handlers.slack.command import Command, CommandCall
from handlers.slack.context import HandlerContext
from store import audit
from store.errors import NotFound
from store.ids import UserId, WebhookId
from store.inbox import webhooks
from store.inbox.webhooks import Webhook

_HELP = (
    "`/autoheal webhook` lists them. `/autoheal webhook add <provider> [name] [setting=value ...]`, "
    "`/autoheal webhook rotate <id>`, `/autoheal webhook delete <id>`. Providers: {providers}."
)


class WebhookCommand(Command):
    name = "webhook"
    aliases = ("webhooks",)
    usage = "[add <provider> | rotate <id> | delete <id>]"
    summary = "where other systems may send alerts and changes"
    permission = Permission.CONNECT

    async def run(self, call: CommandCall, context: HandlerContext) -> None:
        words = call.rest.split()
        try:
            answer = await _answer(call, words, context)
        except BadWebhook as exc:
            answer = t.prose(str(exc), 600)
        except NotFound:
            answer = "There is no webhook with this id. `/autoheal webhook` lists them."
        await call.reply.privately(answer)


async def _answer(call: CommandCall, words: list[str], context: HandlerContext) -> str:
    person, actor = call.person, audit.Actor(type="user", id=call.person.user_id)
    async with context.db.tenant(person.tenant_id) as s:
        match words:
            case []:
                return _listed(await webhooks.webhooks(s))
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
                return _shown(made, context)
            case ["rotate", which]:
                made = await rotate_webhook(s, WebhookId(which), secret=None, actor=actor, source="slack")
                return _shown(made, context) + " The old secret counts for a day more."
            case ["delete" | "remove", which]:
                if not await remove_webhook(s, WebhookId(which), actor=actor, source="slack"):
                    raise NotFound("no such webhook")
                return "Deleted. What is sent there is refused from now on."
            case _:
                return _HELP.format(providers=", ".join(sorted(discover_providers())))


def address(webhook: Webhook, public_url: str | None) -> str:
    """Where to send it; without a public address of this deployment only the path is known."""
    return f"{public_url or 'https://<the address of this deployment>'}{webhook.path}"


def _shown(made: MadeWebhook, context: HandlerContext) -> str:
    lines = [f"Address: {t.code(address(made.webhook, context.public_url), 400)}"]
    if made.secret is not None:
        lines.append(f"Secret, shown once: {t.code(made.secret.reveal(), 200)}")
    lines += [t.escape(made.setup), "Where the vendor makes the secret itself, give it by the API or the operator."]
    return "\n".join(lines)


def _listed(known: list[Webhook]) -> str:
    if not known:
        return "There is no webhook yet. " + _HELP.format(providers=", ".join(sorted(discover_providers())))
    return "\n".join(_line(one) for one in known)


def _line(one: Webhook) -> str:
    last = f"last good delivery {t.day_minute(one.accepted_at)} UTC" if one.accepted_at else "nothing accepted yet"
    bad = ""
    if one.refused_at is not None and (one.accepted_at is None or one.refused_at > one.accepted_at):
        reason = (one.refused_reason or "").replace("_", " ")
        bad = f"; *refused* {one.refused_count}, last {t.day_minute(one.refused_at)} UTC ({reason})"
    return f"• {t.prose(one.label, 80)} ({one.provider}), `{one.id}`: {last}{bad}"


COMMAND = WebhookCommand()
