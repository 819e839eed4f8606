import bz2
import gzip
import json
import lzma
import os
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from agents.connecting.connector import ConnectorContext, LogSource
from agents.connecting.connectors.logfiles import CONNECTOR, LogFiles, LogFilesConfig
from agents.connecting.connectors.logfiles.files import find_offset, open_inside
from agents.connecting.log_search import SearchLogs
from agents.errors import AgentError, BadArguments, NotPermitted, Unavailable
from agents.evidence.logs.lines import parse_line
from agents.evidence.types import Window
from agents.rows import Searched

ContextOf = Callable[..., ConnectorContext]
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
LAST_MINUTE = Window(start=NOW - timedelta(minutes=1), end=NOW)


def json_line(at: datetime, message: str, **fields: Any) -> str:
    return json.dumps({"time": at.isoformat(), "level": "INFO", "message": message, **fields}) + "\n"


def connector(context_of: ContextOf, root: Path, **options: Any) -> LogFiles:
    config = LogFilesConfig(roots=(root,), files={"checkout": Path("checkout.log")}, **options)
    return LogFiles(config, context_of("checkout", "payments"))


@pytest.mark.parametrize(
    ("line", "time", "level", "text"),
    [
        ('{"ts": 1772366400.5, "lvl": "WARNING", "msg": "slow"}', "12:00:00.500", "warn", "slow"),
        ('{"@timestamp":"2026-03-01T13:00:00+01:00","level":50,"event":"x"}', "12:00:00.000", "error", "x"),
        ('{"time": 1772366400123, "message": {"a": 1}}', "12:00:00.123", "", '{"a": 1}'),
        ("2026-03-01 12:00:00,250 ERROR db: gone", "12:00:00.250", "error", "db: gone"),
        ("[2026-03-01T12:00:00Z] ok", "12:00:00.000", "", "ok"),
        (
            '::1 - - [01/Mar/2026:12:00:00 +0000] "GET /"',
            "12:00:00.000",
            "",
            '::1 - - [01/Mar/2026:12:00:00 +0000] "GET /"',
        ),
        ("\x1b[31m2026-03-01T12:00:00Z\x1b[0m red\x00", "12:00:00.000", "", "red"),
    ],
)
def test_common_lines_are_understood(line: str, time: str, level: str, text: str) -> None:
    parsed = parse_line(line.encode(), UTC)
    assert parsed.time is not None
    assert f"{parsed.time:%H:%M:%S.%f}"[:-3] == time
    assert (parsed.level, parsed.text) == (level, text)


@pytest.mark.parametrize(
    "raw",
    [b"", b"\xff\xfe\x00\x01", b"{broken", b'{"time": true}', b'{"time": 1e400}', b"2026-13-45 99:99:99 x", b"[]"],
)
def test_garbage_is_text_without_a_time(raw: bytes) -> None:
    assert parse_line(raw, UTC).time is None


def test_times_without_a_zone_are_in_the_configured_one() -> None:
    parsed = parse_line(b"2026-03-01 13:00:00 x", ZoneInfo("Europe/Berlin"))
    assert parsed.time == NOW


async def test_lines_of_the_window_come_in_order_with_level_and_fields(context_of: ContextOf, tmp_path: Path) -> None:
    lines = [json_line(NOW - timedelta(seconds=s), f"m{s}", code=s) for s in (90, 60, 30, 31, 0, -30)]
    (tmp_path / "checkout.log").write_text("".join(lines))
    logs = connector(context_of, tmp_path)
    assert isinstance(logs, LogSource)
    read = await logs.read_logs(LAST_MINUTE)
    assert [line.text for line in read.lines] == ["m60", "m31", "m30", "m0"]
    assert (read.lines[0].service, read.lines[0].level, read.lines[0].fields) == ("checkout", "info", {"code": "60"})
    assert read.gaps == ()
    other = await logs.read_logs(LAST_MINUTE, ["payments"])
    assert (list(other.lines), other.gaps) == ([], ("payments: no log file is declared",))


