"""The stop event that wakes a queue's worker."""

import threading
import time

from agents.durable.queue_workers import Bell

LONG_S = 60.0


def _waits(bell: Bell) -> tuple[threading.Thread, list[bool]]:
    said: list[bool] = []
    thread = threading.Thread(target=lambda: said.append(bell.wait(LONG_S)))
    thread.start()
    return thread, said


def test_a_ring_ends_the_wait_and_is_no_stop() -> None:
    bell = Bell(lambda: False)
    thread, said = _waits(bell)
    bell.ring()
    thread.join(LONG_S / 2)
    assert said == [False]


def test_a_ring_before_the_wait_is_not_lost_and_counts_once() -> None:
    bell = Bell(lambda: False)
    bell.ring()
    assert bell.wait(LONG_S) is False
    assert bell._rung is False


def test_a_stop_ends_this_wait_and_every_later_one() -> None:
    bell = Bell(lambda: False)
    thread, said = _waits(bell)
    bell.set()
    thread.join(LONG_S / 2)
    assert (said, bell.is_set()) == ([True], True)
    assert bell.wait(LONG_S) is True


def test_who_has_no_room_looks_again_soon() -> None:
    began = time.monotonic()
    assert Bell(lambda: True).wait(LONG_S) is False
    assert time.monotonic() - began < LONG_S / 2


def test_who_had_no_room_looks_once_more_when_there_is_some() -> None:
    full = [True, True, False]
    bell = Bell(lambda: full.pop(0) if full else False)
    began = time.monotonic()
    bell.wait(LONG_S)
    bell.wait(LONG_S)
    assert time.monotonic() - began < LONG_S / 2
