import gzip
import json
import tracemalloc
from collections import defaultdict
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.evidence.logs.miner import WILD, TemplateMiner, continues, fold, fold_lines
from agents.evidence.logs.miner.folding import spoken
from agents.evidence.types import LogLine, as_utc

DATA = Path(__file__).parents[5] / "shared" / "data" / "loghub"
LETTERS = "abcdefghijklmnopqrstuvwxyz"

VALUES = st.one_of(
    st.integers().map(str),
    st.uuids().map(str),
    st.ip_addresses().map(str),
    st.floats(0, 1e6).map("{:.3f}ms".format),
    st.binary(min_size=4, max_size=16).map(lambda b: "0x" + b.hex()),
    st.sampled_from(["/var/log/app.log", "https://shop.test/cart?id=7", "12:30:59", "17.5 KB", "2026-11-23"]),
)
WORDS = st.sampled_from(["order", "stored", "in", "slot", "for", "client", "took", "retry", "queue=", "(main)", "ok"])
LINES = st.lists(st.one_of(WORDS, VALUES), max_size=12).map(" ".join)
ANYTHING = st.one_of(
    LINES, st.text(max_size=80), st.binary(max_size=80).map(lambda b: b.decode("utf-8", "surrogateescape"))
)


def grouping(lines: list[str], batches: int = 1) -> dict[str, str]:
    """Each line to the text of its template."""
    miner = TemplateMiner()
    parts = [lines[start::batches] for start in range(batches)]
    indexes = [miner.add("svc", part) for part in parts]
    return {
        line: miner.template(int(index)).text
        for part, found in zip(parts, indexes, strict=True)
        for line, index in zip(part, found, strict=True)
    }


def texts_of(lines: list[str]) -> set[str]:
    return set(grouping(lines).values())


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("took 12 ms", "took 7 ms"),
        ("took 12.5ms", "took 900us"),
        ("from 10.0.0.3:8080 now", "from 192.168.17.2:443 now"),
        ("db-1.eu.shop.test:5432 refused it", "10.0.0.7:5432 refused it"),
        ("session 9f86d081884c7d65 opened", "session e3b0c44298fc1c14 opened"),
        ("id 123e4567-e89b-12d3-a456-426614174000 known", "id 00000000-0000-0000-0000-000000000001 known"),
        ("pointer 0x7FFE12 is bad", "pointer 0x00 is bad"),
        ("read /etc/hosts twice", "read /usr/share/zoneinfo/UTC twice"),
        ("read C:\\Users\\a.txt twice", "read D:\\b twice"),
        ("see https://a.test/x for more", "see http://b.test:80/y?z=1 for more"),
        ("card ff:00:1a:2b:3c:4d is up", "card 00:11:22:33:44:55 is up"),
        ("since Mon Jul 4 03:07:00 2026 it runs", "since Tue Dec 24 18:00:00 2025 it runs"),
        ("sent 512 bytes to it", "sent 1190 bytes (1.16 KB) to it"),
        ("lasted <1 sec", "lasted 17 min"),
        ("ports 80, 443, 8080 are open", "ports 80, 443, 8080, 9090, 9091 are open"),
        ("key='alpha' is set", "key='beta' is set"),
        ('tag="lock" is held', 'tag="other" is held'),
        ('{"msg":"paid order 7","user":"bob"}', '{"msg":"paid order 8","user":"eve"}'),
        ("pod cart-7d4b9c6f5-x2x9z is up", "pod till-5f6b7c8d9-q8w7e is up"),
        ("state owner=alice is set", "state owner=bob is set"),
        ("session opened for user alice at once", "session opened for user bob at once"),
        ("class com.acme.Cart was loaded", "class com.acme.Till was loaded"),
    ],
)
def test_what_looks_like_a_value_makes_no_difference(one: str, other: str) -> None:
    assert len(texts_of([one, other])) == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("cache refresh succeeded for it", "cache refresh failed for it"),
        ("machine [7] started again", "machine [7] stopped again"),
        ('"GET /a HTTP/1.1" status: 200', '"POST /a HTTP/1.1" status: 200'),
        ("feature enabled=true here", "feature enabled=false here"),
        ("moved from NEW to RUNNING", "moved from RUNNING to DONE"),
        ('{"level":"info","msg":"started"}', '{"level":"info","msg":"stopped"}'),
        ('{"level":"info","ms":7}', '{"level":"error","ms":7}'),
        ('level=info msg="payment made for it"', 'level=info msg="refund made for it"'),
        ("load begins", "save begins"),
        ("read_head done at 7", "write_head done at 7"),
        ("memory limit: 7", "memory usage: 7"),
    ],
)
def test_what_says_what_happened_makes_a_difference(one: str, other: str) -> None:
    assert len(texts_of([one, other])) == 2


