"""Jobs for the evidence workers, in a module that is imported in no time there."""

import os
import time
from pathlib import Path

swollen: list[bytearray] = []


def pid() -> int:
    return os.getpid()


def sleep(seconds: float) -> int:
    time.sleep(seconds)
    return os.getpid()


def spin(_: float) -> None:
    while True:
        pass


def die() -> None:
    os._exit(1)


def die_once(mark: str) -> str:
    if not Path(mark).exists():
        write(mark)
        os._exit(1)
    return "done"


def fail() -> None:
    raise ValueError("no such series")


def write(path: str) -> None:
    Path(path).write_text("begun", encoding="utf-8")


def swell(size: int) -> int:
    swollen.append(bytearray(b"x" * size))
    return os.getpid()


def nothing(_: object) -> None:
    """Takes anything."""


def environment() -> bytes:
    return Path("/proc/self/environ").read_bytes()


class Odd(Exception):
    """One that cannot be made again from what is written of it."""

    def __init__(self, *, code: int) -> None:
        super().__init__(f"code {code}")


def fail_oddly() -> None:
    raise Odd(code=7)
