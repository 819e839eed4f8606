import json
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from agents.connector import ConnectorContext, LogSource
from agents.connectors.logfiles import CONNECTOR, LogFiles, LogFilesConfig, SearchLogs
from agents.connectors.logfiles.files import find_offset, open_inside
from agents.connectors.logfiles.lines import parse_line
from agents.errors import BadArguments, NotPermitted, Unavailable
from agents.evidence.types import Window

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
        ("2026-03-01 12:00:00,250 ERROR db: gone", "12:00:00.250", "error", "2026-03-01 12:00:00,250 ERROR db: gone"),
        ("[2026-03-01T12:00:00Z] ok", "12:00:00.000", "", "[2026-03-01T12:00:00Z] ok"),
        (
            '::1 - - [01/Mar/2026:12:00:00 +0000] "GET /"',
            "12:00:00.000",
            "",
            '::1 - - [01/Mar/2026:12:00:00 +0000] "GET /"',
        ),
        ("\x1b[31m2026-03-01T12:00:00Z\x1b[0m red\x00", "12:00:00.000", "", "2026-03-01T12:00:00Z red"),
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
    assert line.text.startswith('2026-03-01T11:59:30Z ERROR failed\nTraceback:\n  File "a.py"')
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


async def test_a_file_without_times_is_a_gap(context_of: ContextOf, tmp_path: Path) -> None:
    (tmp_path / "checkout.log").write_text("hello\nworld\n")
    os.utime(tmp_path / "checkout.log", (NOW.timestamp(), NOW.timestamp()))
    read = await connector(context_of, tmp_path).read_logs(LAST_MINUTE)
    assert "no times are understood" in read.gaps[0]


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
    read = await logs.read_logs(LAST_MINUTE)
    assert list(read.lines) == []
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


async def test_the_check_reads_each_file(context_of: ContextOf, tmp_path: Path) -> None:
    assert not (await connector(context_of, tmp_path).check()).ok
    (tmp_path / "checkout.log").write_text("")
    assert (await connector(context_of, tmp_path).check()).ok


def test_it_is_a_host_connector() -> None:
    assert CONNECTOR.host
