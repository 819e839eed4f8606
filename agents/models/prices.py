"""What Claude costs: data with its date, in one place.

Rates are US dollars per million tokens at the standard tier; a cache write here is the five-minute one, the only kind
that `claude_model.py` asks for. Sonnet 5.5's cache reads have cost $0.10 since 2026-10-07.
Source: https://platform.claude.com/docs/en/about-claude/pricing
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from agents.models.model import Usage

AS_OF = date(2026, 10, 24)
_MILLION = 1_000_000


@dataclass(frozen=True, kw_only=True)
class Rates:
    """US dollars per million tokens."""

    input: float
    output: float
    cache_write: float
    cache_read: float


@dataclass(frozen=True, kw_only=True)
class Price:
    """`long` holds for every token of a request whose prompt, cached parts included, exceeds `long_above`."""

    rates: Rates
    long_above: int | None = None
    long: Rates | None = None

    def for_prompt(self, total_input: int) -> Rates:
        if self.long is not None and self.long_above is not None and total_input > self.long_above:
            return self.long
        return self.rates


PRICES: dict[str, Price] = {
    "claude-opus-5-5": Price(rates=Rates(input=4.0, output=20.0, cache_write=5.0, cache_read=0.20)),
    "claude-sonnet-5-5": Price(rates=Rates(input=2.0, output=10.0, cache_write=2.5, cache_read=0.10)),
    "claude-haiku-5-5": Price(
        rates=Rates(input=0.10, output=0.50, cache_write=0.125, cache_read=0.01),
        long_above=100_000,
        long=Rates(input=0.50, output=2.50, cache_write=0.625, cache_read=0.05),
    ),
}


def price_of(model: str) -> Price:
    """Raises ValueError that lists the models with a known price: without one no budget could hold."""
    try:
        return PRICES[model]
    except KeyError:
        raise ValueError(f"no price is known for {model!r}; choose one of {', '.join(sorted(PRICES))}") from None


def cost_usd(model: str, usage: Usage) -> float:
    """US dollars of one request. Raises ValueError for a model without a price."""
    rates = price_of(model).for_prompt(usage.total_input)
    return (
        usage.input * rates.input
        + usage.output * rates.output
        + usage.cache_write * rates.cache_write
        + usage.cache_read * rates.cache_read
    ) / _MILLION
