"""Log lines: one JSON object each, without secrets and without the words of an exception."""

import json
import logging
import sys

import pytest

from bot.logs import JsonLines, log_to_stderr


@pytest.fixture(autouse=True)
def _restored() -> object:
    root = logging.getLogger()
    before = (root.level, list(root.handlers))
    yield None
    root.setLevel(before[0])
    root.handlers[:] = before[1]


def line(record: logging.LogRecord) -> dict[str, object]:
    read: dict[str, object] = json.loads(JsonLines().format(record))
    return read


def test_a_line_has_its_time_level_logger_message_and_fields() -> None:
    record = logging.makeLogRecord(
        {
            "name": "autoheal.x",
            "levelname": "INFO",
            "msg": "%s done",
            "args": ("all",),
            "action": "x.done",
            "tenant": "t1",
        }
    )
    read = line(record)
    assert (read["level"], read["logger"], read["message"]) == ("info", "autoheal.x", "all done")
    assert (read["action"], read["tenant"]) == ("x.done", "t1")
    assert str(read["time"]).endswith("+00:00")


def test_an_exception_is_its_class_never_its_text() -> None:
    try:
        int("what a customer wrote")
    except ValueError:
        record = logging.makeLogRecord({"name": "a", "levelname": "ERROR", "msg": "failed", "exc_info": sys.exc_info()})
    assert line(record)["exception"] == "ValueError"
    assert "customer" not in JsonLines().format(record)


def test_a_token_is_masked_whoever_logs_it() -> None:
    token = "xoxb-123456789012-123456789012-" + "a" * 24
    record = logging.makeLogRecord({"name": "slack_sdk", "levelname": "WARNING", "msg": f"token={token}"})
    assert token not in JsonLines().format(record)


def test_libraries_tell_only_what_is_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    log_to_stderr("INFO")
    for chatty in ("alembic.runtime.migration", "apscheduler.scheduler", "httpx2"):
        logging.getLogger(chatty).info("nobody needs this")
    logging.getLogger("apscheduler.scheduler").warning("this matters")
    said = capsys.readouterr().err
    assert "nobody needs this" not in said
    assert "this matters" in said
