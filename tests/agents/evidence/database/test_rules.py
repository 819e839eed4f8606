"""What metrics, events and waits of a database say together."""

import pytest

from agents.evidence.database.digest import read_statements, tell_events, tell_metrics
from agents.evidence.database.rules import explain, see, summary
from agents.evidence.database.types import DatabaseFault, DatabaseFinding, DatabaseSeries


def series(name: str, *values: float, unit: str = "Count", instance: str = "ledger") -> DatabaseSeries:
    return DatabaseSeries(
        name=name, unit=unit, instance=instance, points=tuple((f"02:{n:02d}", v) for n, v in enumerate(values))
    )


def found(metrics: list[DatabaseSeries], events: list[str]) -> list[DatabaseFinding]:
    return explain(see("ledger", tell_metrics(metrics, "ledger")[1], tell_events(events)))


STEADY = [series("CPUUtilization", 18, 19, 17, unit="Percent"), series("DatabaseConnections", 90, 92, 91)]
BUSY = series("CPUUtilization", 19, 60, 95, unit="Percent")


def top(text: str, load: float, waits: str) -> str:
    return f"02:00:00 top statement: {text} | load {load} | waits: {waits}"


FULL = [
    series("FreeStorageSpace", 15e9, 6e9, 0.4e9, unit="Bytes"),
]


@pytest.mark.parametrize(
    ("metrics", "events", "fault"),
    [
        (FULL, ["02:12:33 DB instance ran out of storage space."], DatabaseFault.STORAGE_EXHAUSTED),
        ([], ["02:12:33 DB instance ran out of storage space."], DatabaseFault.STORAGE_EXHAUSTED),
        (
            [series("DatabaseConnections", 300, 450, 494)],
            [
                "02:01:00 approaching max_connections limit",
                top("BEGIN; SELECT 1", 6, "Client:ClientRead(5.8), CPU(0.2)"),
            ],
            DatabaseFault.CONNECTIONS_EXHAUSTED,
        ),
        (
            [BUSY],
            [top("SELECT * FROM loaves", 7.2, "CPU:user(5.9), IO:DataFileRead(1.3)")],
            DatabaseFault.CPU_SATURATED,
        ),
        (
            [
                series("ReplicaLag", 1, 30, 190, unit="Seconds", instance="ledger-replica-1"),
                series("WriteIOPS", 900, 4000, 9000),
            ],
            [top("INSERT INTO loaves VALUES ($1)", 5, "IO:WALWrite(4)")],
            DatabaseFault.REPLICATION_LAG,
        ),
        (
            [],
            ["02:04:18 Multi-AZ instance failover initiated.", "02:04:58 failover completed."],
            DatabaseFault.FAILOVER,
        ),
        ([], [top("UPDATE loaves SET n = 1", 9, "Lock:transactionid(8.1)")], DatabaseFault.LOCKED),
    ],
)
def test_each_fault_is_told_by_its_own_signs(
    metrics: list[DatabaseSeries], events: list[str], fault: DatabaseFault
) -> None:
    assert found(metrics, events)[0].fault is fault


def test_cpu_that_follows_from_maintenance_is_not_the_cause() -> None:
    events = [top("autovacuum: VACUUM FREEZE public.loaves", 7.8, "LWLock:BufferMapping(3.9), IO:WALWrite(2.4)")]
    events += ["02:06:50 checkpoints are occurring too frequently (8 seconds apart)"]
    faults = [f.fault for f in found([BUSY], events)]
    assert faults == [DatabaseFault.MAINTENANCE_STORM]


def test_two_independent_faults_are_both_told() -> None:
    events = [
        top("SELECT count(*) FROM loaves", 6.8, "CPU:user(5.9)"),
        top("INSERT INTO crumbs", 2.5, "IO:DataFileWrite(2)"),
    ]
    told = found([BUSY, *FULL], events)
    assert {f.fault for f in told} == {DatabaseFault.CPU_SATURATED, DatabaseFault.STORAGE_EXHAUSTED}
    assert "; also " in summary(told, "ledger")


def test_storage_that_grew_in_time_is_over() -> None:
    metrics = [series("FreeStorageSpace", 100e9, 4e9, 110e9, unit="Bytes")]
    events = ["02:08:12 free storage space is low", "02:13:21 Storage autoscaling completed"]
    told = found(metrics, events)
    assert [f.over for f in told] == [True]
    assert summary(told, "ledger").startswith("No active failure of ledger")


def test_a_quiet_database_has_no_failure() -> None:
    assert found(STEADY, ["03:14:00 Automated backup finished"]) == []
    assert summary([], "ledger") == "No failure: all metrics of ledger are within normal bounds"


def test_metrics_of_a_neighbour_are_left_out() -> None:
    neighbour = series("CPUUtilization", 10, 99, unit="Percent", instance="orders")
    assert "CPUUtilization (" not in tell_metrics([*STEADY, neighbour], "ledger")[0]
    assert tell_metrics([neighbour], "ledger") == ("no metrics of ledger", ())


def test_the_digest_tells_what_its_shapes_hold() -> None:
    text, (shape,) = tell_metrics([series("FreeStorageSpace", 15e9, 0.4e9, 1e9, unit="Bytes")], "ledger")
    assert (shape.first, shape.lowest, shape.highest, shape.last) == (15_000, 400, 15_000, 1_000)
    assert shape.line in text.splitlines()
    assert not shape.recovered
    assert read_statements([top("SELECT 1", 2.5, "CPU:user(1.5), IO:x(0.5)")])[0].waits == ("CPU:user", "IO:x")


@pytest.mark.parametrize("text", ["", "\x00\xff", "Free (MB): first x", "top statement: | load | waits:", "(:)" * 500])
def test_garbage_is_no_finding(text: str) -> None:
    assert explain(see("ledger", (), text.splitlines())) == []
    assert read_statements([text]) == ()


def test_series_without_points_or_with_one_are_no_finding() -> None:
    assert found([series("FreeStorageSpace"), series("CPUUtilization", 20, unit="Percent")], []) == []
