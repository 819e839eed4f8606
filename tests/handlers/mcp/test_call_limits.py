"""So many calls within a time, each token for itself."""

from datetime import timedelta

from handlers.mcp.call_limits import CallLimits
from tests.conftest import Clock

MINUTE = timedelta(minutes=1)


def test_what_is_over_the_limit_waits_until_the_oldest_call_is_past() -> None:
    clock = Clock()
    limits = CallLimits(clock)

    def wait(token: str = "one", what: str = "x") -> int:
        return limits.wait_s(token, what, most=2, within=MINUTE)

    assert (wait(), wait()) == (0, 0)
    clock.advance(timedelta(seconds=20))
    assert (wait(), wait("two"), wait(what="y")) == (40, 0, 0)
    clock.advance(timedelta(seconds=40))
    assert wait() == 0