def test_many_words_in_one_place_are_values_but_a_failure_among_them_is_not() -> None:
    lines = [f"cache refresh for tenant {name} was quick" for name in ("alpha", "beta", "gamma", "delta")]
    found = grouping([*lines, "cache refresh for tenant failure was quick"])
    assert len({found[line] for line in lines}) == 1
    assert len(set(found.values())) == 2


def test_a_name_that_looks_like_a_verb_is_a_value_among_very_many() -> None:
    names = ["alpha", "beta", "gamma", "delta", "fred", "zeta", "theta", "iota", "kappa", "manning"]
    assert len(texts_of([f"cache refresh for tenant {name} was quick" for name in names])) == 1


def test_a_name_first_seen_later_joins_the_template_at_once() -> None:
    miner = TemplateMiner()
    first = miner.add("svc", [f"Failed password for user {name} on tty" for name in ("root", "bob", "eve")])
    (settled,) = set(miner.settle(first).tolist())
    assert miner.add("svc", ["Failed password for user mallory on tty"]).tolist() == [settled]


def test_merges_are_told_by_the_alias() -> None:
    miner = TemplateMiner()
    one, two = miner.add("svc", ["state owner=alice is set", "state owner=bob is set"]).tolist()
    assert one != two
    assert miner.settled(one) == miner.settled(two) == one
    template = miner.template(two)
    assert (template.text, template.count, template.exemplar) == (
        "state owner=<*> is set",
        2,
        "state owner=alice is set",
    )


def test_services_are_apart() -> None:
    miner = TemplateMiner()
    one, two = (miner.template(int(miner.add(service, ["queue is full 7"])[0])) for service in ("cart", "till"))
    assert one.text == two.text
    assert one.id != two.id


def test_counts_and_times_of_merged_lines_are_put_together() -> None:
    miner = TemplateMiner()
    miner.add("svc", ["owner=alice set", "owner=bob set"], np.array([50.0, 20.0]))
    index = miner.add("svc", ["owner=carol set", "owner=alice set"], np.array([np.nan, 70.0]))[0]
    template = miner.template(int(index))
    assert (template.count, template.first_seen, template.last_seen) == (4, 20.0, 70.0)


def test_no_times_given_is_no_time_seen() -> None:
    miner = TemplateMiner()
    template = miner.template(int(miner.add("svc", ["up"])[0]))
    assert (template.first_seen, template.last_seen) == (None, None)


def test_parameters_are_the_values_of_the_line() -> None:
    miner = TemplateMiner()
    line = "user 17 from  10.0.0.3 took 12.5ms"
    template = miner.template(int(miner.add("svc", [line])[0]))
    assert template.parameters(line) == ("17", "10.0.0.3", "12.5ms")
    request = "GET /cart/17?full=1 200 12ms"
    assert miner.template(int(miner.add("svc", [request])[0])).parameters(request) == ("/cart/17?full=1", "200", "12ms")
    assert template.parameters("something else") is None
    assert template.parameters("user 17 from 10.0.0.3") is None


def test_binary_data_is_one_value_but_coloured_text_is_text() -> None:
    noise = [bytes(Random(seed).randbytes(90)).decode("latin1") for seed in range(40)]  # noqa: S311 - test data
    found = grouping([*noise, "\x1b[31merror\x1b[0m in part 7 of the work"])
    assert {found[line] for line in noise} == {WILD}
    assert "in part <*> of the work" in found["\x1b[31merror\x1b[0m in part 7 of the work"]


def test_an_empty_batch_is_nothing() -> None:
    miner = TemplateMiner()
    assert miner.add("svc", []).tolist() == []
    assert miner.settle(miner.add("svc", [])).tolist() == []
    assert miner.templates() == []


@settings(max_examples=300, deadline=None)
@given(st.lists(ANYTHING, max_size=30), st.integers(1, 4))
def test_garbage_never_raises_and_each_line_has_its_template(lines: list[str], batches: int) -> None:
    miner = TemplateMiner()
    counted = 0
    for start in range(batches):
        part = lines[start::batches]
        for line, index in zip(part, miner.add("svc", part).tolist(), strict=True):
            template = miner.template(index)
            values = template.parameters(line)
            assert values is not None
            pieces = template.text.split(WILD)
            again = "".join(piece + value for piece, value in zip(pieces, (*values, ""), strict=True))
            assert again == " ".join(spoken(line).split())
        counted += len(part)
    assert sum(template.count for template in miner.templates()) == counted
    assert all(template.parameters(template.exemplar) is not None for template in miner.templates())
    assert len({template.id for template in miner.templates()}) == len(miner.templates())


