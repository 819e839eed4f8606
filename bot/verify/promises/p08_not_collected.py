"""P8: payment cards and social security numbers are taken out before anything is stored."""

from __future__ import annotations

from typing import Final

from bot.verify.promise import Promise, Proved
from bot.verify.site import Site, require
from store import inbox
from store.incidents import conversations

_CARD: Final = "4539 1488 0343 6467"
_CARD_PLAIN: Final = "4539148803436467"
_SSN: Final = "536-90-4399"


class NotCollectedPromise(Promise):
    id = "P8"
    title = "No payment data, no social security numbers, no health data"

    async def plant(self, site: Site) -> None:
        said = f"customer paid with card {_CARD}, ssn: {_SSN}, please look"
        recorded = await inbox.Inbox(site.db).record(
            site.other.id, inbox.Arrival(source="slack", external_id="verify-8", kind="message", payload={"text": said})
        )
        site.planted["P8"] = (recorded.inbox_id, await site.say(site.other, said))

    async def check(self, site: Site) -> Proved:
        arrival_id, conversation_id = site.planted["P8"]
        async with site.db.tenant(site.other.id, readonly=True) as s:
            arrival = await inbox.arrival(s, arrival_id)
            chat = await conversations.chat(s, conversation_id)
        require(arrival is not None and chat, "what was planted is not in the store")
        kept = [str(arrival.payload if arrival else ""), *(str(message.text) for message in chat)]
        for text in kept:
            require(_CARD not in text and _CARD_PLAIN not in text, "a payment card's number was stored")
            require(_SSN not in text, "a social security number was stored")
            require("please look" in text, "more was taken out than the numbers")
        return Proved(
            sentence="a card's number and a social security number were taken out before they were stored; models and "
            "Slack are given what is stored",
            observed=("an arrival and a chat message, opened again",),
            not_observed=("health data in free text, which no program recognises: nothing is claimed of it",),
        )


PROMISE = NotCollectedPromise()
