from dataclasses import replace
from datetime import timedelta
from typing import Any

from bot.demo.workspace.validation import check_view
from handlers.slack.blocks.home import Home, Integration, home
from handlers.slack.blocks.message import MOST_BLOCKS, Message, fit, flattened, said
from handlers.slack.blocks.status import StatusView, state_words, status
from store.ids import ConversationId, IncidentId, InvestigationId
from store.incidents import Incident
from store.incidents.approvals import ApprovalState
from store.incidents.investigations import Investigation
from store.secrets.redaction import Redacted
from tests.handlers.slack.blocks.examples import T0, a_verdict, an_approval, assert_sound, at, decided, words

INCIDENT = Incident(
    id=IncidentId("i1"),
    number=7,
    title=Redacted.ours("<!channel> checkout is slow"),
    status="open",
    service="checkout",
    channel_id="C0INCIDENTS",
    thread_ts="1.2",
    opened_at=T0,
    resolved_at=None,
    opened_by=None,
)
RUN = Investigation(
    id=InvestigationId("v1"),
    incident_id=IncidentId("i1"),
    conversation_id=ConversationId("c1"),
    attempt=1,
    status="running",
    model="claude-x",
    question=Redacted.ours("?"),
    requested_by=None,
    created_at=T0,
    started_at=T0,
    finished_at=None,
    input_tokens=0,
    output_tokens=0,
    cost_usd=0.19,
    tool_calls=5,
    turns=2,
    verdict=None,
    stop_requested_by=None,
)


def a_status(**changes: Any) -> StatusView:
    given: dict[str, Any] = {
        "incident": INCIDENT,
        "investigation": RUN,
        "verdict": None,
        "approvals": [],
        "now": at(90),
    }
    return StatusView(**{**given, **changes})


def test_a_status_is_always_five_lines() -> None:
    for view in (
        a_status(),
        a_status(investigation=None),
        a_status(
            investigation=replace(RUN, status="concluded", finished_at=at(13)),
            verdict=a_verdict(),
            approvals=[decided(ApprovalState.HEALED), an_approval()],
        ),
    ):
        message = status(view)
        assert len(words(message).splitlines()) == 5
        assert_sound(message)


def test_it_says_where_things_stand() -> None:
    lines = words(status(a_status(verdict=a_verdict(), approvals=[an_approval()]))).splitlines()
    assert lines[0] == "*#7 checkout*: open for 1 min 30 s"
    assert lines[1] == "*Investigation* running for 1 min 30 s, 5 reads, $0.19"
    assert lines[2].startswith("*Verdict* checkout: 4f2a91 cut the DB pool")
    assert lines[3] == "*Remedy* rollback deployment of checkout: waits for a decision"
    assert lines[4] == "*Not known* traces not connected"


def test_unknown_says_what_is_not_known() -> None:
    applied = replace(decided(ApprovalState.UNKNOWN), applied_at=at(60))
    assert state_words(applied) == "unknown whether it healed"
    assert state_words(replace(applied, applied_at=None)) == "unknown whether it was applied"


def test_the_home_tab_lists_what_is_open_and_what_does_not_work() -> None:
    broken = Integration(title="Prometheus", healthy=False, detail="refused", next_action="Check the address.")
    view = home(Home(incidents=[INCIDENT] * 30, approvals=[an_approval()], integrations=[broken], now=at(90)))
    assert check_view(view, "home") == []
    assert "and 15 more" in str(view)
    assert "*Prometheus*: *does not work*, refused Check the address." in str(view)
    assert check_view(home(Home(incidents=[], approvals=[], integrations=[], now=at(0))), "home") == []


def test_words_of_any_length_become_sections_within_the_limits() -> None:
    message = said("*Long* " + "word " * 3_000)
    assert_sound(message)
    assert words(message).count("word") == 3_000


def test_a_message_with_too_many_blocks_becomes_several() -> None:
    blocks = tuple({"type": "divider"} for _ in range(120))
    parts = fit(Message(text="many", blocks=blocks))
    assert [len(part.blocks) for part in parts] == [50, 50, 20]
    assert [part.text for part in parts] == ["many", "(2/3) many", "(3/3) many"]
    assert fit(said("one")) == [said("one")]


def test_the_words_survive_without_the_blocks() -> None:
    message = said("first *second*")
    assert flattened(message) == "first second\nfirst *second*"
    assert len(message.blocks) <= MOST_BLOCKS
    assert timedelta(0) == at(0) - T0
