"""Whole runs of the loop: Claude behind the strict stand-in, which refuses whatever the real API would refuse."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx2
import pytest
from fakes.messages_api import Answer, MessagesApi, answer, call, cut, error_event, say, status, think
from fakes.rig import Rig, restart_draft
from fakes.scripted_model import ScriptedModel
from fakes.scripted_model import call as scripted_call

from agents.incidents.requests import Ask, DoneNow, NothingToDo
from agents.models.budget import Budget
from agents.models.claude_model import ClaudeModel
from agents.models.model import Block, TurnRequest
from agents.models.offline import OfflineModel
from agents.permission import Denied
from handlers.slack.blocks.verdict import VerdictView, verdict_message
from store.database.session import Database
from store.ids import NoteId, stable_id
from store.incidents import investigations
from store.secrets.redaction import Redacted
from store.tenancy import tenants

RigOf = Callable[..., Rig]
ClaudeOf = Callable[..., ClaudeModel]
RANK = call("rank_causes", {"minutes": 5})


def results(body: dict[str, Any]) -> list[dict[str, Any]]:
    """All tool_result blocks of a request."""
    blocks = [
        b for m in body["messages"] if m["role"] == "user" and isinstance(m["content"], list) for b in m["content"]
    ]
    return [block for block in blocks if block["type"] == "tool_result"]


def bare(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Without the breakpoints, which move on with every turn."""
    return [{**m, "content": [{**b, "cache_control": None} for b in m["content"]]} for m in messages]


def turns(body: dict[str, Any]) -> int:
    return sum(m["role"] == "assistant" for m in body["messages"])


def conclude(body: dict[str, Any]) -> Answer:
    ranking = next(r["content"] for r in results(body) if "symptom" in str(r["content"]))
    return answer(think("done"), call("conclude", restart_draft(str(ranking))))


def then_conclude(*first: Answer) -> Callable[[dict[str, Any]], Answer]:
    """The given turns, then a conclusion."""

    def script(body: dict[str, Any]) -> Answer:
        return first[turns(body)] if turns(body) < len(first) else conclude(body)

    return script


def refused(api: MessagesApi) -> list[str]:
    return [str(entry.error) for entry in api.log if entry.status == 400]


async def test_a_whole_run_is_accepted_by_the_strict_api(
    database: Database, rig_of: RigOf, claude_of: ClaudeOf
) -> None:
    api = MessagesApi(
        then_conclude(
            answer(think("look"), say("Looking."), RANK, call("what_changed"), call("log_patterns")),
            answer(call("fetch_more", {"artifact": "A1"}), call("rollback_deployment", {"service": "checkout"})),
        )
    )
    rig = rig_of(claude=claude_of(api))
    run = await rig.ask()
    verdict = await rig.verdict(run)
    assert refused(api) == []
    assert (verdict.model, verdict.offline_because) == ("claude", None)
    assert verdict.cause is not None
    assert verdict.cost_usd > 0
    assert verdict.reads == 5
    first, *later = api.requests
    assert all(body["system"] == first["system"] and body["tools"] == first["tools"] for body in later)
    for before, after in zip(api.requests, later, strict=False):
        assert bare(after["messages"])[: len(before["messages"])] == bare(before["messages"])
    assert [entry.usage["cache_read_input_tokens"] > 0 for entry in api.log] == [False, True, True]
    investigation = (await rig.case(run)).investigation
    assert (investigation.turns, investigation.tool_calls) == (3, 6)
    assert investigation.input_tokens > 1000


async def test_reads_of_one_turn_run_together(rig_of: RigOf) -> None:
    running: list[int] = []

    def script(request: TurnRequest, turn: int) -> list[Block]:
        return [scripted_call(0, n, "rank_causes", {"minutes": 5 + n}) for n in range(3)] if turn == 0 else []

    rig = rig_of(script=script)
    original = rig.runtime.evidence.run
    both = asyncio.Event()

    async def counting(*args: Any) -> Any:
        running.append(1)
        if len(running) == 3:
            both.set()
        await asyncio.wait_for(both.wait(), timeout=60)
        return await original(*args)

    class Counting:
        run = staticmethod(counting)

        def of(self, tenant: str) -> "Counting":
            return self

    object.__setattr__(rig.runtime, "evidence", Counting())
    run = await rig.ask()
    assert [a.is_error for a in (await rig.case(run)).artifacts] == [False] * 3


