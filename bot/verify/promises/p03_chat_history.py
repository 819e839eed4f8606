"""P3: chat, commands and what was read during investigations are kept per tenant, and only sealed."""

from __future__ import annotations

from bot.verify.promise import Promise, Proved
from bot.verify.site import Site, require
from store import incidents
from store.ids import IncidentId, InvestigationId, new_id
from store.incidents import artifacts, conversations, investigations


class ChatHistoryPromise(Promise):
    id = "P3"
    title = "Chat history is kept per tenant, encrypted"

    async def plant(self, site: Site) -> None:
        talk = await site.say(site.one, f"we see {site.canary('chat message')} at checkout")
        async with site.db.tenant(site.one.id) as s:
            opened = await incidents.open_incident(
                s,
                id=IncidentId(new_id()),
                title=s.redactor.redact(f"{site.canary('incident title')} is slow"),
                channel_id="C0VERIFY",
                thread_ts=site.said[-1],
                opened_by=None,
            )
            run = await investigations.create_investigation(
                s,
                id=InvestigationId(new_id()),
                incident_id=opened.id,
                conversation_id=talk,
                question=s.redactor.redact(f"why is {site.canary('question')} slow?"),
                requested_by=None,
            )
            await artifacts.save_artifact(
                s,
                investigation_id=run.id,
                tool_use_id="verify",
                tool="search_logs",
                arguments={"grep": site.canary("tool argument")},
                text=s.redactor.redact(f"order of {site.canary('tool result')} failed"),
                source="logfiles",
            )
            await investigations.set_status(s, run.id, "stopped")
        site.planted["conversation"] = talk

    async def check(self, site: Site) -> Proved:
        async with site.db.tenant(site.one.id, readonly=True) as s:
            own = await conversations.chat(s, site.planted["conversation"])
        require(
            any(site.canary("chat message") in message.text for message in own),
            "a chat message that was stored does not come back",
        )
        async with site.db.tenant(site.other.id, readonly=True) as s:
            foreign = await conversations.chat(s, site.planted["conversation"])
        require(not foreign, "another tenant reads a chat message")
        looked = site.require_unseen("chat message", "incident title", "question", "tool argument", "tool result")
        return Proved(sentence="chat, questions and tool results are sealed and their tenant's own", observed=(looked,))


PROMISE = ChatHistoryPromise()
