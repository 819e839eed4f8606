"""Log lines as JSON, one event a line, with known secrets and token formats masked whoever logs them."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

from store.secrets.redaction import RedactionFailed, Redactor, Secret

_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class JsonLines(logging.Formatter):
    """`time level logger message` and the extra fields. An exception is its class; its text may hold content."""

    def __init__(self, secrets: Iterable[Secret] = ()) -> None:
        super().__init__()
        self._redactor = Redactor(secrets)

    def format(self, record: logging.LogRecord) -> str:
        fields = {key: value for key, value in vars(record).items() if key not in _STANDARD}
        line = {
            "time": datetime.fromtimestamp(record.created, tz=UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **fields,
        }
        if record.exc_info and record.exc_info[0] is not None:
            line["exception"] = record.exc_info[0].__name__
        try:
            return str(self._redactor.redact(json.dumps(line, default=repr, ensure_ascii=False)))
        except RedactionFailed:
            return json.dumps({"level": record.levelname.lower(), "message": "a log line could not be redacted"})


def log_to_stderr(level: str, secrets: Iterable[Secret] = ()) -> None:
    """The only handler of the process. Libraries speak from WARNING on: below, they quote what they carry."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines(secrets))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for chatty in (
        "httpx2",
        "httpcore2",
        "anthropic",
        "slack_bolt",
        "slack_sdk",
        "autoheal.bolt",
        "aiosqlite",
        "asyncio",
        "alembic",
        "apscheduler",
    ):
        logging.getLogger(chatty).setLevel(logging.WARNING)