@pytest.mark.parametrize("step", ["open", "turn 0", "tools 0", "turn 1", "tools 1", "propose"])
async def test_a_crash_before_any_checkpoint_goes_on_where_it_was(
    rig_of: RigOf, claude_of: ClaudeOf, step: str
) -> None:
    api = MessagesApi(then_conclude(answer(RANK, call("what_changed"))))
    rig = rig_of(claude=claude_of(api))
    rig.engine.crash_after = {step}
    run = await rig.ask()
    verdict = await rig.verdict(run)
    assert refused(api) == []
    assert (verdict.model, verdict.reads, len(api.requests)) == ("claude", 2, 2)
    assert (await rig.actions()).count("agent.investigation.concluded") == 1


async def test_without_a_conclusion_the_model_is_asked_for_one(rig_of: RigOf, claude_of: ClaudeOf) -> None:
    api = MessagesApi(then_conclude(answer(RANK), answer(say("It is the pool."))))
    rig = rig_of(claude=claude_of(api))
    verdict = await rig.verdict(await rig.ask())
    assert refused(api) == []
    assert verdict.model == "claude"
    assert api.requests[-1]["messages"][-1]["role"] == "user"
    assert "conclude" in str(api.requests[-1]["messages"][-1])


async def test_a_model_that_never_concludes_ends_in_an_abstention(rig_of: RigOf, claude_of: ClaudeOf) -> None:
    api = MessagesApi(lambda _body: answer(say("Hm.")))
    rig = rig_of(claude=claude_of(api))
    verdict = await rig.verdict(await rig.ask())
    assert (verdict.confidence, verdict.cause) == ("none", None)
    assert "ended before a conclusion" in verdict.not_known[0]
    assert len(api.requests) == 3
    assert rig.notes.count("concluded") == 1


async def test_a_paused_turn_goes_on(rig_of: RigOf, claude_of: ClaudeOf) -> None:
    api = MessagesApi(then_conclude(answer(RANK), answer(say("A moment."), stop_reason="pause_turn")))
    rig = rig_of(claude=claude_of(api))
    verdict = await rig.verdict(await rig.ask())
    assert (refused(api), verdict.model) == ([], "claude")


async def test_a_call_that_was_cut_off_is_not_run(rig_of: RigOf, claude_of: ClaudeOf) -> None:
    api = MessagesApi(then_conclude(answer(RANK, call("log_patterns", {"minutes": 1}), stop_reason="max_tokens")))
    rig = rig_of(claude=claude_of(api))
    run = await rig.ask()
    assert refused(api) == []
    assert [a.tool for a in (await rig.case(run)).artifacts] == ["rank_causes"]
    cut = results(api.requests[-1])[1]
    assert cut["is_error"] is True
    assert "cut off" in cut["content"]


async def test_a_conclusion_that_was_cut_off_is_not_stored(rig_of: RigOf, claude_of: ClaudeOf) -> None:
    half = call("conclude", {"headline": "checkout is", "confidence": "high"})
    api = MessagesApi(then_conclude(answer(RANK), answer(half, stop_reason="max_tokens")))
    verdict_rig = rig_of(claude=claude_of(api))
    verdict = await verdict_rig.verdict(await verdict_rig.ask())
    assert verdict.headline == "checkout: stuck. Restart ready."


@pytest.mark.parametrize(
    ("last", "because"),
    [
        (answer(stop_reason="refusal"), "declined"),
        (answer(say("I would rather"), stop_reason="refusal"), "declined"),
        (answer(stop_reason="refusal", declined="cyber"), "it took the request for work on attacks"),
        (answer(say("so"), stop_reason="model_context_window_exceeded"), "longer than Claude can read"),
        (answer(call("fetch_more", {"artifact": "A1"}), stop_reason="model_context_window_exceeded"), "longer than"),
        (answer(), "empty answer"),
    ],
)
async def test_where_claude_cannot_go_on_the_offline_investigator_does(
    rig_of: RigOf, claude_of: ClaudeOf, last: Answer, because: str
) -> None:
    api = MessagesApi(then_conclude(answer(RANK), last))
    rig = rig_of(claude=claude_of(api), offline=OfflineModel())
    run = await rig.ask()
    verdict = await rig.verdict(run)
    assert refused(api) == []
    assert verdict.model == "offline"
    assert because in (verdict.offline_because or "")
    assert verdict.cause is not None
    assert len(api.requests) == 2
    kinds = [m.meta.get("kind") for m in (await rig.case(run)).messages]
    assert kinds.count("offline") == 1


