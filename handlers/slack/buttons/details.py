"""Everything behind a verdict: claims with their proofs, explanations, what was dropped, what was read.

It opens as a modal, for a phone scrolls that best; when the click is older than Slack allows, it comes as a private
message. A proof's own button names the result in which it stands, which then comes first.
"""

from collections.abc import Sequence

from agents.permission import Permission
from agents.verdict import Verdict
from handlers.slack.blocks.details import details
from handlers.slack.blocks.message import MOST_BLOCKS, Message
from handlers.slack.button import Button, Click
from handlers.slack.context import HandlerContext, open_modal
from handlers.slack.investigation_lookup import UNKNOWN, read_run
from store.incidents.artifacts import Artifact, artifacts
from store.incidents.feedback import feedback
from store.incidents.investigations import note_authors
from store.people.users import people


class DetailsButton(Button):
    name = "details"
    permission = Permission.READ

    async def press(self, click: Click, context: HandlerContext) -> None:
        run = await read_run(click.person, click.value, context, here=click.reply.channel_id)
        if run is None:
            await click.reply.privately(UNKNOWN)
            return
        if run.verdict is None:
            await click.reply.privately("This investigation has no verdict yet.")
            return
        async with context.db.tenant(click.person.tenant_id, readonly=True) as s:
            read = await artifacts(s, run.id)
            authors = await note_authors(s, run.id)
            known = {person.id: person.slack_user_id for person in await people(s)}
            remarks = [str(one.remark) for one in await feedback(s, run.id) if one.remark and not one.positive]
        speakers = {str(note): slack for note, by in authors.items() if (slack := known.get(by))}
        place = click.value.partition(":")[2]
        verdict = Verdict.model_validate(run.verdict)
        blocks = details(verdict, read, artifact_links(read), place=place, remarks=remarks, speakers=speakers)
        view: dict[str, object] = {
            "type": "modal",
            "title": {"type": "plain_text", "text": "Details"},
            "close": {"type": "plain_text", "text": "Close"},
            "blocks": blocks,
        }
        client = await context.clients.client_for(click.person.tenant_id)
        if not await open_modal(client, click.trigger_id, view):
            await click.reply.privately(Message(text="Details of the verdict", blocks=tuple(blocks[:MOST_BLOCKS])))


def artifact_links(read: Sequence[Artifact]) -> dict[str, str]:
    """Addresses that connectors gave, by the artifact's number."""
    return {f"A{one.number}": str(one.facts["link"]) for one in read if one.facts.get("link")}


BUTTON = DetailsButton()