async def test_a_stack_trace_belongs_to_its_line_and_half_a_line_is_left_out(
    context_of: ContextOf, tmp_path: Path
) -> None:
    text = '2026-03-01T11:59:30Z ERROR failed\nTraceback:\n  File "a.py"\n\x00\xff\xfe\n{"time": "2026-03-01T11:59'
    (tmp_path / "checkout.log").write_bytes(text.encode("latin-1"))
    (line,) = (await connector(context_of, tmp_path).read_logs(LAST_MINUTE)).lines
    assert line.text.startswith('failed\nTraceback:\n  File "a.py"')
    assert "11:59\n" not in line.text
    assert not line.text.endswith("11:59")


async def test_rotated_files_continue_the_window(context_of: ContextOf, tmp_path: Path) -> None:
    (tmp_path / "checkout.log.2").write_text(json_line(NOW - timedelta(seconds=59), "oldest"))
    (tmp_path / "checkout.log.1").write_text(json_line(NOW - timedelta(seconds=40), "older"))
    (tmp_path / "checkout.log").write_text(json_line(NOW - timedelta(seconds=20), "newest"))
    read = await connector(context_of, tmp_path).read_logs(LAST_MINUTE)
    assert [line.text for line in read.lines] == ["oldest", "older", "newest"]


async def test_caps_keep_the_newest_and_say_so(context_of: ContextOf, tmp_path: Path) -> None:
    lines = [json_line(NOW - timedelta(seconds=50) + timedelta(milliseconds=s), f"m{s}") for s in range(200)]
    (tmp_path / "checkout.log").write_text("".join(lines))
    few = await connector(context_of, tmp_path, max_lines=10).read_logs(LAST_MINUTE)
    assert [line.text for line in few.lines] == [f"m{s}" for s in range(190, 200)]
    assert few.gaps == ("checkout: only the newest 10 of more lines were taken",)
    small = await connector(context_of, tmp_path, max_bytes=1_000).read_logs(LAST_MINUTE)
    assert small.lines[-1].text == "m199"
    assert 5 < len(small.lines) < 20
    assert "only the last 1000 of" in small.gaps[0]


async def test_a_file_without_times_could_not_be_read(context_of: ContextOf, tmp_path: Path) -> None:
    (tmp_path / "checkout.log").write_text("hello\nworld\n")
    os.utime(tmp_path / "checkout.log", (NOW.timestamp(), NOW.timestamp()))
    with pytest.raises(Unavailable, match="no times are understood"):
        await connector(context_of, tmp_path).read_logs(LAST_MINUTE)


def test_a_span_of_a_big_file_is_found_by_reading_little_of_it(tmp_path: Path) -> None:
    start = NOW - timedelta(seconds=100_000)
    path = tmp_path / "big.log"
    path.write_text("".join(f"{start + timedelta(seconds=s):%Y-%m-%dT%H:%M:%SZ} line {s}\n" for s in range(100_000)))
    touched = 0

    def time_of(raw: bytes) -> datetime | None:
        nonlocal touched
        touched += 1
        return parse_line(raw, UTC).time

    with open_inside(path, [tmp_path]) as file:
        for wanted in (0, 1, 49_999, 99_999):
            file.seek(find_offset(file, start + timedelta(seconds=wanted), time_of))
            assert file.readline().endswith(f" {wanted}\n".encode())
        assert find_offset(file, NOW + timedelta(days=1), time_of) == path.stat().st_size
        assert find_offset(file, start - timedelta(days=1), time_of) == 0
    assert touched < 200


