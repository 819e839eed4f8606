"""Collects what is wrong with a payload, each with a JSON pointer, and holds the few checks that all blocks share."""

from collections.abc import Collection
from typing import Any

from bot.demo.workspace.model import Json

TEXT_TYPES = ("plain_text", "mrkdwn")


class Problems:
    def __init__(self) -> None:
        self.messages: list[str] = []

    def add(self, pointer: str, message: str) -> None:
        self.messages.append(f"[ERROR] {message} [json-pointer:{pointer}]")

    def keys(self, item: Json, pointer: str, *, required: Collection[str] = (), optional: Collection[str] = ()) -> bool:
        """Refuse unknown keys and missing ones. True when nothing required is missing."""
        for key in item:
            if key not in required and key not in optional and key != "type":
                self.add(pointer, f"invalid additional property: {key}")
        missing = [key for key in required if key not in item]
        for key in missing:
            self.add(pointer, f"missing required field: {key}")
        return not missing

    def string(self, value: Any, pointer: str, *, limit: int, least: int = 1) -> None:
        if not isinstance(value, str):
            self.add(pointer, "must be a string")
        elif len(value) < least:
            self.add(pointer, f"must be more than {least - 1} characters")
        elif len(value) > limit:
            self.add(pointer, f"must be less than {limit + 1} characters")

    def items(self, value: Any, pointer: str, *, limit: int, least: int = 1) -> list[Any]:
        """The list's items to look into; an empty list when it is no list at all."""
        if not isinstance(value, list):
            self.add(pointer, "must be an array")
            return []
        if len(value) < least:
            self.add(pointer, f"must have at least {least} items")
        if len(value) > limit:
            self.add(pointer, f"no more than {limit} items allowed")
        return value

    def text(self, value: Any, pointer: str, *, limit: int, kinds: Collection[str] = TEXT_TYPES) -> None:
        """A text object: `{"type": "plain_text" | "mrkdwn", "text": ...}`."""
        if not isinstance(value, dict) or value.get("type") not in kinds:
            self.add(pointer, f"must be a text object of type {' or '.join(sorted(kinds))}")
            return
        extra = ("emoji",) if value["type"] == "plain_text" else ("verbatim",)
        if self.keys(value, pointer, required=("text",), optional=extra):
            self.string(value["text"], f"{pointer}/text", limit=limit)

    def plain(self, value: Any, pointer: str, *, limit: int) -> None:
        self.text(value, pointer, limit=limit, kinds=("plain_text",))

    def choice(self, value: Any, pointer: str, choices: Collection[str]) -> None:
        if value not in choices:
            self.add(pointer, f"must be one of {', '.join(sorted(choices))}")

    def url(self, value: Any, pointer: str) -> None:
        self.string(value, pointer, limit=3000)
        if isinstance(value, str) and not value.startswith(("https://", "http://")):
            self.add(pointer, "must be a valid URL")
