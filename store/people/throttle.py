"""Slows down whoever guesses passwords: by account and by address, with a delay that grows and then stays.

Nobody is locked out for ever: an account waits a minute at most, and a person who signed in from an address before is
not made to wait for strangers' guesses. Kept in this process's memory: a restart forgets, several replicas count apart.
"""

import ipaddress
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

FORGOTTEN_AFTER: Final = timedelta(hours=1)
_MOST_REMEMBERED: Final = 50_000


@dataclass(frozen=True, kw_only=True)
class Limit:
    """`free` attempts, then a delay from one second that doubles up to `longest`."""

    free: int
    longest: timedelta

    def delay(self, attempts: int) -> timedelta:
        over = attempts - self.free
        return timedelta(0) if over < 0 else min(timedelta(seconds=2 ** min(over, 30)), self.longest)


PER_ACCOUNT: Final = Limit(free=5, longest=timedelta(minutes=1))
PER_ADDRESS: Final = Limit(free=20, longest=timedelta(minutes=15))


@dataclass(kw_only=True)
class _Count:
    attempts: int
    last: datetime


class Throttle:
    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._counts: OrderedDict[str, _Count] = OrderedDict()
        self._proven: OrderedDict[tuple[str, str], None] = OrderedDict()

    def admit(self, account: str, ip: str) -> timedelta:
        """Zero: try, and it counts as failed until `succeeded`. Else how long to wait; waiting tries are not counted.

        `account` is the blind index of what was typed, whether it exists or not.
        """
        keys = self._keys(account, ip)
        wait = max(self._wait(key, limit) for key, limit in keys)
        if wait > timedelta(0):
            return wait
        for key, _ in keys:
            self._count(key)
        return timedelta(0)

    def succeeded(self, account: str, ip: str) -> None:
        """Takes back what `admit` counted, and all earlier failures of the account."""
        account_key, address_key = (key for key, _ in self._keys(account, ip))
        self._counts.pop(account_key, None)
        if (count := self._counts.get(address_key)) is not None:
            count.attempts -= 1
        self._proven[(account, network(ip))] = None
        self._bound()

    def _keys(self, account: str, ip: str) -> tuple[tuple[str, Limit], tuple[str, Limit]]:
        address = network(ip)
        own = f"{account} from {address}" if (account, address) in self._proven else account
        return (own, PER_ACCOUNT), (address, PER_ADDRESS)

    def _wait(self, key: str, limit: Limit) -> timedelta:
        count = self._counts.get(key)
        if count is None:
            return timedelta(0)
        passed = self._clock() - count.last
        if passed >= FORGOTTEN_AFTER:
            del self._counts[key]
            return timedelta(0)
        return max(timedelta(0), limit.delay(count.attempts) - passed)

    def _count(self, key: str) -> None:
        count = self._counts.setdefault(key, _Count(attempts=0, last=self._clock()))
        count.attempts += 1
        count.last = self._clock()
        self._counts.move_to_end(key)
        self._bound()

    def _bound(self) -> None:
        for memory in (self._counts, self._proven):
            while len(memory) > _MOST_REMEMBERED:
                memory.popitem(last=False)


def network(ip: str) -> str:
    """The address as far as one person holds it: all of IPv4, 64 bits of IPv6."""
    try:
        address = ipaddress.ip_address(ip.partition("%")[0])
    except ValueError:
        return "unknown"
    if isinstance(address, ipaddress.IPv6Address):
        mapped = address.ipv4_mapped
        return str(mapped) if mapped else str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)