@pytest.mark.parametrize(
    ("faults", "because"),
    [
        ([status(401)], "refused the API key"),
        ([status(400)], "malformed"),
    ],
)
async def test_when_claude_fails_the_offline_investigator_takes_over_in_the_same_history(
    rig_of: RigOf, claude_of: ClaudeOf, faults: list[Any], because: str
) -> None:
    def script(_body: dict[str, Any]) -> Answer:
        api.fail_next(*faults)  # every further request fails
        return answer(RANK)

    api = MessagesApi(script)
    rig = rig_of(claude=claude_of(api), offline=OfflineModel())
    run = await rig.ask()
    verdict = await rig.verdict(run)
    assert verdict.model == "offline"
    assert because in (verdict.offline_because or "")
    assert verdict.cause is not None
    assert verdict.cost_usd > 0
    assert (await rig.case(run)).messages[1].meta["model"] == "claude-sonnet-5-5"
    assert rig.notes.count("concluded") == 1


@pytest.mark.slow
async def test_an_overload_of_fifty_seconds_costs_claude_nothing(rig_of: RigOf, claude_of: ClaudeOf, naps: Any) -> None:
    api = MessagesApi(then_conclude(answer(RANK)))
    api.fail_next(*[status(529)] * 5, status(529, retry_after_s=19))
    rig = rig_of(claude=claude_of(api), offline=OfflineModel())
    verdict = await rig.verdict(await rig.ask())
    assert sum(naps.seconds) == 50
    assert (refused(api), verdict.model, verdict.offline_because) == ([], "claude", None)


@pytest.mark.parametrize("faults", [[status(529)] * 9, [error_event()] * 9, [cut()] * 3])
async def test_after_an_overload_past_all_patience_claude_is_back_on_a_later_turn(
    rig_of: RigOf, claude_of: ClaudeOf, faults: list[Any]
) -> None:
    def script(body: dict[str, Any]) -> Answer:
        read = [b["text"] for b in body["messages"][0]["content"] if "by code, rank_causes" in b["text"]]
        if not read:
            return answer(RANK)
        return answer(think("done"), call("conclude", restart_draft(read[0][read[0].index("[A") :])))

    api = MessagesApi(script)
    api.fail_next(*faults)
    rig = rig_of(claude=claude_of(api), offline=OfflineModel())
    run = await rig.ask()
    verdict = await rig.verdict(run)
    kinds = [m.meta.get("kind") for m in (await rig.case(run)).messages]
    assert refused(api) == []
    assert (kinds.count("stand_in"), kinds.count("offline")) == (1, 0)
    assert (verdict.model, verdict.offline_because) == ("claude", None)
    assert verdict.headline == "checkout: stuck. Restart ready."


async def test_a_connection_that_is_lost_and_found_again_costs_claude_nothing(
    rig_of: RigOf, claude_of: ClaudeOf, naps: Any
) -> None:
    api = MessagesApi(then_conclude(answer(RANK)))
    lost = [httpx2.ConnectError("no route"), httpx2.ReadTimeout("silence"), httpx2.ReadError("reset")]

    class Flaky(httpx2.ASGITransport):
        async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
            if lost:
                raise lost.pop()
            return await super().handle_async_request(request)

    wire = httpx2.AsyncClient(transport=Flaky(app=api))
    rig = rig_of(claude=claude_of(api, http_client=wire), offline=OfflineModel())
    verdict = await rig.verdict(await rig.ask())
    assert (refused(api), verdict.model, naps.seconds) == ([], "claude", [1, 2, 4])


async def test_an_overload_that_does_not_end_is_told_with_the_offline_verdict(
    rig_of: RigOf, claude_of: ClaudeOf, naps: Any
) -> None:
    api = MessagesApi(())
    api.fail_next(*[status(529)] * 99)
    rig = rig_of(claude=claude_of(api), offline=OfflineModel())
    verdict = await rig.verdict(await rig.ask())
    assert verdict.model == "offline"
    assert "overloaded or down" in (verdict.offline_because or "")
    assert verdict.cause is not None
    assert 60 <= sum(naps.seconds) <= 90


