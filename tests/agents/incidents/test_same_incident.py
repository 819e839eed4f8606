"""Whether what is reported is an incident that exists: by service, symptom and time, never by the words alone."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from agents.incidents.same_incident import KnownIncident, Reported, read_report, same_incident
from store.ids import ConversationId, IncidentId, InvestigationId
from store.incidents import Incident, Sight
from store.incidents.investigations import Investigation
from store.secrets.redaction import Redacted

NOW = datetime(2026, 11, 12, 3, 0, tzinfo=UTC)
SERVICES = ("checkout", "payments", "web")
EVERYWHERE = Sight(channels=frozenset({"C1", "C2"}))


def reported(words: str, *, alert: str | None = None, channel: str = "C2", thread: str = "9.9") -> Reported:
    return read_report(words, SERVICES, alert=alert, channel_id=channel, thread_ts=thread, at=NOW)


def known(
    words: str = "checkout fails",
    *,
    service: str | None = "checkout",
    minutes: float = 5,
    running: bool = False,
    ended_minutes: float | None = None,
    channel: str = "C1",
    number: int = 1,
) -> KnownIncident:
    at = NOW - timedelta(minutes=minutes)
    incident = Incident(
        id=IncidentId(f"i{number}"),
        number=number,
        title=Redacted.ours(words),
        status="investigating" if ended_minutes is None else "resolved",
        service=service,
        channel_id=channel,
        thread_ts=f"{number}.1",
        opened_at=at,
        resolved_at=None if ended_minutes is None else NOW - timedelta(minutes=ended_minutes),
        opened_by=None,
    )
    run = Investigation(
        id=InvestigationId(f"r{number}"),
        incident_id=incident.id,
        conversation_id=ConversationId("c"),
        attempt=1,
        status="running" if running else "concluded",
        model=None,
        question=Redacted.ours(words),
        requested_by=None,
        created_at=at,
        started_at=at,
        finished_at=None,
        input_tokens=0,
        output_tokens=0,
        cost_usd=0.0,
        tool_calls=0,
        turns=0,
        verdict=None,
        stop_requested_by=None,
    )
    return KnownIncident(incident=incident, run=run)


def test_other_words_about_the_same_service_are_the_same() -> None:
    one = known("checkout fails", running=True)
    assert same_incident(reported("customers cannot pay, checkout answers with errors"), [one], EVERYWHERE) == one


def test_the_same_words_without_a_service_are_not() -> None:
    one = known("everything is down", service=None, running=True)
    assert same_incident(reported("everything is down"), [one], EVERYWHERE) is None


def test_another_service_is_another_incident() -> None:
    assert same_incident(reported("payments fails"), [known()], EVERYWHERE) is None


@pytest.mark.parametrize(("minutes", "joins"), [(10, True), (120, False)])
def test_another_symptom_is_the_same_only_while_it_spreads(minutes: float, *, joins: bool) -> None:
    found = same_incident(reported("checkout is slow"), [known("checkout fails", minutes=minutes)], EVERYWHERE)
    assert (found is not None) is joins


def test_the_same_symptom_is_the_same_for_a_day() -> None:
    assert same_incident(reported("checkout fails"), [known(minutes=20 * 60)], EVERYWHERE) is not None
    assert same_incident(reported("checkout fails"), [known(minutes=25 * 60)], EVERYWHERE) is None


def test_nobody_joins_what_they_may_not_see() -> None:
    one = known(running=True)
    assert same_incident(reported("checkout fails"), [one], Sight(channels=frozenset({"C2"}))) is None
    assert same_incident(reported("checkout fails"), [one]) == one


def test_its_own_thread_always_means_it() -> None:
    one = known("everything is down", service=None, ended_minutes=600)
    said = reported("what was it?", channel="C1", thread="1.1")
    assert same_incident(said, [one], Sight()) == one


def test_only_its_alert_opens_an_ended_one_again_and_only_soon() -> None:
    ended = known("[FIRING:1] HighErrorRate checkout", ended_minutes=10)
    alert = reported("[FIRING:1] HighErrorRate checkout", alert="service:checkout", channel="C1")
    assert same_incident(alert, [ended], EVERYWHERE) == ended
    assert same_incident(reported("checkout fails"), [ended], EVERYWHERE) is None
    late = replace(alert, at=NOW + timedelta(hours=2))
    assert same_incident(late, [ended], EVERYWHERE) is None


def test_an_alert_without_a_service_is_known_by_its_name_in_its_channel() -> None:
    one = known("[FIRING:1] QueueTooLong", service=None)
    again = reported("[FIRING:1] QueueTooLong", alert="name:queuetoolong", channel="C1")
    assert same_incident(again, [one], EVERYWHERE) == one
    assert same_incident(replace(again, channel_id="C2"), [one], EVERYWHERE) is None


def test_what_is_looked_into_now_comes_first() -> None:
    running, newer = known(running=True, number=1), known(number=2)
    assert same_incident(reported("checkout fails"), [newer, running], EVERYWHERE) == running
