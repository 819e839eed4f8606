"""Other arguments for a proposed plan. The target stays; code makes the new plan, and the card asks for a decision on
that.

The fields are those of the remediation's own arguments, so a new remediation needs nothing here.
"""

from collections.abc import Sequence

from agents.incidents.requests import AlreadyDecided, DoneNow, NothingToDo
from agents.permission import Denied, Permission
from agents.remediation import Plan, discover_remediations
from handlers.slack.context import HandlerContext
from handlers.slack.decision import CHANGED, UNKNOWN, in_words, read_approval
from handlers.slack.modal import Metadata, Modal, Submission
from store.incidents.approvals import Approval

TARGET = "service"
VERSION = "to_version"
MOST_OPTIONS = 100  # of a static select


class ChangeScopeModal(Modal):
    name = "change_scope"
    permission = Permission.APPROVE_MEDIUM

    async def submit(self, submission: Submission, context: HandlerContext) -> None:
        found = await read_approval(submission.person, submission.metadata.subject, context, here=None)
        if found is None:
            await submission.reply.privately(UNKNOWN)
        elif not _saw(found, submission.metadata):
            await submission.reply.privately(CHANGED)
        else:
            await self._change(submission, found, context)

    async def _change(self, submission: Submission, found: Approval, context: HandlerContext) -> None:
        wanted = {
            name: submission.values[name]
            for name in changeable(Plan.model_validate(found.plan))
            if submission.values.get(name)
        }
        match await context.incident_service.change_scope(submission.person, found.id, arguments=wanted):
            case DoneNow():
                await submission.reply.privately(
                    "The card shows the new plan. Nothing is applied until somebody approves it."
                )
            case AlreadyDecided(sentence=told):
                await submission.reply.privately(told)
            case NothingToDo(reason=reason) | Denied(reason=reason):
                await submission.reply.privately(await in_words(submission.person, reason, context))


def _saw(found: Approval, metadata: Metadata) -> bool:
    return len(metadata.fingerprint) >= 12 and found.plan_hash.startswith(metadata.fingerprint)


def changeable(plan: Plan) -> dict[str, str]:
    """The arguments that a person may set, with their present values."""
    remediation = discover_remediations().get(plan.remediation)
    if remediation is None:
        return {}
    known = {**plan.parameters, VERSION: plan.to_version or ""}
    return {name: known.get(name, "") for name in remediation.arguments.model_fields if name != TARGET}


def change_scope_view(metadata: Metadata, plan: Plan, versions: Sequence[str]) -> dict[str, object]:
    """`versions` are those that the target is known to have run; without any, the version is typed."""
    fields = [_field(name, value, versions if name == VERSION else ()) for name, value in changeable(plan).items()]
    return MODAL.view(metadata, title="Change scope", submit="Make a new plan", blocks=fields)


def _field(name: str, value: str, versions: Sequence[str]) -> dict[str, object]:
    label = {"type": "plain_text", "text": name.replace("_", " ").capitalize()}
    if not versions:
        element: dict[str, object] = {"type": "plain_text_input", "action_id": name, "max_length": 200}
        if value:
            element["initial_value"] = value[:200]
    else:
        choices = list(dict.fromkeys([*([value] if value else []), *versions]))[:MOST_OPTIONS]
        options = [{"text": {"type": "plain_text", "text": one[:75]}, "value": one[:150]} for one in choices]
        element = {"type": "static_select", "action_id": name, "options": options}
        if value:
            element["initial_option"] = options[0]
    return {"type": "input", "block_id": name, "label": label, "element": element}


MODAL = ChangeScopeModal()
