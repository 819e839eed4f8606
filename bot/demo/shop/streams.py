"""JSON lines between the shop's processes, over standard input and output."""

import asyncio
import json
import sys
from typing import Any


async def standard_input() -> asyncio.StreamReader:
    """Standard input as a stream; it ends when the parent closes it or dies."""
    reader = asyncio.StreamReader(limit=2**20)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    return reader


def say(value: object) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


async def next_value(reader: asyncio.StreamReader) -> dict[str, Any] | None:
    """The next line's object, or None at the end."""
    line = await reader.readline()
    if not line:
        return None
    value: dict[str, Any] = json.loads(line)
    return value


def put(writer: asyncio.StreamWriter | None, value: object) -> None:
    if writer is not None:
        writer.write(json.dumps(value).encode() + b"\n")
