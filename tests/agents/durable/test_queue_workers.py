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


def test_what_ended_is_waited_for_until_its_place_is_free() -> None:
    ended = [True, True, True]
    bell = Bell(lambda: bool(ended and ended.pop()))
    bell.ring()
    assert bell.wait(LONG_S) is False
    assert ended == []


def test_who_was_not_free_yet_is_looked_for_again_soon() -> None:
    bell = Bell(lambda: True)
    bell.ring()
    bell.wait(LONG_S)
    began = time.monotonic()
    assert bell.wait(LONG_S) is False
    assert time.monotonic() - began < LONG_S / 2