async def test_two_remarks_at_once_are_one_system_message(rig_of: RigOf, claude_of: ClaudeOf) -> None:
    api = MessagesApi(then_conclude(answer(RANK), answer(call("what_changed"))))
    rig = rig_of(claude=claude_of(api), budget=Budget(max_turns=3))

    async def remarks() -> None:
        for n, text in enumerate(("not payments", "we rolled search back")):
            await rig.incident_service.steer(
                await rig.person(), rig.runs()[0], text=Redacted.ours(text), source_ts=f"9.{n}"
            )

    rig.engine.before["tools 0"] = remarks
    verdict = await rig.verdict(await rig.ask())
    assert (refused(api), verdict.model) == ([], "claude")
    notes = [m for m in api.requests[1]["messages"] if m["role"] == "system"]
    assert len(notes) == 1
    assert "not payments" in str(notes)
    assert "we rolled search back" in str(notes)


async def test_a_thought_that_was_cut_off_is_not_sent_back_and_gets_more_room(
    rig_of: RigOf, claude_of: ClaudeOf
) -> None:
    def script(body: dict[str, Any]) -> Answer:
        if not results(body):
            return answer(RANK)
        return conclude(body) if "cut off" in str(body["messages"]) else answer(think("Hm"), stop_reason="max_tokens")

    api = MessagesApi(script)
    rig = rig_of(claude=claude_of(api))
    verdict = await rig.verdict(await rig.ask())
    assert (refused(api), verdict.model) == ([], "claude")
    assert [body["max_tokens"] for body in api.requests] == [32_000, 32_000, 64_000]


async def test_an_empty_text_is_not_sent_back(rig_of: RigOf, claude_of: ClaudeOf) -> None:
    api = MessagesApi(then_conclude(answer(say(""), RANK)))
    verdict_rig = rig_of(claude=claude_of(api))
    verdict = await verdict_rig.verdict(await verdict_rig.ask())
    assert (refused(api), verdict.model) == ([], "claude")


async def test_a_malformed_request_leaves_field_and_request_id_in_the_log(
    rig_of: RigOf, claude_of: ClaudeOf, caplog: pytest.LogCaptureFixture
) -> None:
    api = MessagesApi(())
    api.fail_next(status(400, message="messages.3.content.0: what it held"))
    rig = rig_of(claude=claude_of(api), offline=OfflineModel())
    await rig.ask()
    (line,) = [vars(r) for r in caplog.records if vars(r).get("action") == "model.refused"]
    assert line["where"] == "messages.3.content.0"
    assert line["request"].startswith("req_")
    assert "what it held" not in caplog.text


async def test_a_claude_that_is_never_reached_costs_no_investigation(rig_of: RigOf, claude_of: ClaudeOf) -> None:
    api = MessagesApi(())
    api.fail_next(status(401))
    rig = rig_of(claude=claude_of(api), offline=OfflineModel())
    verdict = await rig.verdict(await rig.ask())
    assert (verdict.model, verdict.cost_usd, len(api.requests)) == ("offline", 0.0, 1)
    assert verdict.cause is not None


async def test_a_tenant_without_a_model_never_reaches_the_provider(
    database: Database, rig_of: RigOf, claude_of: ClaudeOf
) -> None:
    api = MessagesApi(then_conclude())
    rig = rig_of(claude=claude_of(api))
    async with rig.db.tenant(rig.tenant) as s:
        await tenants.update_settings(s, model="none")
    verdict = await rig.verdict(await rig.ask())
    assert api.log == []
    assert (verdict.model, verdict.offline_because, verdict.cost_usd) == ("offline", None, 0.0)


async def test_with_todays_cap_used_up_the_offline_investigator_answers_in_full(
    rig_of: RigOf, claude_of: ClaudeOf
) -> None:
    api = MessagesApi(then_conclude())
    rig = rig_of(claude=claude_of(api), offline=OfflineModel())
    async with rig.db.tenant(rig.tenant) as s:
        await tenants.update_settings(s, daily_usd_cap=0.0)
    verdict = await rig.verdict(await rig.ask())
    assert api.log == []
    assert verdict.offline_because == "today's spending cap is reached"
    assert verdict.cause is not None


