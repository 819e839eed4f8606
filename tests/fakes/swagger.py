"""A vendor's Swagger 2.0 description, as much of it as holds requests and answers of a client to what is documented."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path
from typing import Any

from jsonschema import Draft4Validator

from tests.fakes.openapi import Asked


class Swagger:
    def __init__(self, file: Path) -> None:
        self._document: dict[str, Any] = json.loads(gzip.decompress(file.read_bytes()))

    def problems(self, asked: Asked) -> list[str]:
        """What of a request is not documented."""
        found = self._operation(asked)
        if found is None:
            return [f"{asked.method} {asked.path} is not documented"]
        shared, operation = found
        known = [self._resolved(one) for one in (*shared, *operation.get("parameters", ()))]
        queries = {one["name"] for one in known if one["in"] == "query"}
        problems = [f"{name} is not documented for {asked.path}" for name in asked.query if name not in queries]
        problems += [
            f"{one['name']}={asked.query[one['name']]} is no boolean"
            for one in known
            if one.get("type") == "boolean" and asked.query.get(one["name"], "true") not in ("true", "false")
        ]
        body = next((one for one in known if one["in"] == "body"), None)
        if (body is None) != (not asked.body):
            problems.append(f"{asked.method} {asked.path} {'takes no body' if body is None else 'needs a body'}")
        elif body is not None:
            problems += self._against(body["schema"], json.loads(asked.body))
        return problems

    def answer_problems(self, asked: Asked, status: int, document: Any) -> list[str]:
        found = self._operation(asked)
        schema = found[1]["responses"].get(str(status), {}).get("schema") if found else None
        return [] if schema is None else self._against(schema, document)

    def _operation(self, asked: Asked) -> tuple[list[dict[str, Any]], dict[str, Any]] | None:
        """What all methods of the path take, and the operation. Without the base path, which a proxy may change."""
        for path, of_path in self._document["paths"].items():
            pattern = self._document.get("basePath", "").rstrip("/") + re.sub(r"\{\w+\}", "[^/]+", path)
            if re.fullmatch(pattern, asked.path) and asked.method.lower() in of_path:
                return of_path.get("parameters", []), of_path[asked.method.lower()]
        return None

    def _resolved(self, node: dict[str, Any]) -> dict[str, Any]:
        while "$ref" in node:
            target: Any = self._document
            for part in node["$ref"].removeprefix("#/").split("/"):
                target = target[part]
            node = target
        return node

    def _against(self, schema: dict[str, Any], value: Any) -> list[str]:
        root = {**schema, "definitions": self._document["definitions"]}
        return [error.message[:200] for error in Draft4Validator(root).iter_errors(value)]
