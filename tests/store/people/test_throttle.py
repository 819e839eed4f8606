"""Guessing slows down and stays slow; nobody is locked out for ever."""

from datetime import timedelta
from typing import Any

from store.people.throttle import FORGOTTEN_AFTER, PER_ACCOUNT, PER_ADDRESS, Throttle, network

NONE = timedelta(0)


def fail(throttle: Throttle, clock: Any, times: int, account: str = "mia", ip: str = "198.51.100.1") -> timedelta:
    """Tries as often, waiting as told; the last wait."""
    wait = NONE
    for _ in range(times):
        wait = throttle.admit(account, ip)
        clock.advance(wait)
        if wait:
            assert throttle.admit(account, ip) == NONE
    return wait


def test_the_delay_grows_to_a_minute_and_no_further(clock: Any) -> None:
    throttle = Throttle(clock)
    assert fail(throttle, clock, 5) == NONE
    assert [fail(throttle, clock, 1).total_seconds() for _ in range(8)] == [1, 2, 4, 8, 16, 32, 60, 60]


def test_a_try_while_waiting_makes_the_wait_no_longer(clock: Any) -> None:
    throttle = Throttle(clock)
    fail(throttle, clock, 8)
    waits = [throttle.admit("mia", "198.51.100.1") for _ in range(100)]
    assert set(waits) == {timedelta(seconds=8)}


def test_an_address_that_tries_many_accounts_waits_up_to_a_quarter_of_an_hour(clock: Any) -> None:
    throttle = Throttle(clock)
    for number in range(PER_ADDRESS.free):
        assert throttle.admit(f"account {number}", "198.51.100.1") == NONE
    wait = NONE
    for number in range(30):
        wait = throttle.admit(f"account {number}", "198.51.100.1")
        clock.advance(wait)
        throttle.admit(f"another {number}", "198.51.100.1")
    assert wait == PER_ADDRESS.longest
    assert throttle.admit("account 1", "198.51.100.2") == NONE


def test_strangers_cannot_keep_out_a_person_at_an_address_they_signed_in_from(clock: Any) -> None:
    throttle = Throttle(clock)
    assert throttle.admit("mia", "203.0.113.7") == NONE
    throttle.succeeded("mia", "203.0.113.7")
    for number in range(30):
        throttle.admit("mia", f"198.51.100.{number}")
    assert throttle.admit("mia", "198.51.100.99") > NONE
    assert throttle.admit("mia", "203.0.113.7") == NONE


def test_success_and_time_forget(clock: Any) -> None:
    throttle = Throttle(clock)
    fail(throttle, clock, 5)
    throttle.succeeded("mia", "198.51.100.1")
    assert throttle.admit("mia", "198.51.100.1") == NONE
    fail(throttle, clock, 12, account="raj")
    clock.advance(FORGOTTEN_AFTER)
    assert fail(throttle, clock, PER_ACCOUNT.free, account="raj") == NONE


def test_one_holder_of_an_ipv6_network_is_one_address() -> None:
    assert network("2001:db8:1:2:3::4") == network("2001:db8:1:2::9") != network("2001:db8:1:3::9")
    assert network("::ffff:203.0.113.7") == "203.0.113.7"
    assert network("not an address") == "unknown"
