"""One JSON object per line, in the service's own file; the file is renamed when it has grown large."""

import json
import os
import threading
import time
from datetime import datetime, timezone

LARGEST_FILE = 8_000_000
trace = threading.local()


class Log:
    def __init__(self, path, service):
        self.path, self.service = path, service
        self.lock = threading.Lock()
        self.stream = open(path, "a", encoding="utf-8", buffering=1)

    def write(self, level, message, **fields):
        now = datetime.fromtimestamp(time.time(), timezone.utc).isoformat(timespec="milliseconds")
        entry = {
            "time": now.replace("+00:00", "Z"),
            "level": level,
            "service": self.service,
            "message": message,
            "trace_id": getattr(trace, "id", ""),
            **fields,
        }
        line = json.dumps(entry, ensure_ascii=False) + "\n"
        with self.lock:
            if self.stream.tell() > LARGEST_FILE:
                self.stream.close()
                os.replace(self.path, f"{self.path}.1")
                self.stream = open(self.path, "a", encoding="utf-8", buffering=1)
            self.stream.write(line)

    def info(self, message, **fields):
        self.write("INFO", message, **fields)

    def warning(self, message, **fields):
        self.write("WARNING", message, **fields)

    def error(self, message, **fields):
        self.write("ERROR", message, **fields)

    def critical(self, message, **fields):
        self.write("CRITICAL", message, **fields)
