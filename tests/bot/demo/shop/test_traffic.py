"""Judging by what customers got."""

from bot.demo.shop.traffic import Traffic, is_healed, is_sick


class Hand:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def fed(seconds: float, failing_every: int = 0) -> Traffic:
    clock = Hand()
    traffic = Traffic(clock)
    for number in range(100):
        clock.now += 0.1
        failed = failing_every and number % failing_every == 0
        traffic.note("/checkout", 500 if failed else 200, seconds)
        traffic.note("/search", 200, 0.003)
    return traffic


def test_errors_of_a_tenth_of_the_requests_are_sick_and_not_well() -> None:
    healthy = fed(0.15).sample(("/checkout",), 0)
    now = fed(0.15, failing_every=10).sample(("/checkout",), 0)
    assert now.error_rate == 0.1
    assert is_sick(now, healthy)
    assert not is_healed(now, now, healthy)


def test_one_slow_kind_shows_among_quick_ones() -> None:
    kinds = ("/checkout", "/search")
    healthy, slow = fed(0.15).sample(kinds, 0), fed(0.25).sample(kinds, 0)
    assert is_sick(slow, healthy)
    assert not is_healed(slow, slow, healthy)
    assert is_healed(fed(0.17).sample(kinds, 0), slow, healthy)


def test_latency_counts_only_where_customers_noticed_it() -> None:
    kinds = ("/checkout",)
    healthy, failing = fed(0.15).sample(kinds, 0), fed(0.15, failing_every=2).sample(kinds, 0)
    assert is_healed(fed(0.5).sample(kinds, 0), failing, healthy)


def test_no_traffic_is_neither_sick_nor_healed() -> None:
    healthy = fed(0.15).sample(("/checkout",), 0)
    nothing = fed(0.15).sample(("/checkout",), 500)
    assert not is_sick(nothing, healthy)
    assert not is_healed(nothing, nothing, healthy)


def test_only_the_asked_time_and_kinds_count() -> None:
    traffic = fed(0.15)
    assert traffic.sample(("/search",), 105.0, 107.0).requests == 20


def test_request_without_an_answer_is_an_error() -> None:
    traffic = Traffic(Hand())
    traffic.note("/checkout", 0, 5.0)
    assert traffic.sample(("/checkout",), 0).error_rate == 1.0