@settings(max_examples=100, deadline=None)
@given(st.lists(ANYTHING, max_size=30), st.randoms())
def test_the_order_within_a_batch_does_not_matter(lines: list[str], shuffler: Any) -> None:
    expected = grouping(lines)
    shuffler.shuffle(lines)
    assert grouping(lines) == expected


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["", "[", "(", "a=", "-", ":", "x"]), st.binary(min_size=3, max_size=9))))
def test_ids_are_masked_alike_whether_or_not_there_are_many(rows: list[tuple[str, bytes]]) -> None:
    lines = [
        f"a {lead}{value.hex()}{end} b" for lead, value in rows for end in ("", "]", ",0", ":0a", "-0a0b", ".x", "%")
    ]
    filler = ["nothing of that kind " * 50] * 10
    many, few = (grouping([*first, *lines]) for first in (["trace [0a0b0c0d0e]"], filler))
    assert [many[line] for line in lines] == [few[line] for line in lines]


@settings(max_examples=50, deadline=None)
@given(st.lists(LINES, max_size=30))
def test_ids_are_the_same_in_another_run(lines: list[str]) -> None:
    def ids() -> list[tuple[str, str, int]]:
        miner = TemplateMiner()
        miner.add("svc", lines)
        return [(t.id, t.text, t.count) for t in miner.templates()]

    assert ids() == ids()


@pytest.mark.slow
def test_endless_different_lines_stay_in_bounded_memory() -> None:
    random = Random(5)  # noqa: S311 - test data
    miner = TemplateMiner()

    def noise() -> str:
        return "".join(random.choices(f"{LETTERS} =:,()", k=40))

    miner.add("svc", ["disk is full on /dev/sda1"] * 5)
    for _ in range(10):
        miner.add("svc", [noise() for _ in range(1_500)])
    kept = len(miner.templates())
    tracemalloc.start()
    for _ in range(10):
        miner.add("svc", [noise() for _ in range(1_500)])
    grown, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept <= 10_000
    assert len(miner.templates()) <= 10_000
    assert grown < 60e6
    assert sum(template.count for template in miner.templates()) == 30_005
    assert ("disk is full on <*>", 5) in {(t.text, t.count) for t in miner.templates()}


def test_endless_different_words_in_one_kind_of_line_become_one_template() -> None:
    random = Random(5)  # noqa: S311 - test data
    lines = [
        f"client {''.join(random.choices(LETTERS, k=7))} dropped by {''.join(random.choices(LETTERS, k=7))}"
        for _ in range(4_000)
    ]
    miner = TemplateMiner()
    indexes = miner.settle(miner.add("svc", lines))
    counts = np.bincount(indexes)
    assert counts.max() > 0.9 * len(lines)
    assert len(miner.templates()) < 100


@pytest.mark.parametrize(
    "giant",
    [
        "x" * 3_000_000,
        "error in part 7 " * 200_000,
        "\n" * 100_000,
        "\n    at x" * 20_000,
        "a." * 50_000,
        "a-" * 50_000 + "0",
        "a:" * 50_000,
        "/" * 50_000,
        "\"'" * 50_000,
        "<*>" * 50_000,
        "+0-0" * 50_000,
        "panic: x\n" + "a." * 50_000 + "b(",
        "X\n" + "A." * 50_000 + "\n  at b",
    ],
)
def test_a_giant_line_is_taken(giant: str) -> None:
    miner = TemplateMiner()
    template = miner.template(int(miner.add("svc", [giant])[0]))
    assert len(template.text) < 3_000
    assert len(template.exemplar) < 3_000
    assert "".join(fold(giant.split("\n"))).count("\n") == giant.count("\n") - len(fold(giant.split("\n"))) + 1


