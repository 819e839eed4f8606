"""What Slack delivered, handled durably: the arrival is in the inbox, the handlers know what to do with it."""

from __future__ import annotations

from agents.runtime import Runtime
from agents.workflow import Lane, Workflow, WorkflowContext
from store.ids import InboxId, TenantId


async def body(run: WorkflowContext, rt: Runtime, tenant: str, inbox_id: str) -> str:
    """One step: the receiver is idempotent."""

    async def receive() -> str:
        await rt.receiver.receive(TenantId(tenant), InboxId(inbox_id))
        return "done"

    return await run.step("receive", receive)


WORKFLOW = Workflow(name="receive", lane=Lane.RECEIVE, body=body)
