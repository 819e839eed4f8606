"""A foreign tool as one of ours: its arguments are described by a schema from outside, not by a model class."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import Field

from agents.errors import BadArguments
from agents.tool import Arguments, JsonValue, Tool


class ForeignArguments(Arguments):
    """What is sent to the server, which judges the values itself."""

    values: dict[str, Any] = Field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class ForeignTool(Tool):
    """`input_schema` is what is left of the server's own."""

    input_schema: Mapping[str, Any]

    def schema(self) -> dict[str, JsonValue]:
        return {"name": self.name, "description": self.description, "input_schema": dict(self.input_schema)}

    def mended(self, raw: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
        return dict(raw)

    def parse(self, raw: Mapping[str, JsonValue]) -> ForeignArguments:
        """Names are checked here, values by the server. Raises BadArguments."""
        known = self.input_schema.get("properties") or {}
        unknown = sorted(set(raw) - set(known))
        if unknown and not self.input_schema.get("additionalProperties"):
            raise BadArguments(f"{self.name}: {unknown[0]} is no argument; there are: {', '.join(known) or 'none'}")
        required = self.input_schema.get("required")
        missing = sorted(set(required) - set(raw)) if isinstance(required, list) else []
        if missing:
            raise BadArguments(f"{self.name}: {missing[0]} is missing")
        return ForeignArguments(values=dict(raw))
