"""Add a service, or correct what is known of one. What a person says here stays, whatever a source says later."""

from __future__ import annotations

import re
from typing import Final

from agents.connecting.connector import Service
from agents.connecting.correcting import Correction, correct
from agents.permission import Permission
from handlers.slack.context import HandlerContext
from handlers.slack.modal import Metadata, Modal, Submission

_FIELDS: Final = (
    ("name", "Name", "Small letters, digits, hyphens and dots, as you say it in an incident.", "checkout"),
    (
        "aliases",
        "Also called",
        "Names and patterns in your tools, such as web-checkout or pod:checkout-*.",
        "checkout-*",
    ),
    ("depends_on", "Calls", "Services that it calls, by name.", "payments, inventory"),
    ("environment", "Environment", "Where it runs.", "production"),
    ("owners", "Owners", "Who looks after it: names or handles.", "@payments-team"),
    ("repository", "Repository", "Where its code is.", "acme/shop"),
    ("runbook", "Runbook", "An https address of what to do when it fails.", "https://wiki.example.com/checkout"),
)


class ServiceModal(Modal):
    name = "service"
    permission = Permission.CONNECT

    async def submit(self, submission: Submission, context: HandlerContext) -> None:
        toolbox = await context.toolbox_for(submission.person.tenant_id)
        correction = Correction.read(submission.values)
        told = await correct(context.db, submission.person, correction, toolbox.services, source="slack")
        await submission.reply.privately(told)


def service_view(metadata: Metadata, known: Service | None, name: str = "") -> dict[str, object]:
    present = {
        "name": known.name if known else name if re.fullmatch(r"[a-z0-9][a-z0-9._-]{0,39}", name) else "",
        "aliases": ", ".join(known.aliases) if known else "",
        "depends_on": ", ".join(known.depends_on) if known else "",
        "environment": known.environment if known else "production",
        "owners": ", ".join(known.owners) if known else "",
        "repository": (known.repository or "") if known else "",
        "runbook": (known.runbook or "") if known else "",
    }
    blocks = []
    for field, label, hint, example in _FIELDS:
        element: dict[str, object] = {
            "type": "plain_text_input",
            "action_id": field,
            "max_length": 1_000,
            "placeholder": {"type": "plain_text", "text": example},
        }
        if present[field]:
            element["initial_value"] = present[field][:1_000]
        blocks.append(
            {
                "type": "input",
                "block_id": field,
                "optional": field != "name",
                "label": {"type": "plain_text", "text": label},
                "hint": {"type": "plain_text", "text": hint},
                "element": element,
            }
        )
    return MODAL.view(metadata, title="A service", submit="Save", blocks=blocks)


MODAL = ServiceModal()
