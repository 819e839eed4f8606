"""The form that takes the secret of a webhook whose sender makes it itself, as PagerDuty and Sentry do. It is checked,
sealed, and shown to nobody again; the one before counts for a day more.
"""

from __future__ import annotations

from agents.alerting.administering import rotate_webhook
from agents.permission import Permission
from agents.webhooks.making import LEAST_SECRET, known_provider
from agents.webhooks.problem import BadWebhook
from handlers.slack.blocks import text as t
from handlers.slack.blocks.message import sections
from handlers.slack.context import HandlerContext
from handlers.slack.inbound.payload import SECRET_FIELD
from handlers.slack.modal import Metadata, Modal, Submission
from store import audit
from store.errors import NotFound
from store.ids import WebhookId
from store.inbox.webhooks import Webhook

_SECRET = "secret"  # noqa: S105 -- the name of the field
_LONGEST = 200


class WebhookSecret(Modal):
    name = "webhook_secret"
    permission = Permission.CONNECT

    async def submit(self, submission: Submission, context: HandlerContext) -> None:
        person, given = submission.person, submission.secrets.get(_SECRET)
        actor = audit.Actor(type="user", id=person.user_id)
        try:
            async with context.db.tenant(person.tenant_id) as s:
                made = await rotate_webhook(
                    s,
                    WebhookId(submission.metadata.subject),
                    secret=given.reveal() if given is not None else "",
                    actor=actor,
                    source="slack",
                )
        except NotFound:
            await submission.reply.privately("This webhook has been deleted.")
        except BadWebhook as exc:
            await submission.reply.privately(f"The secret was not stored: {t.prose(str(exc), 300)}.")
        else:
            await submission.reply.privately(
                f"The secret of {t.prose(made.webhook.label, 80)} is stored. What it signs is believed from now on."
            )


def webhook_secret_view(metadata: Metadata, webhook: Webhook) -> dict[str, object]:
    """`metadata.subject` is the webhook's id."""
    of = known_provider(webhook.provider)
    field = {
        "type": "input",
        "block_id": _SECRET,
        "label": {"type": "plain_text", "text": f"Secret that {of.title} made"[:2_000]},
        "hint": {"type": "plain_text", "text": f"At least {LEAST_SECRET} characters. It is not shown again."},
        "element": {"type": "plain_text_input", "action_id": f"{SECRET_FIELD}{_SECRET}", "max_length": _LONGEST},
    }
    return MODAL.view(metadata, title="Secret of a webhook", submit="Store", blocks=[*sections(of.setup), field])


MODAL = WebhookSecret()
