"""What may be written down about an unexpected exception: its class and its frames, never its text.

An exception's message can hold a credential or a customer's data; the class and the line where it arose are enough to
find it.
"""

from __future__ import annotations

import logging
import secrets
import traceback


def log_failure(log: logging.Logger, action: str, exc: BaseException, **fields: str) -> str:
    """Log an unexpected exception under a new reference id and answer the id, which people may be shown."""
    reference = secrets.token_hex(4)
    frames = [f"{f.filename.rsplit('/', 1)[-1]}:{f.lineno} {f.name}" for f in traceback.extract_tb(exc.__traceback__)]
    extra = {"action": action, "reference": reference, "kind": type(exc).__name__, "frames": frames[-8:], **fields}
    log.error("%s reference=%s kind=%s at %s", action, reference, extra["kind"], " < ".join(frames[-4:]), extra=extra)
    return reference
