"""A diff fits only by what it altered, not by what stands beside it or merely tells of the failure."""

import pytest

from agents.models.offline.change_evidence import FaultKind, SuspectEvidence, judge_change, weigh_evidence
from agents.models.offline.findings import FoundSuspect, Metric, Pattern

BESIDE = """diff --git a/services/pay/app.py b/services/pay/app.py
--- a/services/pay/app.py
+++ b/services/pay/app.py
@@ -54,7 +54,7 @@ def charge(request):
 @service.get("/charges/{id}")
 def one_charge(request):
     with service.database() as db:
-        found = db.one("SELECT id, amount FROM charges WHERE id = ?", (request.id,))
+        found = db.one("SELECT id, customer, amount FROM charges WHERE id = ?", (request.id,))
     return found
"""
WITHIN = """diff --git a/services/pay/app.py b/services/pay/app.py
--- a/services/pay/app.py
+++ b/services/pay/app.py
@@ -30,7 +30,7 @@ def charge(request):
     wanted = request.json()
-    amount = wanted.get("amount", 0)
+    amount = wanted["amount"]
     return book(amount)
"""
WRITES_MORE = WITHIN.replace('    amount = wanted["amount"]', "    journal.append(wanted)")


def query(before: str, after: str) -> str:
    head = BESIDE.partition("-        found")[0]
    return f"{head}-        found = db.one({before!r})\n+        found = db.one({after!r})\n"


def evidence(fault: FaultKind, line: str) -> SuspectEvidence:
    pattern = Pattern(
        service="pay", kind="new", level="error", example=line, first="10:00:00", count=40, share=20.0, line=line
    )
    return SuspectEvidence(service="pay", fault=fault, metrics=(), patterns=(pattern,), frames=frozenset({"charge"}))


@pytest.mark.parametrize(("diff", "grade"), [(BESIDE, 1), (WITHIN, 2)], ids=["beside", "within"])
def test_an_exception_is_raised_where_lines_changed_not_where_the_heading_says(diff: str, grade: int) -> None:
    assert judge_change(diff, evidence(FaultKind.EXCEPTION, "POST /buy: KeyError: 'sum'")).grade == grade


@pytest.mark.parametrize(
    ("fault", "line"),
    [
        (FaultKind.ROOM, "POST /buy: OSError: [Errno 27] File too large: 'journal.ndjson'"),
        (FaultKind.TIMEOUT, "POST /buy: POST api.paynorth.example/v1: timed out after 0.8 s"),
        (FaultKind.CALLS, "POST /buy: POST api.paynorth.example/v1 answered 503"),
    ],
)
def test_the_function_that_tells_of_a_limit_or_a_failed_call_has_not_caused_it(fault: FaultKind, line: str) -> None:
    assert judge_change(WITHIN, evidence(fault, line)).grade == 0


def test_what_writes_more_may_fill_a_file_but_is_not_proven_to() -> None:
    found = judge_change(WRITES_MORE, evidence(FaultKind.ROOM, "OSError: [Errno 27] File too large: 'journal.ndjson'"))
    assert found.grade == 1


@pytest.mark.parametrize(
    ("after", "grade"),
    [
        ("SELECT id, customer, amount FROM charges WHERE id = ?", 0),
        ("SELECT id, amount FROM charges WHERE +id = ?", 2),
        ("SELECT id, amount FROM charges, charges AS same WHERE id = ?", 2),
        ("SELECT id, (SELECT COUNT(*) FROM charges same) FROM charges WHERE id = ?", 2),
    ],
)
def test_a_query_becomes_slow_by_where_it_looks_and_not_by_a_column_more(after: str, grade: int) -> None:
    diff = query("SELECT id, amount FROM charges WHERE id = ?", after)
    assert judge_change(diff, evidence(FaultKind.SLOW, "slow answer of /charges")).grade == grade


def test_slow_queries_to_its_own_store_are_the_service_s_own_slowness() -> None:
    def metric(peer: str) -> Metric:
        return Metric(
            service="pay", peer=peer, indicator="latency mean", before="1ms", now="200ms", ratio=200.0, z=30.0, line=""
        )

    def fault(peer: str) -> FaultKind:
        suspect = FoundSuspect(
            place=1, service="pay", family="dependency_latency", external="", score=1.2, confidence="high", line="",
            change=None, metrics=(metric(peer),), patterns=(),
        )  # fmt: skip
        return weigh_evidence(suspect, [], [], ["pay"]).fault

    assert (fault("database"), fault("stock")) == (FaultKind.SLOW, FaultKind.CALLS)
