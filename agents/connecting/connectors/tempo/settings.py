"""What connecting a Tempo asks of people, and the arguments of its tools."""

from __future__ import annotations

from typing import Final

from pydantic import Field, HttpUrl

from agents.connecting.certificates import OWN_AUTHORITY
from agents.connecting.connector import ConnectorConfig
from agents.connecting.connectors.loki.settings import TENANT, TENANT_FIELD
from agents.connecting.fields import HTTP_LOGIN, HTTP_LOGIN_WAYS, Form
from agents.connecting.fields import Field as Asked
from agents.tool import Arguments, Moment


class TempoConfig(ConnectorConfig):
    """At most `limit` traces are read at a time, a sample spread over the window, from answers of `max_bytes`."""

    url: HttpUrl
    tenant: str = Field(default="", pattern=rf"^({TENANT})?$")
    certificate_authority: str = ""
    limit: int = Field(default=300, ge=10, le=5_000)
    max_bytes: int = Field(default=64_000_000, ge=100_000, le=1_000_000_000)
    max_spans: int = Field(default=100_000, ge=1_000, le=1_000_000)


FORM: Final = Form(
    fields=(
        Asked(
            name="url",
            label="Address",
            help="Of Tempo itself or of its gateway, without /api; a prefix belongs to it.",
            example="https://tempo.example.com",
            required=True,
            pattern=r"https?://\S+",
        ),
        TENANT_FIELD,
        OWN_AUTHORITY,
        *HTTP_LOGIN,
    ),
    ways=HTTP_LOGIN_WAYS,
    open=True,
)


class SearchTraces(Arguments):
    service: str = Field(description="A declared service.")
    where: str = Field(
        default="",
        max_length=500,
        description="TraceQL conditions on its spans, as between braces, e.g. "
        'status = error && duration > 200ms && span.http.route = "/cart". No patterns.',
    )
    minutes: int = Field(default=15, ge=1, le=1440, description="How far back from now, or from `end`.")
    end: Moment | None = Field(default=None, description="With time zone; now when left out.")
    limit: int = Field(default=20, ge=1, le=50, description="How many traces at most.")


class ReadTempoTrace(Arguments):
    trace: str = Field(pattern=r"^[0-9a-fA-F]{1,32}$", description="A trace id as the trace tools print it.")