JAVA = """ERROR request failed
java.lang.IllegalStateException: no slot 7
\tat com.shop.Till.pay(Till.java:12)
\tat com.shop.Web.post(Web.java:15)
Caused by: java.io.IOException: broken pipe
\tat com.shop.Net.write(Net.java:1)
\t... 12 more"""
PYTHON = """ERROR:root:division failed
Traceback (most recent call last):
  File "/app/x.py", line 3, in f
    return 1 / 0
           ~~^~~
ZeroDivisionError: division by zero

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "/app/x.py", line 5, in g
    raise KeyError("a")
KeyError: 'a'"""
GO = """panic: runtime error: index out of range [5] with length 3

goroutine 1 [running]:
main.main()
\t/app/main.go:12 +0x1d
created by main.start in goroutine 6
\t/app/main.go:5 +0x5
exit status 2"""
NODE = """TypeError: Cannot read properties of undefined (reading 'x')
    at Object.<anonymous> (/app/i.js:3:9)
    at Module._compile (node:internal/modules/cjs/loader:1105:14)"""


@pytest.mark.parametrize(
    ("trace", "says"),
    [
        (
            JAVA,
            (
                "ERROR request failed",
                "java.lang.IllegalStateException: no slot 7",
                "Caused by: java.io.IOException: broken pipe",
            ),
        ),
        (
            PYTHON,
            (
                "ERROR:root:division failed",
                "ZeroDivisionError: division by zero",
                "During handling of the above exception, another exception occurred:",
                "KeyError: 'a'",
            ),
        ),
        (GO, ("panic: runtime error: index out of range [5] with length 3",)),
        (NODE, ("TypeError: Cannot read properties of undefined (reading 'x')",)),
    ],
    ids=["java", "python", "go", "node"],
)
def test_a_trace_is_folded_into_its_line_and_says_its_messages(trace: str, says: tuple[str, ...]) -> None:
    rows = ["GET /cart 200", *trace.split("\n"), "GET /cart 200", *trace.split("\n"), "bye"]
    assert fold(rows) == ["GET /cart 200", trace, "GET /cart 200", trace, "bye"]
    assert " ".join(spoken(trace).split()) == " ".join(says)


def test_traces_of_one_failure_through_different_frames_are_one_template() -> None:
    other = JAVA.replace("\tat com.shop.Web.post(Web.java:15)\n", "").replace("12 more", "3 more")
    assert len(texts_of([JAVA, other])) == 1


def test_two_traces_in_a_row_are_two_events() -> None:
    assert fold([*NODE.split("\n"), *NODE.split("\n")]) == [NODE, NODE]
    bare = PYTHON.partition("\n")[2].partition("\n\n")[0]
    assert fold([*bare.split("\n"), *bare.split("\n")]) == [bare, bare]


def test_lines_without_traces_stay_as_they_are() -> None:
    rows = ["one", "Two: three", "four"]
    assert continues(rows) == [False, False, False]
    assert continues([]) == []


def test_lines_of_services_are_folded_each_for_itself() -> None:
    def line(second: int, service: str, text: str) -> LogLine:
        return LogLine(time=as_utc(second), service=service, level="ERROR", text=text)

    head, *frames = NODE.split("\n")
    mixed = [line(1, "web", head), line(1, "till", "up"), *(line(2, "web", frame) for frame in frames)]
    assert [(found.service, found.text) for found in fold_lines(mixed)] == [("web", NODE), ("till", "up")]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.one_of(ANYTHING, st.sampled_from([*JAVA.split("\n"), *PYTHON.split("\n"), *GO.split("\n")]))))
def test_folding_loses_nothing(rows: list[str]) -> None:
    assert "\n".join(fold(rows)) == "\n".join(rows)
    for event in fold(rows):
        spoken(event)


def test_recorded_systems_are_grouped() -> None:
    systems = sorted(DATA.glob("*/lines.jsonl.gz"))
    if not systems:
        pytest.skip("the public log samples are not beside this checkout")
    scores = {}
    for path in systems:
        lines = [row["content"] for row in read(path)]
        events = [row["event"] for row in read(DATA / "truth" / f"{path.parent.name}.jsonl.gz")]
        miner = TemplateMiner()
        scores[path.parent.name] = accuracy(miner.settle(miner.add("svc", lines)).tolist(), events)
    assert sum(scores.values()) / len(scores) >= 0.9, scores


def read(path: Path) -> list[dict[str, str]]:
    with gzip.open(path, "rt", encoding="utf-8") as rows:
        return [json.loads(row) for row in rows]


def accuracy(found: list[int], true: list[str]) -> float:
    """The share of lines whose group is exactly the true group."""
    mined, events = defaultdict(list), defaultdict(list)
    for place, (index, event) in enumerate(zip(found, true, strict=True)):
        mined[index].append(place)
        events[event].append(place)
    right = {tuple(places) for places in events.values()}
    return sum(len(places) for places in mined.values() if tuple(places) in right) / len(true)
