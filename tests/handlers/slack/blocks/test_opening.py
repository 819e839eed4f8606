from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from agents.verdict import Symptom
from handlers.slack.blocks.ending import Ending, ending
from handlers.slack.blocks.opening import Opening, opening
from handlers.slack.blocks.plan import HypothesisLine, Task
from tests.handlers.slack.blocks.examples import a_symptom, action_ids, assert_sound, links, words

TEXT = st.text(max_size=300)


def an_opening(**changes: Any) -> Opening:
    given_: dict[str, Any] = {
        "investigation_id": "v1",
        "subject": "checkout is slow",
        "symptom": None,
        "sources": ["Prometheus", "logs", "git"],
        "missing": ["traces"],
    }
    return Opening(**{**given_, **changes})


def test_it_states_its_assumption_and_what_is_not_connected() -> None:
    message = opening(an_opening())
    assert words(message).startswith("Checking *checkout is slow*. Reading Prometheus, logs, git. No traces connected.")
    assert message.text == "Checking checkout is slow"
    assert action_ids(message) == ["wrong_service", "stop"]
    assert_sound(message)


def test_with_the_symptom_it_is_the_sentence_of_the_design() -> None:
    message = opening(an_opening(symptom=a_symptom()))
    assert words(message).startswith(
        "Checking *checkout* since 02:41: 9% of its requests fail (0.3% before). Reading Prometheus, logs, git."
        " No traces connected."
    )
    assert message.text == "Checking checkout since 02:41 UTC: 9% of its requests fail (0.3% before)"


def test_an_ended_run_cannot_be_stopped() -> None:
    assert action_ids(opening(an_opening(ended=True))) == ["wrong_service"]


def test_several_missing_kinds_read_as_a_list() -> None:
    assert "No traces, logs or changes connected." in words(
        opening(an_opening(missing=["traces", "logs", "changes"], sources=[]))
    )


@settings(max_examples=40, deadline=None)
@given(TEXT, st.lists(TEXT, max_size=12), st.lists(TEXT, max_size=12), st.none() | st.floats())
def test_no_opening_is_unsound(subject: str, sources: list[str], missing: list[str], now: float | None) -> None:
    symptom = (
        None
        if now is None
        else Symptom(service=subject, indicator=subject, unit="bytes", before=0.0, now=now, onset=subject)
    )
    message = opening(an_opening(subject=subject, sources=sources, missing=missing, symptom=symptom))
    assert_sound(message)
    assert links(message) == set()


def an_ending(**changes: Any) -> Ending:
    given_: dict[str, Any] = {
        "investigation_id": "0198c0de-aaaa",
        "stopped": True,
        "stopped_by": "U0MIA",
        "subject": "checkout",
        "symptom": a_symptom(),
        "tasks": [Task(id="t1", title="Rank causes", status="complete", output="checkout first")],
        "hypotheses": [HypothesisLine(id="H1", text="deploy", state="open")],
    }
    return Ending(**{**given_, **changes})


def test_a_stopped_run_says_who_stopped_it_and_what_was_found() -> None:
    message = ending(an_ending())
    said = words(message)
    assert "*Stopped* by <@U0MIA>: checkout was not concluded." in said
    assert "• 9% of checkout's requests fail since 02:41 (0.3% before)" in said
    assert "• Rank causes: checkout first" in said
    assert_sound(message)


def test_a_failed_run_gives_its_reference() -> None:
    message = ending(an_ending(stopped=False, symptom=None, tasks=[], hypotheses=[]))
    assert "*Failed*: investigating checkout broke off. Reference `0198c0de-aaaa`. Nothing was found" in words(message)
    assert_sound(message)
