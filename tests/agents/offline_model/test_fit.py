"""A diff fits only by what it altered, not by what stands beside it or merely tells of the failure."""

import pytest

from agents.offline_model.findings import Pattern
from agents.offline_model.fit import Evidence, Nature, fit_change

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


def evidence(nature: Nature, line: str) -> Evidence:
    pattern = Pattern(
        service="pay", kind="new", level="error", example=line, first="10:00:00", count=40, share=20.0, line=line
    )
    return Evidence(service="pay", nature=nature, metrics=(), patterns=(pattern,), frames=frozenset({"charge"}))


@pytest.mark.parametrize(("diff", "grade"), [(BESIDE, 1), (WITHIN, 2)], ids=["beside", "within"])
def test_an_exception_is_raised_where_lines_changed_not_where_the_heading_says(diff: str, grade: int) -> None:
    assert fit_change(diff, evidence(Nature.EXCEPTION, "POST /buy: KeyError: 'sum'")).grade == grade


@pytest.mark.parametrize(
    ("nature", "line"),
    [
        (Nature.ROOM, "POST /buy: OSError: [Errno 27] File too large: 'journal.ndjson'"),
        (Nature.TIMEOUT, "POST /buy: POST api.paynorth.example/v1: timed out after 0.8 s"),
        (Nature.CALLS, "POST /buy: POST api.paynorth.example/v1 answered 503"),
    ],
)
def test_the_function_that_tells_of_a_limit_or_a_failed_call_has_not_caused_it(nature: Nature, line: str) -> None:
    assert fit_change(WITHIN, evidence(nature, line)).grade == 0


def test_what_writes_more_may_fill_a_file_but_is_not_proven_to() -> None:
    found = fit_change(WRITES_MORE, evidence(Nature.ROOM, "OSError: [Errno 27] File too large: 'journal.ndjson'"))
    assert found.grade == 1