async def test_over_budget_the_offline_investigator_takes_over_and_the_verdict_says_why(
    rig_of: RigOf, claude_of: ClaudeOf
) -> None:
    api = MessagesApi(lambda body: answer(call("rank_causes", {"minutes": 5 + turns(body)})))
    rig = rig_of(claude=claude_of(api), offline=OfflineModel(), budget=Budget(max_turns=3))
    verdict = await rig.verdict(await rig.ask())
    assert refused(api) == []
    assert len(api.requests) == 3
    assert verdict.offline_because == "over budget: took 3 of 3 turns"
    assert verdict.cause is not None


async def test_near_the_budget_the_model_is_told_once_to_conclude(rig_of: RigOf, claude_of: ClaudeOf) -> None:
    def script(body: dict[str, Any]) -> Answer:
        told = [m for m in body["messages"] if m["role"] == "system" and "Conclude now" in str(m["content"])]
        return conclude(body) if told else answer(call("rank_causes", {"minutes": 5 + turns(body)}))

    api = MessagesApi(script)
    rig = rig_of(claude=claude_of(api), budget=Budget(max_turns=4))
    verdict = await rig.verdict(await rig.ask())
    assert refused(api) == []
    assert (verdict.model, verdict.offline_because, len(api.requests)) == ("claude", None, 4)


async def test_identical_calls_past_the_limit_are_answered_without_running(rig_of: RigOf, claude_of: ClaudeOf) -> None:
    api = MessagesApi(then_conclude(answer(*[RANK] * 5)))
    rig = rig_of(claude=claude_of(api), budget=Budget(max_repeats=2), offline=OfflineModel())
    run = await rig.ask()
    ran = [
        a
        for a in (await rig.case(run)).artifacts
        if a.tool == "rank_causes" and not a.tool_use_id.startswith("toolu_offline")
    ]
    assert len(ran) == 2


async def test_stop_during_a_long_model_call_ends_it(database: Database, rig_of: RigOf) -> None:
    cancelled = asyncio.Event()
    asked = asyncio.Event()

    class Slow:
        name = "slow"
        offline = True

        async def ask(self, request: TurnRequest, *, on_text: object = None) -> Any:
            asked.set()
            try:
                await asyncio.Event().wait()
            finally:
                cancelled.set()

    rig = rig_of(offline=Slow())
    run = await rig.begin()
    await asked.wait()
    assert isinstance(await rig.incident_service.stop(await rig.person(), run), DoneNow)
    await rig.engine.settle()
    assert cancelled.is_set()
    assert (await rig.case(run)).investigation.status == "stopped"
    assert rig.notes.count("concluded") == 1
    assert isinstance(await rig.incident_service.stop(await rig.person(), run), NothingToDo)


async def test_a_remark_reaches_the_next_turn_and_only_once(rig_of: RigOf, claude_of: ClaudeOf) -> None:
    api = MessagesApi(then_conclude(answer(RANK), answer(call("what_changed"))))
    rig = rig_of(claude=claude_of(api))

    async def remark() -> None:
        run = rig.runs()[0]
        for _ in range(2):  # delivered twice
            done = await rig.incident_service.steer(
                await rig.person(), run, text=Redacted.ours("not payments"), source_ts="9.9"
            )
            assert isinstance(done, DoneNow)

    rig.engine.before["tools 0"] = remark
    rig.engine.crash_after = {"turn 1"}
    run = await rig.ask()
    assert refused(api) == []
    counts = [str(body["messages"]).count("A person in the thread says: not payments") for body in api.requests]
    assert counts == [0, 1, 1]
    late = await rig.incident_service.steer(await rig.person(), run, text=Redacted.ours("too late"), source_ts="10.0")
    assert isinstance(late, NothingToDo)


async def test_a_remark_before_the_first_turn_is_in_it(rig_of: RigOf, claude_of: ClaudeOf) -> None:
    api = MessagesApi(then_conclude(answer(RANK)))
    rig = rig_of(claude=claude_of(api))

    async def remark() -> None:
        await rig.incident_service.steer(
            await rig.person(), rig.runs()[0], text=Redacted.ours("look at checkout"), source_ts="9.9"
        )

    rig.engine.before["turn 0"] = remark
    await rig.ask()
    assert "look at checkout" in str(api.requests[0]["messages"])
    assert refused(api) == []