async def test_search_shows_the_newest_matching_lines_of_a_level_or_worse(
    context_of: ContextOf, tmp_path: Path
) -> None:
    lines = [
        json_line(NOW - timedelta(seconds=50), "pool timeout 1", code=500).replace("INFO", "ERROR"),
        json_line(NOW - timedelta(seconds=40), "pool timeout 2"),
        json_line(NOW - timedelta(seconds=30), "pool timeout 3", code=503).replace("INFO", "FATAL"),
        json_line(NOW - timedelta(seconds=20), "fine").replace("INFO", "ERROR"),
    ]
    (tmp_path / "checkout.log").write_text("".join(lines))
    logs = connector(context_of, tmp_path)
    found = await logs.search_logs(SearchLogs(service="checkout", grep="time.?out", level="error"))
    assert found.text.splitlines() == [
        "2026-03-01T11:59:10.000Z error pool timeout 1 code=500",
        "2026-03-01T11:59:30.000Z fatal pool timeout 3 code=503",
    ]
    newest = await logs.search_logs(SearchLogs(service="checkout", grep="code=50", limit=1))
    assert (newest.facts["count"], newest.gap) == (1, "checkout: only the newest 1 of more lines were taken")
    for bad in (
        SearchLogs(service="checkout", grep="(?=x)"),
        SearchLogs(service="nobody"),
        SearchLogs(service="payments"),
        SearchLogs(service="checkout", start=NOW, end=NOW),
    ):
        with pytest.raises(BadArguments):
            await logs.search_logs(bad)


async def test_a_search_that_could_read_nothing_is_no_absence(context_of: ContextOf, tmp_path: Path) -> None:
    logs = connector(context_of, tmp_path)
    (tmp_path / "checkout.log").mkdir()
    for failing in (logs.search_logs(SearchLogs(service="checkout", grep="x")), logs.read_logs(LAST_MINUTE)):
        with pytest.raises(AgentError, match=r"checkout\.log is not a regular file"):
            await failing
    (tmp_path / "checkout.log").rmdir()
    (tmp_path / "checkout.log").write_text("no time in here\n" * 50)
    with pytest.raises(Unavailable, match="no times are understood"):
        await logs.search_logs(SearchLogs(service="checkout", grep="x"))
    (tmp_path / "checkout.log").write_text(json_line(NOW - timedelta(seconds=20), "fine"))
    (tmp_path / "checkout.log.1").mkdir()
    found = await logs.search_logs(SearchLogs(service="checkout", grep="nobody wrote this"))
    assert (found.text, found.gap) == ("no matching lines", "checkout: checkout.log.1 is not a regular file")
    (searched,) = (row for row in found.rows if isinstance(row, Searched))
    assert not searched.whole


@pytest.mark.parametrize(
    "name", ["link.log", "linked/secret.log", "../outside/secret.log", "/etc/passwd", "a/../../outside/secret.log"]
)
async def test_nothing_outside_of_the_roots_is_read(context_of: ContextOf, tmp_path: Path, name: str) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    root.mkdir()
    outside.mkdir()
    (root / "a").mkdir()
    (outside / "secret.log").write_text(json_line(NOW, "secret"))
    (root / "link.log").symlink_to(outside / "secret.log")
    (root / "linked").symlink_to(outside)
    with pytest.raises(NotPermitted), open_inside(root / name, [root]):
        pass
    logs = LogFiles(LogFilesConfig(roots=(root,), files={"checkout": Path(name)}), context_of("checkout"))
    with pytest.raises(AgentError):
        await logs.read_logs(LAST_MINUTE)
    assert not (await logs.check()).ok


def test_a_link_inside_the_root_is_followed_and_a_pipe_or_missing_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "day.log").write_text("x\n")
    (tmp_path / "current.log").symlink_to(tmp_path / "day.log")
    with open_inside(tmp_path / "current.log", [tmp_path]) as file:
        assert file.read() == b"x\n"
    os.mkfifo(tmp_path / "pipe.log")
    with pytest.raises(NotPermitted, match="regular"), open_inside(tmp_path / "pipe.log", [tmp_path]):
        pass
    with pytest.raises(Unavailable), open_inside(tmp_path / "none.log", [tmp_path]):
        pass


