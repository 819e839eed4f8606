"""The form of a connector, drawn from what it declares: each field with its help. Handed in, it is tested against the
vendor before anything is stored, and the result comes as a private message.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from agents.connecting.connecting import Consenting, NotConnected, connectable, in_words
from agents.connecting.connector import Connector
from agents.connecting.fields import Field
from agents.permission import Permission
from handlers.slack.blocks.message import Message, actions, button, said, sections
from handlers.slack.blocks.message import context as small_print
from handlers.slack.context import HandlerContext
from handlers.slack.inbound.payload import SECRET_FIELD
from handlers.slack.modal import Metadata, Modal, Submission

LABEL: Final = "label"
_HINT_LIMIT: Final = 2_000
_LONGEST: Final = 3_000


class ConnectModal(Modal):
    name = "connect"
    permission = Permission.CONNECT

    async def submit(self, submission: Submission, context: HandlerContext) -> None:
        person, connector = submission.person, submission.metadata.subject
        result = await context.connecting.connect(
            Consenting(tenant=person.tenant_id, user=person.user_id),
            connector=connector,
            values={name: value for name, value in submission.values.items() if name != LABEL},
            secrets=submission.secrets,
            label=submission.values.get(LABEL, ""),
            source="slack",
            source_id=submission.source_id,
        )
        words = in_words(result)
        if isinstance(result, NotConnected) and connector in connectable():
            again = actions(button(f"connect:{connector}", "Fill it in again", connector))
            await submission.reply.privately(Message(text=said(words).text, blocks=(*sections(words), *again)))
        else:
            await submission.reply.privately(words)


def connect_view(metadata: Metadata, kind: type[Connector]) -> dict[str, object]:
    """`metadata.subject` is the connector's name."""
    form = kind.form
    intro = f"{kind.about} <{kind.docs_url}|Its documentation>" if kind.docs_url else kind.about
    blocks: list[Mapping[str, object]] = [*sections(intro)]
    if len(form.ways) > 1 or (form.ways and form.open):
        ways = " or ".join(way.title for way in form.ways)
        blocks += small_print(
            f"To prove who asks: {ways}{', or nothing where it asks for nothing' if form.open else ''}."
        )
    if kind.scopes:
        blocks += small_print("Rights it needs: " + "; ".join(f"{s.name} (else {s.without})" for s in kind.scopes))
    blocks += [_input(one) for one in form.fields]
    name = Field(
        name=LABEL,
        label="What to call it",
        help="To tell several of one kind apart, such as one for each cluster. May be left empty.",
        example=kind.name,
    )
    blocks.append(_input(name))
    title = f"Connect {kind.title}"
    return MODAL.view(metadata, title=title[:24], submit="Test and connect", blocks=blocks)


def _input(one: Field) -> dict[str, object]:
    element: dict[str, object] = {
        "type": "plain_text_input",
        "action_id": f"{SECRET_FIELD}{one.name}" if one.secret else one.name,
        "max_length": _LONGEST,
        "multiline": one.long,
    }
    if one.example and not one.secret:
        element["placeholder"] = {"type": "plain_text", "text": one.example.splitlines()[0][:150]}
    return {
        "type": "input",
        "block_id": one.name,
        "optional": not one.required,
        "label": {"type": "plain_text", "text": one.label[:2_000]},
        "hint": {"type": "plain_text", "text": one.help[:_HINT_LIMIT]},
        "element": element,
    }


MODAL = ConnectModal()