async def test_a_model_of_ours_that_breaks_fails_the_run_with_a_reference_and_is_reported(rig_of: RigOf) -> None:
    def script(request: TurnRequest, turn: int) -> list[Block]:
        raise KeyError("canary")

    rig = rig_of(offline=ScriptedModel(script=script))
    run = await rig.ask()
    assert (await rig.case(run)).investigation.status == "failed"
    assert rig.notes.count("concluded") == 1
    assert "agent.investigation.failed" in await rig.actions()


async def test_seconds_in_the_verdict_are_of_the_clock(rig_of: RigOf, claude_of: ClaudeOf) -> None:
    api = MessagesApi(then_conclude(answer(RANK)))
    rig = rig_of(claude=claude_of(api))

    async def later() -> None:
        rig.clock.advance(timedelta(seconds=13))

    rig.engine.before["tools 0"] = later
    assert (await rig.verdict(await rig.ask())).seconds == 13.0


async def test_code_looks_first_and_claude_begins_with_what_was_found(rig_of: RigOf, claude_of: ClaudeOf) -> None:
    def script(body: dict[str, Any]) -> Answer:
        told = [b["text"] for b in body["messages"][0]["content"]]
        ranking = next(text for text in told if "by code, rank_causes" in text)
        return answer(call("conclude", restart_draft(ranking[ranking.index("[A") :])))

    api = MessagesApi(script)
    rig = rig_of(claude=claude_of(api), looks_first=True)
    seen: list[int] = []

    async def told() -> None:
        seen.append(len((await rig.case(rig.runs()[0])).artifacts))

    rig.engine.before["tools 0"] = told
    rig.engine.crash_after = {"turn 0"}
    run = await rig.ask("checkout fails since 02:40")
    case = await rig.case(run)
    assert (refused(api), len(api.requests), seen) == ([], 1, [2])
    assert sorted(a.tool for a in case.artifacts) == ["rank_causes", "what_changed"]
    assert "Now it is" in str(api.requests[0]["messages"][0])
    assert "- checkout: called by none of them; calls none of them" in str(api.requests[0]["messages"][0])
    assert (await rig.verdict(run)).headline == "checkout: stuck. Restart ready."


async def test_the_offline_investigator_goes_on_from_the_first_look(rig_of: RigOf) -> None:
    rig = rig_of(offline=OfflineModel(), looks_first=True)
    run = await rig.ask()
    ranked = [
        c["id"] for c in (await rig.case(run)).calls() if c["name"] == "rank_causes" and "wait_s" not in c["input"]
    ]
    assert len(ranked) == 1
    assert ranked[0].startswith("toolu_code_")
    assert (await rig.verdict(run)).cause is not None


async def test_what_people_say_while_the_model_concludes_is_read_before_it_may(
    database: Database, rig_of: RigOf, claude_of: ClaudeOf
) -> None:
    def script(body: dict[str, Any]) -> Answer:
        return conclude(body) if results(body) else answer(RANK)

    api = MessagesApi(script)
    rig = rig_of(claude=claude_of(api))

    async def remark() -> None:
        await rig.incident_service.steer(
            await rig.person(), rig.runs()[0], text=Redacted.ours("look at payments"), source_ts="9.9"
        )

    rig.engine.before["tools 1"] = remark
    verdict = await rig.verdict(await rig.ask())
    assert (refused(api), len(api.requests)) == ([], 3)
    assert "look at payments" in str(api.requests[2]["messages"][-1])
    assert verdict.headline == "checkout: stuck. Restart ready."
    assert verdict.asked == ("look at payments",)


@pytest.mark.parametrize("by", ["question", "note", "note while concluding"])
async def test_what_a_person_rules_out_is_not_proposed_until_somebody_allows_it(
    rig_of: RigOf, claude_of: ClaudeOf, by: str
) -> None:
    def script(body: dict[str, Any]) -> Answer:
        return conclude(body) if results(body) else answer(RANK)

    api = MessagesApi(script)
    rig = rig_of(claude=claude_of(api))

    async def forbid() -> None:
        text = Redacted.ours("please do not restart checkout")
        await rig.incident_service.steer(await rig.person(), rig.runs()[0], text=text, source_ts="9.9")

    if by != "question":
        rig.engine.before["tools 0" if by == "note" else "tools 1"] = forbid
    verdict = await rig.verdict(
        await rig.ask("checkout fails" + (", but do not restart checkout" if by == "question" else ""))
    )
    assert verdict.proposal is None
    assert verdict.cause is not None
    assert "“you may restart checkout”" in (verdict.proposal_refused or "")
    assert "agent.approval.proposed" not in await rig.actions()
    rig.engine.before.clear()
    rig.clock.advance(timedelta(minutes=1))
    again = await rig.verdict(await rig.ask("you may restart checkout", ts="1.0-2"))
    assert again.proposal_refused is None or "ruled out" not in again.proposal_refused


