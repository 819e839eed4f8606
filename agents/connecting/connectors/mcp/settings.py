"""What connecting a server of the Model Context Protocol asks of people, and what is remembered of its tools."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, HttpUrl, model_validator

from agents.connecting.connector import ConnectorConfig
from agents.connecting.fields import Field as Asked
from agents.connecting.fields import Form, Way

LISTING_S: Final = 7.0
STARTING_S: Final = 20.0  # a program has to start first
CALL_S: Final = 30.0
"""A whole visit, from the first word to the last."""


class PinnedTool(BaseModel):
    """A tool as a person accepted it. `description` and `arguments` are cleaned and cut; `fingerprint` is of all that
    the server said of it. `arguments` is a JSON schema.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    fingerprint: str
    description: str
    arguments: dict[str, Any]


class McpConfig(ConnectorConfig):
    """`read` are tools that may be called while something is investigated, `write` those that may be proposed. `pinned`
    is written by code when a person connects the server or accepts a change.
    """

    url: HttpUrl
    read: tuple[str, ...] = ()
    write: tuple[str, ...] = ()
    api_key_header: str = Field(default="X-API-Key", pattern=r"^[A-Za-z0-9-]{1,100}$")
    pinned: Mapping[str, PinnedTool] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _one_list_each(self) -> McpConfig:
        if both := sorted(set(self.read) & set(self.write)):
            raise ValueError(f"{both[0]} stands in both lists: a tool either reads or writes")
        return self


FORM: Final = Form(
    fields=(
        Asked(
            name="url",
            label="Address",
            help="Where the server speaks MCP over streamable HTTP, often ending in /mcp.",
            example="https://tools.example.com/mcp",
            required=True,
            pattern=r"https?://\S+",
        ),
        Asked(
            name="read",
            label="Read tools",
            help="Tools that only read, one a line. Leave both lists empty to be told what there is.",
            example="search_runbooks",
            kind="lines",
            long=True,
        ),
        Asked(
            name="write",
            label="Write tools",
            help="Tools that change something: each call is proposed, and done once a person approved it.",
            example="create_ticket",
            kind="lines",
            long=True,
        ),
        Asked(name="token", label="Bearer token", help="Where it asks for one.", secret=True),
        Asked(name="api_key", label="API key", help="Where it asks for a key in a header of its own.", secret=True),
        Asked(
            name="api_key_header",
            label="Header of the API key",
            help="Only with an API key; X-API-Key when left empty.",
            example="X-API-Key",
            pattern=r"[A-Za-z0-9-]{1,100}",
        ),
        Asked(name="username", label="User name", help="Only where it asks for one.", credential=True),
        Asked(name="password", label="Password", help="Of that user.", secret=True),
    ),
    ways=(
        Way(title="Bearer token", fields=("token",)),
        Way(title="API key", fields=("api_key",)),
        Way(title="User name and password", fields=("username", "password")),
    ),
    open=True,
)
