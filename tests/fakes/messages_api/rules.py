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
_ANSWER_FIELDS = {
    "text": {"type", "text", "citations", "cache_control"},
    "thinking": {"type", "thinking", "signature"},
    "redacted_thinking": {"type", "data"},
    "tool_use": {"type", "id", "name", "input", "caller", "cache_control"},
}
_TOOL_NAME = re.compile(r"^[a-zA-Z0-9_-]{1,128}$")
_CALL_ID = re.compile(r"^[a-zA-Z0-9_-]+$")
_PROPERTY = re.compile(r"^[a-zA-Z0-9_.-]{1,64}$")
_EFFORTS = ("low", "medium", "high", "xhigh", "max")
_MOST_BREAKPOINTS = 4
_MOST_BYTES = 32_000_000
_MOST_MESSAGES = 100_000


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
    if len(raw) > _MOST_BYTES:
        raise Refused(413, "request exceeds the maximum size")
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
    thinking = _of(body.get("thinking", {"type": "adaptive"}), dict, "thinking")
    if thinking.get("type") != "adaptive":
        raise Refused(400, "thinking.type: only adaptive thinking is supported by this model")
    if thinking.get("display", "omitted") not in ("summarized", "omitted") or set(thinking) - {"type", "display"}:
        raise Refused(400, "thinking: display must be summarized or omitted, and nothing else is taken")
    _check_output(_of(body.get("output_config", {}), dict, "output_config"))
    if body.get("tool_choice", {}).get("type") in ("any", "tool"):
        raise Refused(400, "tool_choice: forced tool use is not supported by this model")
    system = _of(body.get("system", ""), (str, list), "system")
    if isinstance(system, list):
        _check_words(system, "system")
    _check_tools(_of(body.get("tools", []), list, "tools"))
    _check_messages(_of(body["messages"], list, "messages"))
    _check_breakpoints(body)


def _check_output(config: Json) -> None:
    if extra := set(config) - {"effort", "format", "task_budget"}:
        raise Refused(400, f"output_config.{min(extra)}: Extra inputs are not permitted")
    if config.get("effort", "high") not in _EFFORTS:
        raise Refused(400, f"output_config.effort: must be one of {', '.join(_EFFORTS)}")


def _check_words(blocks: list[Any], where: str) -> None:
    """Blocks of a system prompt or of a system message: text that says something, and nothing else."""
    for index, block in enumerate(blocks):
        if _of(block, dict, f"{where}.{index}").get("type") != "text":
            raise Refused(400, f"{where}.{index}.type: only text is taken here")
    _check_input_blocks(blocks, where)


def _check_breakpoints(body: Json) -> None:
    """At most four, the one at the top included; longer-lived ones first."""
    found = [("cache_control", body["cache_control"])] if body.get("cache_control") else []
    places: list[tuple[str, Any]] = [(f"tools.{n}", tool) for n, tool in enumerate(body.get("tools") or [])]
    if isinstance(body.get("system"), list):
        places += [(f"system.{n}", block) for n, block in enumerate(body["system"])]
    for n, message in enumerate(body["messages"]):
        if isinstance(message["content"], list):
            places += [(f"messages.{n}.content.{i}", block) for i, block in enumerate(message["content"])]
    found = [(where, block["cache_control"]) for where, block in places if block.get("cache_control")] + found
    if len(found) > _MOST_BREAKPOINTS:
        words = f"A maximum of {_MOST_BREAKPOINTS} blocks with cache_control may be provided. Found {len(found)}."
        raise Refused(400, words)
    was_short = False
    for where, given in found:
        if _of(given, dict, where).get("type") != "ephemeral" or given.get("ttl", "5m") not in ("5m", "1h"):
            raise Refused(400, f"{where}: cache_control must be ephemeral, with a ttl of 5m or 1h")
        if given.get("ttl") == "1h" and was_short:
            raise Refused(400, f"{where}: a ttl of 1h must not come after one of 5m")
        was_short = was_short or given.get("ttl", "5m") == "5m"


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
        if odd := [key for key in schema.get("properties", {}) if not _PROPERTY.match(key)]:
            raise Refused(400, f"{where}.input_schema.properties: keys must match {_PROPERTY.pattern}, not {odd[0]!r}")
        try:
            jsonschema.Draft202012Validator.check_schema(schema)
        except jsonschema.SchemaError as exc:
            raise Refused(400, f"{where}.input_schema: {exc.message}") from exc


def _check_messages(messages: list[Any]) -> None:
    if not 1 <= len(messages) <= _MOST_MESSAGES:
        raise Refused(400, f"messages: at least one message is required, and at most {_MOST_MESSAGES}")
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
        if role == "system" and before == "system":
            raise Refused(400, f"{where}: a system message must not follow another system message")
        if role == "user" and before == "system":
            raise Refused(400, f"{where}: a system message must be last or be followed by an assistant message")
        blocks = [say(content)] if isinstance(content, str) else content
        if role == "system":
            _check_words(blocks, where)
        elif role == "user":
            _check_input_blocks(blocks, where)
            _check_pairing(blocks, open_calls, index)
        else:
            _check_answer(blocks, where)
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
            if _of(block.get("is_error", False), bool, f"{where}.content.{index}.is_error") and not content:
                raise Refused(400, f"{where}.content.{index}: content cannot be empty if `is_error` is true")
            if isinstance(content, list):
                _check_input_blocks(content, f"{where}.content.{index}")


def _check_answer(blocks: list[Any], where: str) -> None:
    """An answer that is sent back: what was never allowed to stand there, whoever said it."""
    for index, block in enumerate(blocks):
        place = f"{where}.content.{index}"
        kind = _of(block, dict, place).get("type")
        if kind == "thinking" and "cache_control" in block:
            raise Refused(400, f"{place}: thinking blocks cannot carry cache_control")
        if kind not in _ANSWER_FIELDS:
            raise Refused(400, f"{place}: unknown block")
        if kind == "text" and not _of(block.get("text"), str, f"{place}.text").strip():
            raise Refused(400, f"{place}: text content blocks must be non-empty")
        if kind == "thinking" and not block.get("signature"):
            raise Refused(400, f"{place}.signature: Field required")
        if kind == "tool_use":
            _of(block.get("input"), dict, f"{place}.input")
            if not _CALL_ID.match(_of(block.get("id"), str, f"{place}.id")):
                raise Refused(400, f"{place}.id: must match {_CALL_ID.pattern}")


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
