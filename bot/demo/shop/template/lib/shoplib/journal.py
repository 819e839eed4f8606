"""An append-only file of what the service was asked to do, one JSON line each. Each start begins a new file."""

import json
import os
import threading


class Journal:
    def __init__(self, folder, metrics):
        self.path = os.path.join(folder, "journal.ndjson")
        if os.path.exists(self.path):
            os.replace(self.path, f"{self.path}.1")
        self.file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self.lock = threading.Lock()
        self.metrics = metrics
        metrics.count("journal_write_errors_total", 0)
        metrics.gauge("journal_file_bytes", lambda: os.fstat(self.file).st_size)

    def append(self, entry):
        """Writes one entry. Raises OSError when it cannot be written whole."""
        content = (json.dumps(entry) + "\n").encode()
        try:
            with self.lock:
                while content:
                    content = content[os.write(self.file, content) :]
        except OSError as failure:
            self.metrics.count("journal_write_errors_total")
            raise OSError(failure.errno, failure.strerror, os.path.basename(self.path)) from None
