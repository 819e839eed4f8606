"""What the tools of AWS take, as the model sees it."""

from __future__ import annotations

from pydantic import Field

from agents.tool import Arguments


class OfAwsService(Arguments):
    service: str = Field(description="A declared service.")


class AwsHistory(OfAwsService):
    hours: int = Field(default=24, ge=1, le=336, description="How far back from now.")


class AwsMetric(OfAwsService):
    metric: str = Field(
        default="",
        max_length=255,
        pattern=r"^[A-Za-z0-9_.:/ -]*$",
        description="Exact name of a metric; left out: which there are.",
    )
    statistic: str | None = Field(
        default=None,
        pattern=r"^(Average|Sum|Minimum|Maximum|SampleCount|p\d{1,2}(\.\d)?)$",
        description="How a period's values are put together, such as Maximum or p99; the usual one when left out.",
    )
    minutes: int = Field(default=60, ge=5, le=10_080, description="How far back from now.")


class AwsLogs(OfAwsService):
    contains: str = Field(default="", max_length=200, description="Only lines with these words, to the letter.")
    minutes: int = Field(default=15, ge=1, le=360, description="How far back from now.")
    limit: int = Field(default=50, ge=1, le=200, description="How many lines at most, newest first.")
