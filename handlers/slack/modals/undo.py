"""Yes, take it back: handing it in is the decision. The plan that takes the applied one back is stored, approved by
whoever handed it in, applied once and measured.
"""

from agents.incidents.requests import DoneNow, NothingToDo
from agents.permission import Denied, Permission
from handlers.slack.context import HandlerContext
from handlers.slack.decision import UNKNOWN, in_words, read_approval
from handlers.slack.modal import Metadata, Modal, Submission


class UndoModal(Modal):
    name = "undo"
    permission = Permission.APPROVE_MEDIUM

    async def submit(self, submission: Submission, context: HandlerContext) -> None:
        found = await read_approval(submission.person, submission.metadata.subject, context, here=None)
        if found is None:
            await submission.reply.privately(UNKNOWN)
            return
        match await context.incident_service.undo(submission.person, found.id):
            case DoneNow():
                doing = "Re-applying it" if found.undo_of else "Undoing it"
                await submission.reply.privately(f"{doing}. The thread shows what comes of it.")
            case NothingToDo(reason=reason) | Denied(reason=reason):
                await submission.reply.privately(await in_words(submission.person, reason, context))


def undo_view(metadata: Metadata, words: str, *, again: bool) -> dict[str, object]:
    """`words` are mrkdwn: what it puts back, and what that did."""
    title = "Re-apply" if again else "Undo"
    measured = "It is measured like any remedy, and can be taken back again."
    blocks = [{"type": "section", "text": {"type": "mrkdwn", "text": f"{words}\n{measured}", "verbatim": True}}]
    return MODAL.view(metadata, title=f"{title}?", submit=title, blocks=blocks)


MODAL = UndoModal()
