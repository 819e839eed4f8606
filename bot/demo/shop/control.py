"""How commands reach the supervisor: one JSON line each way over the Unix socket `control.sock` in the shop's folder.

The caller works from that folder, because the path of a Unix socket may have only about 100 bytes.
"""

import asyncio
import json
import os
import socket
from pathlib import Path
from typing import Any

SOCKET = "control.sock"


class ControlError(Exception):
    """The supervisor is not there, or refused. `code` is the exit code of a command line: 2 for a wrong request."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


def read_answer(line: bytes) -> dict[str, Any]:
    if not line:
        raise ControlError("the shop's supervisor ended before it answered", 1)
    answer: dict[str, Any] = json.loads(line)
    if "error" in answer:
        raise ControlError(str(answer["error"]), int(answer["code"]))
    return answer


def ask(home: Path, request: dict[str, object], *, timeout_s: float = 90.0) -> dict[str, Any]:
    """Changes the working folder of the process; for command lines."""
    try:
        os.chdir(home)
        with socket.socket(socket.AF_UNIX) as link:
            link.settimeout(timeout_s)
            link.connect(SOCKET)
            link.sendall(json.dumps(request).encode() + b"\n")
            with link.makefile("rb") as stream:
                return read_answer(stream.readline())
    except OSError as failure:
        raise ControlError(f"no shop is running in {home} ({failure.strerror or failure})", 1) from failure


async def ask_async(request: dict[str, object], home: Path = Path()) -> dict[str, Any]:
    """For a process whose working folder is the shop's, or that can name it in a short path."""
    try:
        reader, writer = await asyncio.open_unix_connection(home / SOCKET)
    except OSError as failure:
        raise ControlError(f"the shop's supervisor is gone ({failure})", 1) from failure
    try:
        writer.write(json.dumps(request).encode() + b"\n")
        return read_answer(await reader.readline())
    finally:
        writer.close()