@pytest.mark.parametrize("kind", ["folder", "loop", "pipe", "unreadable", "missing"])
async def test_one_bad_path_costs_only_itself(context_of: ContextOf, tmp_path: Path, kind: str) -> None:
    bad = tmp_path / "payments.log"
    match kind:
        case "folder":
            bad.mkdir()
        case "loop":
            bad.symlink_to(tmp_path / "back.log")
            (tmp_path / "back.log").symlink_to(bad)
        case "pipe":
            os.mkfifo(bad)
        case "unreadable":
            bad.write_text(json_line(NOW, "secret"))
            bad.chmod(0)
            if os.access(bad, os.R_OK):
                pytest.skip("this user may read everything")
        case _:
            pass
    (tmp_path / "checkout.log").write_text(json_line(NOW - timedelta(seconds=5), "still read"))
    files = {"checkout": Path("checkout.log"), "payments": bad}
    logs = LogFiles(LogFilesConfig(roots=(tmp_path,), files=files), context_of("checkout", "payments"))
    read = await logs.read_logs(LAST_MINUTE)
    assert [line.text for line in read.lines] == ["still read"]
    assert any(gap.startswith("payments: payments.log") for gap in read.gaps)
    checked = await logs.check()
    assert not checked.ok
    assert "payments.log" in checked.detail


async def test_a_log_that_is_too_much_to_read_costs_only_itself(context_of: ContextOf, tmp_path: Path) -> None:
    for name in ("checkout", "payments"):
        (tmp_path / f"{name}.log").write_text(json_line(NOW - timedelta(seconds=5), name))

    async def compute(function: Any, spans: Any, *others: Any) -> Any:
        if spans[0].service in overrun:
            raise Unavailable("this took more than 20 s of computing and was given up")
        return function(spans, *others)

    files = {name: Path(f"{name}.log") for name in ("checkout", "payments")}
    context = replace(context_of(*files), compute=compute)
    logs = LogFiles(LogFilesConfig(roots=(tmp_path,), files=files), context)
    overrun = {"payments"}
    read = await logs.read_logs(LAST_MINUTE)
    assert [line.text for line in read.lines] == ["checkout"]
    assert "payments: this took more than 20 s of computing and was given up" in read.gaps
    overrun = {"checkout", "payments"}
    with pytest.raises(Unavailable):
        await logs.read_logs(LAST_MINUTE)


async def test_the_check_reads_each_file(context_of: ContextOf, tmp_path: Path) -> None:
    assert not (await connector(context_of, tmp_path).check()).ok
    (tmp_path / "checkout.log").write_text("")
    assert (await connector(context_of, tmp_path).check()).ok


def test_it_is_a_host_connector() -> None:
    assert CONNECTOR.host


