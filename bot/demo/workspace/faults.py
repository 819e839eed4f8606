"""Faults on demand: what Slack does to apps on a bad day."""

from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(kw_only=True)
class ApiFault:
    """How the next requests to one method go wrong."""

    times: int
    error: str = ""
    retry_after: int | None = None
    lose_response: bool = False


@dataclass(kw_only=True)
class Faults:
    """`workspace.faults`; each fault counts itself down, so that the app recovers after it."""

    close_connections: Callable[[], None]
    end_streams: Callable[[], None]
    _api: dict[str, list[ApiFault]] = field(default_factory=dict)
    _slow: dict[str, float] = field(default_factory=dict)
    _doubled: int = 0

    def rate_limit(self, method: str, times: int = 1, retry_after: int = 1) -> None:
        """Answer the next `times` requests with 429 and `Retry-After: retry_after` seconds."""
        self._api.setdefault(method, []).append(ApiFault(times=times, error="ratelimited", retry_after=retry_after))

    def fail(self, method: str, error: str, times: int = 1) -> None:
        """Answer the next `times` requests with Slack's error code and do nothing."""
        self._api.setdefault(method, []).append(ApiFault(times=times, error=error))

    def take_all(self, method: str) -> None:
        """From here on the method works again."""
        self._api.pop(method, None)

    def lose_response(self, method: str, times: int = 1) -> None:
        """Do what the next `times` requests ask, then cut the connection before the answer."""
        self._api.setdefault(method, []).append(ApiFault(times=times, lose_response=True))

    def slow(self, method: str, seconds: float) -> None:
        """Delay every answer of a method by `seconds` of the workspace's clock; 0 ends it."""
        self._slow[method] = seconds

    def expire_streams(self) -> None:
        """End all running streams, as Slack does after 5 minutes."""
        self.end_streams()

    def deliver_twice(self, times: int = 1) -> None:
        """Send each of the next `times` events a second time under the same event_id, although it was acknowledged."""
        self._doubled += times

    def drop_connection(self) -> None:
        """Cut all Socket Mode connections without a goodbye."""
        self.close_connections()

    def take(self, method: str) -> ApiFault | None:
        """The fault for this request, used up."""
        waiting = self._api.get(method, [])
        while waiting:
            fault = waiting[0]
            fault.times -= 1
            if fault.times <= 0:
                waiting.pop(0)
            return fault
        return None

    def delay(self, method: str) -> float:
        return self._slow.get(method, 0.0)

    def take_double(self) -> bool:
        if self._doubled <= 0:
            return False
        self._doubled -= 1
        return True
