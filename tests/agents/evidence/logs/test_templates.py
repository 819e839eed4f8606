from datetime import timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from agents.evidence.logs.templates import mine_templates, shift_templates
from agents.evidence.types import LogLine, Onset, Window, as_utc

T0 = 1_780_000_000.0
ONSET = Onset(at=as_utc(T0 + 200), guard_s=2.0, score=10.0, direction="up")
WINDOW = Window(start=as_utc(T0), end=as_utc(T0 + 300))


def line(second: float, text: str, level: str = "INFO", service: str = "svc", **fields: str) -> LogLine:
    return LogLine(time=as_utc(T0 + second), service=service, level=level, text=text, fields=fields)


def routine(service: str = "svc", per_second: int = 2) -> list[LogLine]:
    return [
        line(s + n / 10, f"GET /item/{s * 7} 200 in {s % 30} ms", service=service)
        for s in range(300)
        for n in range(per_second)
    ]


def test_lines_that_differ_in_values_are_one_pattern() -> None:
    lines = [
        line(1, "user 17 from 10.0.0.3 took 12.5ms"),
        line(2, "user 9 from 10.0.0.77 took 3ms"),
        line(3, "order 9f86d081884c7d65 stored"),
        line(4, "order e3b0c44298fc1c14 stored"),
    ]
    found = mine_templates(lines)
    assert [len(t.lines) for t in found] == [2, 2]
    assert {t.exemplar for t in found} == {lines[0].text, lines[2].text}


def test_words_in_one_place_are_merged_but_success_and_failure_are_not() -> None:
    names = ["alpha", "beta", "gamma", "delta"]
    lines = [line(n, f"cache refresh for tenant {name} done well") for n, name in enumerate(names)]
    lines.append(line(9, "cache refresh for tenant alpha failed badly"))
    assert sorted(len(t.lines) for t in mine_templates(lines)) == [1, 4]


def test_a_new_error_comes_first_with_a_verbatim_example() -> None:
    errors = [line(205 + n, f"write failed for order {n}: [Errno 27] File too large", "ERROR") for n in range(30)]
    (found, *_rest) = shift_templates([*routine(), *errors], ONSET, WINDOW)
    assert found.kind == "new"
    assert found.baseline_count == 0
    assert found.current_count == 30
    assert found.exemplar in {e.text for e in errors}
    assert found.first_seen == errors[0].time


def test_more_load_with_the_same_mix_is_no_finding() -> None:
    calm = [e for e in routine() if (e.time - as_utc(T0)).total_seconds() < 200]
    busy = [e for e in routine(per_second=9) if (e.time - as_utc(T0)).total_seconds() >= 200]
    assert shift_templates([*calm, *busy], ONSET, WINDOW) == []


def test_a_pattern_that_vanished_is_told() -> None:
    beats = [line(s, "heartbeat sent to the leader") for s in range(0, 200, 2)]
    assert [t.kind for t in shift_templates([*routine(), *beats], ONSET, WINDOW)] == ["vanished"]


def test_a_pattern_that_grew_is_told_with_its_shares() -> None:
    rare = [line(s, "retrying after a short pause", "WARNING") for s in [*range(0, 200, 40), *range(200, 300)]]
    (found,) = shift_templates([*routine(), *rare], ONSET, WINDOW)
    assert found.kind == "grown"
    assert found.share_after > 5 * found.share_before


def test_the_error_field_of_a_structured_line_counts() -> None:
    errors = [
        line(210 + n, "request failed", "ERROR", error=f"Traceback\n  File x\nKeyError: 'sku-{n}'") for n in range(9)
    ]
    before = [line(n * 10, "request failed", "ERROR", error="Timeout") for n in range(19)]
    (found, *_rest) = shift_templates([*routine(), *before, *errors], ONSET, WINDOW)
    assert found.exemplar.startswith("KeyError: 'sku-")


def test_ids_are_stable_when_other_lines_come_along() -> None:
    first = {t.text: t.id for t in mine_templates(routine())}
    second = {t.text: t.id for t in mine_templates([*routine(), line(1, "something else entirely here")])}
    assert first.items() <= second.items()


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(-50, 400), st.text(max_size=60), st.text(max_size=5)), max_size=30), st.randoms())
def test_garbage_never_raises_and_order_does_not_matter(rows: list[Any], shuffler: Any) -> None:
    lines = [line(s, text, level) for s, text, level in rows]
    expected = shift_templates(lines, ONSET, WINDOW)
    shuffler.shuffle(lines)
    found = shift_templates(lines, ONSET, WINDOW)
    assert [(t.template_id, t.kind, t.score, t.exemplar) for t in found] == [
        (t.template_id, t.kind, t.score, t.exemplar) for t in expected
    ]
    assert all(timedelta(0) <= t.last_seen - t.first_seen for t in found)


def test_answers_of_another_status_are_another_pattern() -> None:
    def answer(second: int) -> LogLine:
        status = "503" if second >= 60 and second % 4 == 0 else "200"
        return line(second, f'"GET /pay HTTP/1.1" {status} 12', status=status, path="/pay")

    onset = Onset(at=as_utc(T0 + 60), guard_s=0, score=9, direction="up")
    window = Window(start=as_utc(T0), end=as_utc(T0 + 120))
    (shift,) = shift_templates([answer(second) for second in range(120)], onset, window)
    assert (shift.kind, shift.exemplar) == ("new", '"GET /pay HTTP/1.1" 503 12')
