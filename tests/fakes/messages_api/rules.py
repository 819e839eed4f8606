"""What the fake refuses, as far as one request shows it. The rules that need memory are in the server."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import jsonschema
from fakes.messages_api.script import Block, Json, say

VERSION = "2026-10-21"
_FIELDS = {"model", "max_tokens", "messages", "system", "tools", "tool_choice", "thinking", "cache_control", "stream"}
_FIELDS |= {"output_config", "metadata", "stop_sequences", "service_tier", "context_management", "compaction"}
_BLOCK_FIELDS = {
    "text": {"type", "text", "citations", "cache_control"},
    "tool_result": {"type", "tool_use_id", "content", "is_error", "cache_control"},
    "image": {"type", "source", "cache_control"},
    "document": {"type", "source", "title", "context", "citations", "cache_control"},
}
_TOOL_NAME = re.compile(r"^[a-zA-Z0-9_-]{1,128}$")


class Refused(Exception):
    """A request that breaks a rule."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


def check_headers(headers: Mapping[str, str], api_key: str) -> None:
    if headers.get("authorization") != f"Bearer {api_key}":
        raise Refused(401, "invalid bearer token")
    if headers.get("anthropic-version") != VERSION:
        raise Refused(400, f"anthropic-version: {VERSION} is required")


def parse(raw: bytes) -> Json:
    try:
        body = json.loads(raw)
    except ValueError:
        raise Refused(400, "the body is not JSON") from None
    return dict(_of(body, dict, "body"))


def lenient(raw: bytes) -> Json:
    """For the log: a body that is no JSON object is kept as text."""
    try:
        return parse(raw)
    except Refused:
        return {"raw": raw.decode(errors="replace")} if raw else {}


def _of(value: Any, kind: type | tuple[type, ...], where: str) -> Any:
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is int):
        raise Refused(400, f"{where}: wrong type")
    return value


def check_request(body: Json, models: Sequence[str]) -> None:
    """Raises Refused for whatever needs no memory to see."""
    for name in ("temperature", "top_p", "top_k"):
        if name in body:
            raise Refused(400, f"{name}: sampling parameters are not supported by this model")
    for name in ("model", "max_tokens", "messages"):
        if name not in body:
            raise Refused(400, f"{name}: Field required")
    if unknown := set(body) - _FIELDS:
        raise Refused(400, f"{min(unknown)}: Extra inputs are not permitted")
    if body["model"] not in models:
        raise Refused(404, f"model: {body['model']}")
    if not 1 <= _of(body["max_tokens"], int, "max_tokens") <= 128_000:
        raise Refused(400, "max_tokens: must be between 1 and 128000")
    if body.get("stream") is not True:
        raise Refused(400, "stream: this stand-in only streams")
    if body.get("thinking", {"type": "adaptive"}).get("type") != "adaptive":
        raise Refused(400, "thinking.type: only adaptive thinking is supported by this model")
    if body.get("tool_choice", {}).get("type") in ("any", "tool"):
        raise Refused(400, "tool_choice: forced tool use is not supported by this model")
    if body.get("cache_control", {"type": "ephemeral"}).get("type") != "ephemeral":
        raise Refused(400, "cache_control.type: must be ephemeral")
    _of(body.get("system", ""), (str, list), "system")
    _check_tools(_of(body.get("tools", []), list, "tools"))
    _check_messages(_of(body["messages"], list, "messages"))


def _check_tools(tools: list[Any]) -> None:
    names: set[str] = set()
    for index, tool in enumerate(tools):
        where = f"tools.{index}"
        name = _of(_of(tool, dict, where).get("name"), str, f"{where}.name")
        if not _TOOL_NAME.match(name) or name in names:
            raise Refused(400, f"{where}.name: must be unique and match {_TOOL_NAME.pattern}")
        names.add(name)
        if extra := set(tool) - {"name", "description", "input_schema", "strict", "cache_control", "type"}:
            raise Refused(400, f"{where}.{min(extra)}: Extra inputs are not permitted")
        _of(tool.get("description", ""), str, f"{where}.description")
        schema = _of(tool.get("input_schema"), dict, f"{where}.input_schema")
        if schema.get("type") != "object" or {"oneOf", "allOf", "anyOf"} & set(schema):
            raise Refused(400, f"{where}.input_schema: must be a plain object schema at the top level")
        try:
            jsonschema.Draft202012Validator.check_schema(schema)
        except jsonschema.SchemaError as exc:
            raise Refused(400, f"{where}.input_schema: {exc.message}") from exc


def _check_messages(messages: list[Any]) -> None:
    if not messages:
        raise Refused(400, "messages: at least one message is required")
    open_calls: list[str] = []
    before: str | None = None
    for index, message in enumerate(messages):
        where = f"messages.{index}"
        role = _of(message, dict, where).get("role")
        content = _of(message.get("content"), (str, list), f"{where}.content")
        if role not in ("user", "assistant", "system") or set(message) - {"role", "content"}:
            raise Refused(400, f"{where}: role and content are wanted, and nothing else")
        if not content:
            raise Refused(400, f"{where}: content must be non-empty")
        if before is None and role != "user":
            raise Refused(400, f"{where}: the first message must use the user role")
        if role == "system" and before == "assistant":
            raise Refused(400, f"{where}: a system message must follow a user message")
        if role == "user" and before == "system":
            raise Refused(400, f"{where}: a system message must be last or be followed by an assistant message")
        blocks = [say(content)] if isinstance(content, str) else content
        if role != "assistant":
            _check_input_blocks(blocks, where)
            _check_pairing(blocks, open_calls, index)
        open_calls = [block["id"] for block in blocks if block["type"] == "tool_use"]
        before = role
    if open_calls:
        raise Refused(400, f"messages.{len(messages) - 1}: {_unanswered(open_calls)}")


def _check_input_blocks(blocks: list[Any], where: str) -> None:
    for index, block in enumerate(blocks):
        kind = _of(block, dict, f"{where}.content.{index}").get("type")
        if kind not in _BLOCK_FIELDS or set(block) - _BLOCK_FIELDS[kind]:
            raise Refused(400, f"{where}.content.{index}: unknown block or extra inputs")
        if kind == "text" and not _of(block.get("text"), str, f"{where}.content.{index}.text").strip():
            raise Refused(400, f"{where}.content.{index}: text content blocks must be non-empty")
        if kind == "tool_result":
            content = _of(block.get("content", ""), (str, list), f"{where}.content.{index}.content")
            _of(block.get("is_error", False), bool, f"{where}.content.{index}.is_error")
            if isinstance(content, list):
                _check_input_blocks(content, f"{where}.content.{index}")


def _check_pairing(blocks: list[Block], open_calls: list[str], index: int) -> None:
    answered = [block.get("tool_use_id") for block in blocks if block["type"] == "tool_result"]
    if unanswered := [call_id for call_id in open_calls if call_id not in answered]:
        raise Refused(400, f"messages.{index - 1}: {_unanswered(unanswered)}")
    if len(set(answered)) != len(answered) or set(answered) - set(open_calls):
        raise Refused(400, f"messages.{index}: unexpected or repeated `tool_use_id` in `tool_result` blocks")
    if any(block["type"] == "tool_result" for block in blocks[len(answered) :]):
        raise Refused(400, f"messages.{index}: `tool_result` blocks must come first in their message")


def _unanswered(ids: list[str]) -> str:
    return f"`tool_use` ids without `tool_result` blocks immediately after: {', '.join(ids)}"