@pytest.mark.parametrize(
    "name",
    [
        "checkout.log.3",
        "checkout.log.1.gz",
        "checkout.log.2.bz2",
        "checkout.log.1.xz",
        "checkout.log-20260301",
        "checkout.log-20260301.gz",
        "checkout.log.2026-03-01",
        "checkout.log-20260301-1130.gz",
        "checkout-2026-03-01.log",
        "checkout-2026-03-01.1.log.gz",
        "checkout.2026-03-01_11.log",
    ],
)
async def test_a_rotated_file_is_read_whatever_rotation_calls_it(
    context_of: ContextOf, tmp_path: Path, name: str
) -> None:
    old = "".join(json_line(NOW - timedelta(seconds=s), f"m{s}") for s in range(600, 30, -1)).encode()
    packers: dict[str, Callable[[bytes], bytes]] = {".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress}
    (tmp_path / name).write_bytes(packers.get(Path(name).suffix, lambda data: data)(old))
    (tmp_path / "checkout.log").write_text(json_line(NOW - timedelta(seconds=20), "newest"))
    (tmp_path / "checkout-worker.log").write_text(json_line(NOW - timedelta(seconds=50), "another program's"))
    read = await connector(context_of, tmp_path).read_logs(LAST_MINUTE)
    assert [read.lines[0].text, read.lines[-2].text, read.lines[-1].text] == ["m60", "m31", "newest"]
    assert read.gaps == ()


async def test_what_cannot_be_unpacked_is_a_gap(context_of: ContextOf, tmp_path: Path) -> None:
    old = gzip.compress(
        "".join(json_line(NOW - timedelta(seconds=s), f"m{s} {s**9}") for s in range(59, 30, -1)).encode()
    )
    (tmp_path / "checkout.log.1.gz").write_bytes(old[: len(old) // 2])
    (tmp_path / "checkout.log.2.zst").write_bytes(b"\x28\xb5\x2f\xfd")
    (tmp_path / "checkout.log").write_text(json_line(NOW - timedelta(seconds=20), "newest"))
    read = await connector(context_of, tmp_path).read_logs(LAST_MINUTE)
    assert read.lines[-1].text == "newest"
    assert any("checkout.log.1.gz: it is damaged" in gap for gap in read.gaps)
    assert "checkout: checkout.log.2.zst: files packed as .zst are not read" in read.gaps


async def test_a_log_that_begins_within_the_window_says_so(context_of: ContextOf, tmp_path: Path) -> None:
    (tmp_path / "checkout.log").write_text(json_line(NOW - timedelta(seconds=20), "first"))
    read = await connector(context_of, tmp_path).read_logs(LAST_MINUTE)
    assert read.gaps == ("checkout: its log begins at 11:59:40 UTC; of the time before nothing is known",)


async def test_a_file_with_its_date_in_its_name_is_given_as_a_pattern(context_of: ContextOf, tmp_path: Path) -> None:
    for day, second in (("2026-02-28", 50), ("2026-03-01", 10)):
        path = tmp_path / f"checkout-{day}.log"
        path.write_text(json_line(NOW - timedelta(seconds=second), day))
        os.utime(path, (NOW.timestamp() - second,) * 2)
    config = LogFilesConfig(roots=(tmp_path,), files={"checkout": Path("checkout-*.log")}, timezone="UTC")
    logs = LogFiles(config, context_of("checkout"))
    assert [line.text for line in (await logs.read_logs(LAST_MINUTE)).lines] == ["2026-02-28", "2026-03-01"]
    assert (await logs.check()).ok


async def test_a_very_long_line_is_one_line(context_of: ContextOf, tmp_path: Path) -> None:
    lines = [json_line(NOW - timedelta(seconds=s), "x" * 70_000, n=s) for s in (40, 30, 20)]
    (tmp_path / "checkout.log").write_text(json_line(NOW - timedelta(seconds=70), "before") + "".join(lines))
    read = await connector(context_of, tmp_path).read_logs(LAST_MINUTE)
    assert [line.fields["n"] for line in read.lines] == ["40", "30", "20"]


async def test_a_line_that_a_container_engine_split_is_one_line(context_of: ContextOf, tmp_path: Path) -> None:
    document = json.dumps({"level": "error", "msg": "y" * 40, "order": 7})
    stamp = "2026-03-01T11:59:30.000000001Z stdout"
    cri = f"{stamp} P {document[:20]}\n{stamp} P {document[20:30]}\n{stamp} F {document[30:]}\n"
    docker = "".join(
        json.dumps({"log": part, "stream": "stdout", "time": "2026-03-01T11:59:40Z"}) + "\n"
        for part in (document[:25], document[25:] + "\n")
    )
    before = "2026-03-01T11:50:00.000000001Z stdout F earlier\n"
    (tmp_path / "checkout.log").write_text(before + cri + docker)
    read = await connector(context_of, tmp_path).read_logs(LAST_MINUTE)
    assert [(line.level, line.text, line.fields["order"]) for line in read.lines] == [("error", "y" * 40, "7")] * 2


async def test_several_forms_in_one_file_are_all_read(context_of: ContextOf, tmp_path: Path) -> None:
    forms = [
        "2026-03-01T11:58:00Z before",
        '{"time":"2026-03-01T11:59:10Z","level":"warn","msg":"json"}',
        'level=error ts=2026-03-01T11:59:20Z msg="logfmt"',
        "2026/03/01 11:59:30 [crit] 7#7: nginx",
        "Mar  1 11:59:40 web1 shop[7]: syslog",
        "Mar 01, 2026 11:59:50 AM com.acme.Pay charge",
        "SEVERE: java",
    ]
    (tmp_path / "checkout.log").write_text("\n".join(forms * 1) + "\n")
    read = await connector(context_of, tmp_path, timezone="UTC").read_logs(LAST_MINUTE)
    assert [(line.time.second, line.level) for line in read.lines] == [
        (10, "warn"),
        (20, "error"),
        (30, "critical"),
        (40, ""),
        (50, "error"),
    ]
    assert "its times" not in " ".join(read.gaps)


async def test_a_time_without_a_day_is_counted_back_from_when_the_file_was_written(
    context_of: ContextOf, tmp_path: Path
) -> None:
    path = tmp_path / "checkout.log"
    path.write_text(
        "23:59:58.100 [main] INFO late\n11:59:30.000 [main] ERROR now\n  at a.b\n11:59:59.000 [main] WARN end\n"
    )
    os.utime(path, (NOW.timestamp(), NOW.timestamp()))
    read = await connector(context_of, tmp_path, timezone="UTC").read_logs(LAST_MINUTE)
    assert [(line.time.second, line.level) for line in read.lines] == [(30, "error"), (59, "warn")]
    assert "its times name no day" in read.gaps[0]


async def test_a_zone_is_not_assumed_in_silence(context_of: ContextOf, tmp_path: Path) -> None:
    path = tmp_path / "checkout.log"
    path.write_text("2026-03-01 11:58:00 before\n2026-03-01 11:59:30 ERROR x\n")
    os.utime(path, (NOW.timestamp(), NOW.timestamp()))
    assumed = await connector(context_of, tmp_path).read_logs(LAST_MINUTE)
    assert "name no zone and are taken as UTC" in assumed.gaps[0]
    assert "taken as UTC" in (await connector(context_of, tmp_path).check()).detail
    told = await connector(context_of, tmp_path, timezone="UTC").read_logs(LAST_MINUTE)
    assert told.gaps == ()


async def test_a_wrong_zone_shows_in_the_age_of_the_last_line(context_of: ContextOf, tmp_path: Path) -> None:
    path = tmp_path / "checkout.log"
    path.write_text("2026-03-01 12:58:00 before\n2026-03-01 12:59:50 ERROR x\n")
    os.utime(path, (NOW.timestamp(), NOW.timestamp()))
    told = await connector(context_of, tmp_path, timezone="UTC").check()
    assert not told.ok
    assert "1 h after the file was last written" in told.detail
    right = connector(context_of, tmp_path, timezone="Europe/Berlin")
    assert (await right.check()).ok
    assert [line.text for line in (await right.read_logs(LAST_MINUTE)).lines] == ["x"]


async def test_the_check_says_what_share_is_understood(context_of: ContextOf, tmp_path: Path) -> None:
    path = tmp_path / "checkout.log"
    path.write_text("level=info ts=2026-03-01T11:59:00Z msg=a\nnothing here\n" * 10)
    told = await connector(context_of, tmp_path).check()
    assert (told.ok, told.detail) == (True, "1 log files can be read: checkout: 50% of the lines understood (logfmt)")
    read = await connector(context_of, tmp_path).read_logs(Window(start=NOW - timedelta(hours=1), end=NOW))
    assert any("only 50% of its lines have a time" in gap for gap in read.gaps)
    path.write_text("nothing here\n" * 10)
    assert "no times are understood" in (await connector(context_of, tmp_path).check()).detail
