"""What every request of a person shares: the runtime, the record of who asked, and the word that wakes a workflow."""

from __future__ import annotations

from collections.abc import Mapping

from agents.permission import Person, Sees
from agents.runtime import Runtime
from agents.workflow import workflow_id
from agents.workflows.remediate import TOPIC
from store import audit
from store.audit import Actor
from store.database.session import TenantSession
from store.incidents.approvals import Approval


class PersonRequests:
    """Base of the requests by subject. Over the store and the engine."""

    def __init__(self, runtime: Runtime, *, sees: Sees | None = None) -> None:
        """Without `sees` nobody sees anything outside of where they ask."""
        self._rt = runtime
        self._sees = sees

    async def _wake(self, person: Person, decided: Approval) -> None:
        """Wakes the waiting workflow, which reads the decision from the store. Repeating it wakes it once."""
        waiting = workflow_id(person.tenant_id, "remediate", decided.id)
        await self._rt.queue.revive("remediate", workflow_id=waiting, arguments=(person.tenant_id, decided.id))
        word = decided.decision or decided.state.value
        await self._rt.queue.send(waiting, TOPIC, word, key=f"{decided.id}:{decided.plan_hash[:16]}:{word}")

    async def _noted(
        self, s: TenantSession, person: Person, what: str, target: str, details: Mapping[str, object]
    ) -> None:
        actor = Actor(type="user", id=person.user_id)
        await audit.record(s, actor=actor, action=f"{person.door}.{what}", target=target, details=dict(details))