async def test_what_is_ruled_out_after_the_card_cannot_be_approved_by_a_click(rig_of: RigOf) -> None:
    rig = rig_of()
    found = await rig.proposed()
    async with rig.db.tenant(rig.tenant) as s:
        run = (await rig.case(rig.runs()[0])).investigation
        person = await rig.person()
        await investigations.add_note(
            s,
            run.id,
            note_id=NoteId(stable_id("note", "late")),
            text=Redacted.ours("never restart checkout"),
            by=person.user_id,
        )
    denied = await rig.decide(found)
    assert isinstance(denied, Denied)
    assert "you may restart checkout" in denied.reason
    assert rig.effects == 0


async def test_a_follow_up_knows_the_verdict_and_what_became_of_the_remedy(rig_of: RigOf, claude_of: ClaudeOf) -> None:
    api = MessagesApi(lambda body: conclude(body) if results(body) else answer(RANK))
    rig = rig_of(claude=claude_of(api))
    first = await rig.ask("checkout fails")
    await rig.decide(await rig.approval(rig.approval_of(first)), "rejected")
    assert "So far" not in str(api.requests[0]["messages"])
    asked = len(api.requests)
    thread = Ask(question=Redacted.ours("are you sure?"), channel_id="C1", thread_ts="1.0", source_ts="2.0")
    await rig.incident_service.investigate(await rig.person(), thread)
    await rig.engine.settle()
    opening = api.requests[asked]["messages"][0]["content"][0]["text"]
    known = opening[opening.index("So far in this incident:") : opening.index("Declared services:")]
    assert "asked “checkout fails”: checkout: stuck. Restart ready. Confidence medium; cause checkout." in known
    assert "for: checkout answers with errors" in known
    assert "restart_service of checkout: rejected" in known


async def test_a_question_gets_an_answer_with_proofs_and_no_diagnosis(rig_of: RigOf, claude_of: ClaudeOf) -> None:
    def script(body: dict[str, Any]) -> Answer:
        read = results(body)
        if not read:
            return answer(RANK)
        if len(read) == 1:
            nonsense = {"text": "payments lost 5000 dollars", "status": "observed", "artifact": "A1", "quote": "5000"}
            return answer(call("answer", {"claims": [nonsense]}))
        (claim,) = restart_draft(str(read[0]["content"]))["claims"]
        return answer(call("answer", {"claims": [claim], "not_known": ["How many people noticed it."]}))

    api = MessagesApi(script)
    rig = rig_of(claude=claude_of(api))
    run = await rig.ask("does checkout answer with errors?")
    verdict = await rig.verdict(run)
    assert (refused(api), len(api.requests)) == ([], 3)
    assert (verdict.answers, verdict.cause, verdict.confidence, verdict.proposal) == (True, None, "none", None)
    assert verdict.headline == "checkout answers with errors"
    assert verdict.claims[0].quote
    shown = verdict_message(VerdictView(investigation_id=run, verdict=verdict))
    assert shown.text.startswith("checkout answers with errors")
    assert "No fault found" not in str(shown)
    assert "No confident cause" not in str(shown)


async def test_a_question_that_nothing_read_answers_is_told_as_that(rig_of: RigOf, claude_of: ClaudeOf) -> None:
    wild = {"text": "5000 payments were lost", "status": "observed", "artifact": "A1", "quote": "5000"}
    api = MessagesApi(lambda body: answer(call("answer", {"claims": [wild]}) if results(body) else RANK))
    rig = rig_of(claude=claude_of(api))
    verdict = await rig.verdict(await rig.ask("how many payments were lost?"))
    assert (len(api.requests), verdict.headline, verdict.claims) == (3, "Nothing that I read answers this.", ())
