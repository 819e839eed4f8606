from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from bot.demo.workspace.validation import check_chunks
from handlers.slack.blocks import tasks
from handlers.slack.blocks.plan import MOST_TASKS, HypothesisLine, PlanView, Task, lines, plan, title_chunk, updates
from store.ids import ArtifactId, InvestigationId
from store.incidents.artifacts import Artifact
from store.incidents.model_messages import ModelMessage
from store.secrets.redaction import Redacted
from tests.handlers.slack.blocks.examples import assert_sound, words

NOW = datetime(2026, 11, 12, 2, 49, tzinfo=UTC)
READ = Task(id="t1", title="Rank causes", status="in_progress")
H1 = HypothesisLine(id="H1", text="deploy 4f2a91", state="supported")
H2 = HypothesisLine(id="H2", text="payment provider", state="refuted", reason="p95 flat")


def a_view(**changes: Any) -> PlanView:
    return PlanView(**{"title": "Investigating checkout", "tasks": [READ], "hypotheses": [H1, H2], **changes})


def message_of(seq: int, role: str, content: Any, **meta: Any) -> ModelMessage:
    return ModelMessage(seq=seq, role=role, content=content, meta=meta, created_at=NOW)


def use(use_id: str, name: str, **given_: Any) -> dict[str, Any]:
    return {"type": "tool_use", "id": use_id, "name": name, "input": given_}


def artifact(use_id: str, text: str, *, is_error: bool = False, **facts: Any) -> Artifact:
    return Artifact(
        id=ArtifactId(use_id),
        number=1,
        investigation_id=InvestigationId("v1"),
        tool_use_id=use_id,
        tool="rank_causes",
        arguments={},
        text=Redacted.ours(text),
        is_error=is_error,
        taken_at=NOW,
        source="prometheus",
        facts=facts,
    )


def test_explanations_read_as_in_the_design() -> None:
    message = plan(a_view())
    assert [task["title"] for task in message.blocks[0]["tasks"]] == [
        "H1 deploy 4f2a91: supported",
        "H2 payment provider: ruled out, p95 flat",
        "Rank causes",
    ]
    assert message.text == "H1 deploy 4f2a91: supported. H2 payment provider: ruled out."
    assert [task["status"] for task in message.blocks[0]["tasks"]][:2] == ["complete", "pending"]
    assert_sound(message)


def test_once_the_verdict_is_there_the_plan_is_one_line() -> None:
    message = plan(replace(a_view(), done="Investigated checkout: 11 reads."))
    assert words(message) == "Investigated checkout: 11 reads."
    assert_sound(message)


def test_only_what_changed_is_appended_and_an_output_only_once() -> None:
    view = a_view()
    shown = {task.id: task for task in lines(view)}
    assert updates(view, shown) == []
    done = a_view(tasks=[Task(id="t1", title="Rank causes", status="complete", output="checkout first")])
    chunks = updates(done, shown)
    assert [(chunk["status"], chunk["output"]) for chunk in chunks] == [("complete", "checkout first")]
    again = a_view(tasks=[Task(id="t1", title="Rank all", status="complete", output="checkout first")])
    assert "output" not in updates(again, {task.id: task for task in lines(done)})[0]


def test_more_tasks_than_slack_takes_are_summed_up() -> None:
    many = a_view(tasks=[Task(id=f"t{n}", title=f"Read {n}", status="complete") for n in range(80)])
    shown = lines(many)
    assert len(shown) <= MOST_TASKS
    assert shown[2].title == "33 earlier reads"
    assert_sound(plan(many))


def test_an_explanation_whose_remedy_did_not_heal_is_struck_through() -> None:
    message = plan(a_view(hypotheses=[HypothesisLine(id="H1", text="deploy", state="supported", struck=True)]))
    assert "~H1 deploy~ The remedy for it did not heal." in words(message)
    assert_sound(message)


def test_tasks_follow_the_stored_history() -> None:
    history = [
        message_of(0, "user", "go"),
        message_of(1, "assistant", [use("u1", "rank_causes"), use("u2", "read_diff", change="4f2a91")]),
        message_of(2, "user", [{"type": "tool_result", "tool_use_id": "u1"}]),
        message_of(3, "system", "a person says", kind="steering", text="not payments"),
        message_of(4, "assistant", [use("u3", "log_patterns"), use("u4", "state_hypotheses", hypotheses=[])]),
    ]
    read = [artifact("u1", "ignored", summary="checkout first"), artifact("u3", "\nno such file\nmore", is_error=True)]
    assert tasks.tasks(history, read, ended=False) == [
        Task(id="u1", title="Rank causes", status="complete", output="checkout first"),
        Task(id="u2", title="Read diff: 4f2a91", status="in_progress"),
        Task(id="note:3", title="Heard: not payments", status="complete"),
        Task(id="u3", title="Log patterns", status="error", output="no such file"),
    ]
    assert tasks.tasks(history, read, ended=True)[1].output == "Not finished"


def test_explanations_come_from_the_last_statement_that_can_be_read() -> None:
    first = {"id": "H1", "text": "deploy", "state": "open"}
    history = [
        message_of(1, "assistant", [use("u1", "state_hypotheses", hypotheses=[first])]),
        message_of(2, "assistant", [use("u2", "state_hypotheses", hypotheses=[{**first, "state": "supported"}])]),
        message_of(3, "assistant", [use("u3", "state_hypotheses", hypotheses="nonsense")]),
    ]
    assert [(line.id, line.state) for line in tasks.stated(history)] == [("H1", "supported")]
    assert tasks.stated([]) == []


def test_the_symptom_is_read_from_facts_and_nonsense_is_not() -> None:
    fact = {
        "service": "checkout",
        "indicator": "error_ratio",
        "unit": "ratio",
        "before": 0.0,
        "now": 0.1,
        "onset": None,
    }
    assert tasks.symptom([artifact("u1", "x", symptom={"service": 1}), artifact("u2", "x", symptom=fact)]) is not None
    assert tasks.symptom([artifact("u1", "x")]) is None
    assert tasks.links([artifact("u1", "x", link="https://x.example"), artifact("u2", "x", link=3)]) == {}


TEXT = st.text(max_size=300)
TASK = st.builds(
    Task, id=TEXT, title=TEXT, status=st.sampled_from(["pending", "in_progress", "complete", "error"]), output=TEXT
)
LINE = st.builds(
    HypothesisLine,
    id=TEXT,
    text=TEXT,
    state=st.sampled_from(["open", "supported", "refuted"]),
    reason=TEXT,
    struck=st.booleans(),
)


@settings(max_examples=40, deadline=None)
@given(
    TEXT,
    st.lists(TASK, max_size=70, unique_by=lambda task: task.id),
    st.lists(LINE, max_size=12, unique_by=lambda line: line.id),
)
def test_no_plan_is_unsound(title: str, some: list[Task], told: list[HypothesisLine]) -> None:
    view = PlanView(title=title, tasks=some, hypotheses=told)
    assert_sound(plan(view))
    assert check_chunks([title_chunk(view), *updates(view, {})]) == []


def test_after_the_verdict_nobody_looks_into_an_open_explanation() -> None:
    still = HypothesisLine(id="H3", text="more load", state="open")
    settled = HypothesisLine(id="H3", text="more load", state="open", settled=True)
    assert [line.status for line in lines(a_view(hypotheses=[still], tasks=()))] == ["in_progress"]
    assert [line.status for line in lines(a_view(hypotheses=[settled], tasks=()))] == ["pending"]
