"""Change what the plan does before deciding on it, such as the version to go back to: opens a modal."""

import asyncio
from datetime import timedelta

from agents.errors import AgentError
from agents.evidence.types import Window
from agents.permission import Permission
from agents.remediation import Plan
from handlers.slack.button import Button, Click, show_form
from handlers.slack.context import HandlerContext
from handlers.slack.decision import UNKNOWN, read_approval
from handlers.slack.modal import Metadata
from handlers.slack.modals.change_scope import change_scope_view, changeable
from store.ids import TenantId
from store.incidents.approvals import ApprovalState

_KNOWN_FOR = timedelta(days=30)
_PATIENCE_S = 1.5  # of the three seconds that a trigger lives


class ChangeScopeButton(Button):
    name = "change_scope"
    permission = Permission.APPROVE_MEDIUM

    async def press(self, click: Click, context: HandlerContext) -> None:
        found = await read_approval(click.person, click.value, context, here=click.reply.channel_id)
        if found is None:
            await click.reply.privately(UNKNOWN)
            return
        if found.state is not ApprovalState.PROPOSED:
            await click.reply.privately("This is decided already; its scope cannot be changed any more.")
            return
        plan = Plan.model_validate(found.plan)
        if not changeable(plan):
            await click.reply.privately(
                "This plan has nothing to choose but its target. Reject it, or steer with a mention."
            )
            return
        versions = await known_versions(click.person.tenant_id, plan, context)
        metadata = Metadata(
            subject=found.id,
            channel_id=click.reply.channel_id,
            thread_ts=click.reply.thread_ts,
            fingerprint=click.value.partition(":")[2],
        )
        await show_form(click, change_scope_view(metadata, plan, versions), context)


async def known_versions(tenant: TenantId, plan: Plan, context: HandlerContext) -> list[str]:
    """Versions that the target ran, newest first, without the running one. Empty when no source answers in time."""
    now = context.clock()
    found: dict[str, None] = {}
    try:
        async with asyncio.timeout(_PATIENCE_S):
            for source in (await context.toolbox_for(tenant)).changes:
                read = await source.read_changes(Window(start=now - _KNOWN_FOR, end=now))
                mine = sorted((c for c in read.changes if c.service == plan.target), key=lambda c: c.at, reverse=True)
                for change in mine:
                    found |= dict.fromkeys(v for v in (change.version, change.previous_version) if v)
    except (TimeoutError, AgentError):
        return []
    return [version for version in found if version != plan.from_version]


BUTTON = ChangeScopeButton()
