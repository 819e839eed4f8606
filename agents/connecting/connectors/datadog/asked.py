"""What the tools of Datadog take, as the model sees it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from agents.connecting.connectors.datadog.settings import Tier
from agents.tool import Arguments


class OfDatadogService(Arguments):
    service: str = Field(description="A declared service.")


class DatadogEvents(OfDatadogService):
    hours: int = Field(default=24, ge=1, le=336, description="How far back from now.")


class DatadogNames(OfDatadogService):
    contains: str = Field(default="", max_length=100, description="Only metrics whose name contains this.")


class DatadogQuery(OfDatadogService):
    metric: str = Field(
        pattern=r"^[A-Za-z][A-Za-z0-9_.]{0,199}$", description="Exact name, as the list of metrics has it."
    )
    how: Literal["avg", "sum", "max", "min", "p50", "p95", "p99"] = Field(
        default="avg", description="How values of several hosts are put together; quantiles of distributions only."
    )
    by: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z][A-Za-z0-9_.-]{0,60}$",
        description="A tag to split by, such as host or version.",
    )
    minutes: int = Field(default=30, ge=1, le=10_080, description="How far back from now.")


class DatadogLogs(OfDatadogService):
    contains: str = Field(default="", max_length=200, description="Only lines with these words, to the letter.")
    level: Literal["", "error", "warn", "info", "debug"] = Field(default="", description="Only lines of this status.")
    minutes: int = Field(default=15, ge=1, le=1440, description="How far back from now.")
    tier: Tier | None = Field(default=None, description="Where to look, if not in the usual tier.")
    limit: int = Field(default=50, ge=1, le=200, description="How many lines at most, newest first.")


class DatadogSpans(OfDatadogService):
    minutes: int = Field(default=15, ge=1, le=1440, description="How far back from now.")
    failed: bool = Field(default=False, description="Only requests in which a span of the service failed.")
    min_ms: int = Field(
        default=0, ge=0, le=86_400_000, description="Only with a span of the service at least this long."
    )
    limit: int = Field(default=20, ge=1, le=100, description="How many requests at most.")


class DatadogTrace(Arguments):
    trace: str = Field(pattern=r"^[0-9a-fA-F]{1,32}$", description="A trace id as the other tool prints it.")
    hours: int = Field(default=4, ge=1, le=336, description="How long ago it was at most.")
