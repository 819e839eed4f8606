"""A conclusion and how it came about, for whoever may see the channel it was asked in."""

import uuid

from tests.handlers.web.api.api import Api, error
from tests.handlers.web.api.investigated import a_run


async def test_whoever_may_see_the_channel_reads_conclusion_and_trace(api: Api) -> None:
    run = await a_run(api, "C0OPEN")
    async with api.browser(api.viewer) as client:
        shown = (await client.get(f"/investigations/{run}")).json()
    assert (shown["cause_service"], shown["cause_change"], shown["confidence"]) == ("checkout", "4f2a91", "high")
    assert shown["trace"]["review"][0]["outcome"] == "held"
    assert [claim["text"] for claim in shown["claims"]] == ["Errors rose"]
    assert [(one["text"], one["reason"]) for one in shown["dropped"]] == [
        ("payments is slow", "the quote does not stand in A1"),
        ("", "it states a command"),
    ]


async def test_what_happens_in_other_channels_is_hidden_from_admins_too(api: Api) -> None:
    hidden, unknown = await a_run(api, "C0HIDDEN"), await a_run(api, "C0MUTE")
    async with api.browser(api.admin) as client:
        answers = [await client.get(f"/investigations/{run}") for run in (hidden, uuid.UUID(int=9), unknown)]
    assert [(one.status_code, error(one)) for one in answers] == [
        (404, "not_found"),
        (404, "not_found"),
        (503, "visibility_unknown"),
    ]


async def test_a_run_that_goes_on_has_no_conclusion_yet(api: Api) -> None:
    run = await a_run(api, "C0OPEN", concluded=False)
    async with api.browser(api.member) as client:
        assert error(await client.get(f"/investigations/{run}")) == "not_concluded"
