"""A vendor's OpenAPI 3.0 or Swagger 2.0 description, as much of it as holds a client's requests and answers to it."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One request as it went out."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    repeated: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """All values of the query's parameters, where a fake keeps them."""


class Description:
    """Loaded once; slow things are worked out when they are needed."""

    def __init__(self, file: Path) -> None:
        text = gzip.decompress(file.read_bytes()).decode()
        self._document: dict[str, Any] = _from_swagger(text)

    @cached_property
    def _paths(self) -> list[tuple[re.Pattern[str], str]]:
        found = []
        for path in sorted(self._document["paths"], key=lambda p: (p.count("{"), -len(p))):
            pattern = re.sub(r"\\\{([A-Za-z_]+)\\\}", _parameter, re.escape(path))
            found.append((re.compile(pattern), path))
        return found

    def operation(self, asked: Asked) -> tuple[dict[str, Any], dict[str, str]] | None:
        """The operation that a request is, with its path's parameters."""
        for pattern, path in self._paths:
            found = pattern.fullmatch(asked.path)
            if found and asked.method.lower() in self._document["paths"][path]:
                return self._document["paths"][path][asked.method.lower()], found.groupdict()
        return None

    def problems(self, asked: Asked) -> list[str]:
        """What of a request is not documented."""
        found = self.operation(asked)
        if found is None:
            return [f"{asked.method} {asked.path} is not documented"]
        operation, in_path = found
        known = [self._resolved(one) for one in operation.get("parameters", [])]
        if "consumes" in operation and asked.body and asked.headers.get("content-type") not in operation["consumes"]:
            return [f"{asked.method} {asked.path} does not take {asked.headers.get('content-type')}"]
        problems = []
        given = {("query", name): value for name, value in asked.query.items()}
        given |= {("path", name): value for name, value in in_path.items()}
        for one in known:
            place = (one["in"], one["name"])
            if place in given:
                schema = self._resolved(one["schema"])
                values = asked.repeated.get(one["name"], (given[place],)) if one["in"] == "query" else (given[place],)
                del given[place]
                if schema.get("type") == "array":
                    item = self._resolved(schema.get("items", {}))
                    problems += self._against(schema, [_typed(value, item) for value in values], place)
                else:
                    problems += [p for value in values for p in self._against(schema, _typed(value, schema), place)]
            elif one.get("required") and one["in"] in ("query", "path"):
                problems.append(f"{place} is missing")
        problems += [f"{place} is not documented for {asked.method} {asked.path}" for place in given]
        body = operation.get("requestBody")
        if asked.body and body is None:
            problems.append(f"{asked.method} {asked.path} takes no body")
        elif body is not None and (asked.body or body.get("required")):
            schema = body["content"]["application/json"]["schema"]
            problems += self._against(schema, json.loads(asked.body or b"null"), ("body", ""))
        return problems

    def answer_problems(self, asked: Asked, status: int, document: Any) -> list[str]:
        """Fields of an answer that are documented otherwise. What a test's answer leaves out is no problem."""
        found = self.operation(asked)
        content = (found[0]["responses"].get(str(status), {}) if found else {}).get("content", {})
        schema = content.get("application/json", {}).get("schema")
        return [] if schema is None else self._partly(schema, document, asked.path)

    def _partly(self, schema: dict[str, Any], value: Any, where: str) -> list[str]:
        schema = self._resolved(schema)
        if isinstance(value, list) and "items" in schema:
            return [p for n, item in enumerate(value) for p in self._partly(schema["items"], item, f"{where}[{n}]")]
        if isinstance(value, dict) and "properties" in schema:
            known = schema["properties"]
            problems = [f"{where}.{name} is not documented" for name in value if name not in known]
            return problems + [
                p for name in value if name in known for p in self._partly(known[name], value[name], f"{where}.{name}")
            ]
        return self._against(schema, value, (where, ""))

    def _against(self, schema: dict[str, Any], value: Any, place: tuple[str, str]) -> list[str]:
        root = {**_plain(schema), "components": self._components}
        return [f"{place}: {error.message[:200]}" for error in Draft202012Validator(root).iter_errors(value)]

    @cached_property
    def _components(self) -> Any:
        return _plain(self._document["components"])

    def _resolved(self, node: dict[str, Any]) -> dict[str, Any]:
        while "$ref" in node:
            target: Any = self._document
            for part in node["$ref"].removeprefix("#/").split("/"):
                name = part.replace("~1", "/").replace("~0", "~")
                target = target[int(name)] if isinstance(target, list) else target[name]
            node = target
        return node


def _parameter(match: re.Match[str]) -> str:
    """The name of a branch, and a path, hold slashes of their own."""
    return f"(?P<{match[1]}>{'.+' if match[1] in ('ref', 'path') else '[^/]+'})"


def _from_swagger(text: str) -> dict[str, Any]:
    """Swagger 2.0 in the shape of OpenAPI 3.0; a document that is none as it is."""
    document: dict[str, Any] = json.loads(text)
    if document.get("swagger") != "2.0":
        return document
    document = json.loads(text.replace('"#/definitions/', '"#/components/schemas/'))
    for schema in document["definitions"].values():
        for part in (schema, *schema.get("properties", {}).values()):
            if part.get("format") == "int-or-string":
                part.pop("type", None)
    shared = document.get("parameters", {})
    for item in document["paths"].values():
        of_path = item.pop("parameters", [])
        for operation in item.values():
            given = [*of_path, *operation.get("parameters", [])]
            whole = [shared[one["$ref"].rpartition("/")[2]] if "$ref" in one else one for one in given]
            operation["parameters"] = [
                {"in": one["in"], "name": one["name"], "required": one.get("required"), "schema": {"type": one["type"]}}
                for one in whole
                if one["in"] != "body"
            ]
            for one in whole:
                if one["in"] == "body":
                    content = {"application/json": {"schema": one["schema"]}}
                    operation["requestBody"] = {"required": one.get("required", False), "content": content}
            for answer in operation.get("responses", {}).values():
                if "schema" in answer:
                    answer["content"] = {"application/json": {"schema": answer.pop("schema")}}
            if operation.get("consumes") == ["*/*"]:
                operation.pop("consumes")
    return {**document, "components": {"schemas": document.pop("definitions")}}


def _typed(value: str, schema: Mapping[str, Any]) -> Any:
    kind = schema.get("type")
    if kind == "integer" and value.lstrip("-").isdigit():
        return int(value)
    if kind == "boolean" and value in ("true", "false"):
        return value == "true"
    return value


def _plain(node: Any) -> Any:
    """OpenAPI 3.0's schema as JSON Schema: what may be null says so by its type. Formats are not judged."""
    if isinstance(node, list):
        return [_plain(one) for one in node]
    if not isinstance(node, dict):
        return node
    made = {key: _plain(value) for key, value in node.items() if key not in ("nullable", "example", "examples")}
    if node.get("nullable") is True and isinstance(made.get("type"), str):
        made["type"] = [made["type"], "null"]
    elif node.get("nullable") is True:
        made = {"anyOf": [made, {"type": "null"}]}
    return made
