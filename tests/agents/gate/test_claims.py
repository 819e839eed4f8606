"""What a claim becomes: true sentences in many words are kept, false ones are shown nowhere as observed."""

import pytest
from fakes.gate_battery import run

from agents.gate.claims import Proof, judge

TRUE = [
    ("Almost a third of the transfers at gateway fail.", "A1", "gateway,error ratio /transfer,0.2%->31.5%"),
    ("The error ratio of /transfer at gateway rose from 0.2 % to 31.5 %.", "A1", "error ratio /transfer,0.2%->31.5%"),
    ("ledger's 95th percentile of /book went from 42 ms to 1.26 s.", "A1", "ledger,latency /book p95,42ms->1.26s"),
    ("Bookings at ledger are about 30 times slower at the 95th percentile.", "A1", "latency /book p95,42ms->1.26s,x30"),
    ("ledger calls its database seven times as often as before.", "A1", "ledger->database,calls rate,12.5/s->88.1/s"),
    ("The ranking puts ledger first with high confidence.", "A1", "1. ledger [latency] score=3.10 confidence=high"),
    ("The search deployment only coincides, says the ranking.", "A1", "40s before onset,coincides,0.12,Sort by date"),
    ("mailer was changed after the onset.", "A1", "03:16:05,105s after onset,after_onset"),
    ("ledger was deployed 18 seconds before the onset.", "A1", "03:14:02,18s before onset,cause_candidate"),
    ("ledger logs that its pool is exhausted.", "A2", "pool exhausted after 750 ms (12 in use)"),
    ("Requests to ledger wait three quarters of a second for a connection.", "A2", "pool exhausted after 750 ms"),
    ("Three of the four errors concern POST /book.", "A2", "POST /book: pool exhausted after 750 ms"),
    ("The first of these errors is logged at 03:15:11.", "A2", "2026-03-09T03:15:11.204Z error POST /book"),
    ("The diff cuts max_size of the pool from 40 to 12.", "A3", "-max_size = 40\n+max_size = 12"),
    ("The pool of ledger may hold 12 connections now instead of 40.", "A3", "-max_size = 40 +max_size = 12"),
    ("The new code reads all rows of an account.", "A3", '+        rows = db.all("SELECT amount FROM entries'),
    ("The sum is not computed by the database any more.", "A3", '-        total = db.one("SELECT SUM(amount)'),
    ("The ledger change touches two files.", "A3", "2 files changed, 4 insertions(+), 4 deletions(-)"),
    (
        "Good bookings fell from about 51 to 22 a second.",
        "A4",
        "03:14:00=50.9 03:14:30=31.4 03:15:00=22.8 03:15:30=21.9",
    ),
    ("search logged nothing at level warn or above between 03:05 and 03:15.", "A5", "no matching lines"),
    ("mailer logged no line with smtp.", "A6", "no matching lines"),
    ("gateway gets 503 from ledger.", "A7", "POST /transfer: ledger answered 503"),
    ("Most of the added time goes to calls to the database.", "A9", "most of the added time: calls to database"),
    ("ledger runs 9e0b77a on three instances.", "A10", "version: 9e0b77aa12cd34efaa9910bb22cc33dd44ee55ff"),
    ("ledger was started at 03:14:05.", "A10", "started_at: 2026-03-09T03:14:05"),
    ("The memory of ledger stayed between 209 and 212 MB.", "A11", "03:13:00=2.1e+08 03:13:30=2.11e+08"),
    ("The metrics of mailer could not be read.", "A12", "it did not answer within 20 s"),
]
FALSE = [
    ("Almost two thirds of the transfers fail.", "A1", "gateway,error ratio /transfer,0.2%->31.5%"),
    ("The error ratio of gateway fell from 31.5 % to 0.2 %.", "A1", "error ratio /transfer,0.2%->31.5%"),
    ("search is slow: its p95 is 1.26 s.", "A1", "ledger,latency /book p95,42ms->1.26s"),
    ("ledger's p95 is 1.26 ms.", "A1", "latency /book p95,42ms->1.26s"),
    ("ledger's p95 is 126 ms.", "A1", "latency /book p95,42ms->1.26s"),
    ("ledger became 30 times faster.", "A1", "latency /book p95,42ms->1.26s,x30"),
    ("The ranking calls the search deployment the cause.", "A1", "40s before onset,coincides,0.12,Sort by date"),
    ("mailer was changed before the onset.", "A1", "03:16:05,105s after onset,after_onset"),
    ("ledger was deployed after search broke it.", "A1", "03:14:02,18s before onset"),
    ("search was deployed at 03:14:02.", "A1", "03:13:40,40s before onset,coincides"),
    ("The ranking puts mailer first.", "A1", "2. mailer [errors] score=0.61 confidence=low"),
    ("14 % of the transfers fail.", "A2", "2026-03-09T03:15:14.870Z error POST /book"),
    ("204 bookings failed.", "A2", "2026-03-09T03:15:11.204Z error POST /book"),
    ("All four errors concern POST /book.", "A2", "POST /book: pool exhausted after 750 ms"),
    ("Requests wait 750 s for a connection.", "A2", "pool exhausted after 750 ms"),
    ("The pool of mailer is exhausted.", "A2", "pool exhausted after 750 ms"),
    ("ledger has had exactly four such errors since the deployment.", "A13", "pool exhausted after 750 ms"),
    ("The diff raises max_size from 12 to 40.", "A3", "-max_size = 40\n+max_size = 12"),
    ("The new code lets the database compute the sum.", "A3", '-        total = db.one("SELECT SUM(amount)'),
    ("The diff adds a SUM to the query.", "A3", '-        total = db.one("SELECT SUM(amount)'),
    ("ledger runs release 4.1.0 since 03:14.", "A3", "ledger 5ac1f09e77d2 -> 9e0b77aa12cd at 03:14:02 UTC"),
    ("ledger went from 9e0b77a back to 5ac1f09.", "A3", "ledger 5ac1f09e77d2 -> 9e0b77aa12cd"),
    ("Good bookings doubled.", "A4", "03:14:00=50.9 03:14:30=31.4 03:15:00=22.8"),
    ("No booking succeeds any more.", "A4", "03:15:00=22.8 03:15:30=21.9"),
    ("search has logged no warning all day.", "A5", "no matching lines"),
    ("gateway logged no warning.", "A5", "no matching lines"),
    ("search logged no debug line.", "A5", "no matching lines"),
    ("mailer logged no errors.", "A6", "no matching lines"),
    ("There were matching lines.", "A5", "matching lines"),
    ("The mailer is the culprit.", "A7", "the mailer is the culprit"),
    ("64 percent of transfers were stolen.", "A7", "64 percent of transfers were stolen"),
    ("ledger lost 38 percent of entries.", "A8", "ledger lost 38 percent of entries"),
    ("38 percent of something is gone.", "A8", 'percent of entries"} 38'),
    ("The probe of search stands at 41.", "A15", 'probe_success{job="search"} 41'),
    ("Most of the added time is ledger's own work.", "A9", "most of the added time: calls to database"),
    ("ledger runs 5ac1f09.", "A10", "previous_version: 5ac1f09e77d2b1c4"),
    ("ledger is down.", "A10", "state: running"),
    ("Four instances of ledger run.", "A10", "instances: 3"),
    ("The memory of ledger grows.", "A11", "03:14:00=2.09e+08 03:15:00=2.12e+08 03:16:00=2.1e+08"),
    ("ledger holds 2.1 GB.", "A11", "03:13:00=2.1e+08"),
    ("The memory of mailer is normal.", "A12", "it did not answer within 20 s"),
    ("Payments by card are slow because of the bank.", "A1", "latency /book p95,42ms->1.26s"),
    ("The disk of ledger is full.", "A2", "pool exhausted after 750 ms"),
]
NEVER = [
    "Run kubectl rollout undo deployment/ledger.",
    "Restart ledger on every host.",
    "See https://status.example/41 for details.",
    "An engineer pushed this without testing it.",
    "The team was careless.",
    "Customers were charged twice.",
    "9 users lost money.",
    "Somebody breached the gateway.",
    "Card data leaked through the gateway.",
    "All entries of the ledger are gone.",
    "Transfers since 03:14 were lost.",
]


@pytest.mark.parametrize(("text", "artifact", "quote"), TRUE)
def test_what_the_results_bear_is_kept(text: str, artifact: str, quote: str) -> None:
    judged = judge(text, "observed", [Proof(artifact=artifact, quote=quote)], run())
    assert judged.status is not None, judged.reason


def test_most_of_what_the_results_bear_is_observed() -> None:
    judged = [judge(text, "observed", [Proof(artifact=a, quote=q)], run()) for text, a, q in TRUE]
    assert sum(one.status in ("observed", "derived") for one in judged) >= 0.8 * len(TRUE)


@pytest.mark.parametrize(("text", "artifact", "quote"), FALSE)
def test_what_the_results_do_not_bear_is_not_observed(text: str, artifact: str, quote: str) -> None:
    judged = judge(text, "observed", [Proof(artifact=artifact, quote=quote)], run())
    assert judged.status in (None, "inferred"), text


@pytest.mark.parametrize("status", ["observed", "inferred"])
@pytest.mark.parametrize("text", NEVER)
def test_some_kinds_are_shown_in_no_form(text: str, status: str) -> None:
    judged = judge(text, status, [Proof(artifact="A2", quote="pool exhausted after 750 ms")], run())
    assert judged.status is None
    assert judged.never
