"""A stored run with a conclusion and its trace."""

from agents.trace import Costs, Objection, Trace
from store import incidents
from store.ids import IncidentId, InvestigationId, stable_id
from store.incidents import conversations, investigations
from store.secrets.redaction import Redacted
from tests.handlers.slack.blocks.examples import a_claim, a_verdict
from tests.handlers.web.api.api import Api

TRACE = Trace(
    reads=(),
    hypotheses=(),
    review=(Objection(by="timing", outcome="held", reason="no later than the symptom"),),
    steered=(),
    drafted="high",
    drafts=1,
    costs=Costs(turns=2, tool_calls=3, input_tokens=10, output_tokens=5, cost_usd=0.01, seconds=12),
)
DROPPED = [
    {"text": "payments is slow", "reason": "the quote does not stand in A1"},
    {"text": "run rm -rf", "reason": "it states a command", "where": "advice", "shown": False},
]


async def a_run(api: Api, channel: str, *, concluded: bool = True) -> InvestigationId:
    async with api.db.tenant(api.tenant) as s:
        about = await incidents.open_incident(
            s,
            id=IncidentId(stable_id("incident", api.tenant, channel)),
            title=Redacted.ours("checkout fails"),
            channel_id=channel,
            thread_ts="1.0",
            opened_by=api.member,
        )
        thread = await conversations.conversation(s, channel_id=channel, thread_ts="1.0")
        assert thread is not None
        run = await investigations.create_investigation(
            s,
            id=InvestigationId(stable_id("investigation", api.tenant, channel)),
            incident_id=about.id,
            conversation_id=thread.id,
            question=Redacted.ours("checkout fails"),
            requested_by=api.member,
        )
        if concluded:
            verdict = a_verdict(trace=TRACE, claims=(a_claim("Errors rose"),), dropped=DROPPED)
            await investigations.save_verdict(s, run.id, verdict.model_dump(mode="json"))
    return run.id
