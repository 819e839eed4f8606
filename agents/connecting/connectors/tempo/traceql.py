"""The part of TraceQL that a search may use: comparisons of what a span is, within the spans of one service. Pure.

https://grafana.com/docs/tempo/latest/traceql/ -- only fields that hold no free text, only equality of texts: a pattern,
or an order of texts, would tell of a secret in an attribute by what it finds.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from agents.errors import BadArguments

FIELDS: Final = frozenset(
    {
        *("name", "status", "kind", "duration", "traceDuration", "rootName", "rootServiceName"),
        *("span:name", "span:status", "span:kind", "span:duration", "trace:duration", "trace:rootName"),
        *("http.method", "http.request.method", "http.route", "http.status_code", "http.response.status_code"),
        *("rpc.system", "rpc.service", "rpc.method", "rpc.grpc.status_code", "grpc.status_code"),
        *("db.system", "db.system.name", "db.name", "db.namespace", "db.operation", "db.operation.name"),
        *("messaging.system", "messaging.operation", "messaging.destination", "messaging.destination.name"),
        *("error", "error.type", "exception.type", "peer.service", "server.address", "server.port"),
        *("service.version", "deployment.environment", "deployment.environment.name", "k8s.pod.name", "host.name"),
    }
)
_TOKEN: Final = re.compile(
    r"""\s*(?:(?P<join>&&|\|\|)|(?P<bracket>[()])|(?P<sign>>=|<=|!=|=~|!~|=|>|<)|(?P<text>"(?:[^"\\\n]|\\["\\])*")"""
    r"""|(?P<number>\d+(?:\.\d+)?(?:ns|us|µs|ms|s|m|h)?(?![\w.]))|(?P<word>[A-Za-z][\w.:]*))"""
)
_ORDERS: Final = frozenset({">", "<", ">=", "<="})
_WORDS: Final = frozenset(
    {"error", "ok", "unset", "true", "false", "server", "client", "producer", "consumer", "internal", "unspecified"}
)


def of_service(names: Sequence[str], where: str = "") -> str:
    """A query for spans of a service under any of its names. Raises BadArguments for other than plain conditions."""
    own = " || ".join(f"resource.service.name = {quoted(name)}" for name in names)
    return f"{{ ({own}) && ({_checked(where)}) }}" if where else f"{{ {own} }}"


def quoted(text: str) -> str:
    plain = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{plain}"'


def _checked(where: str) -> str:
    """The same conditions, written anew."""
    tokens = _tokens(where)
    depth, place = 0, 0
    written: list[str] = []
    while True:
        while place < len(tokens) and tokens[place] == ("bracket", "("):
            depth, place = depth + 1, place + 1
            written.append("(")
        written.append(_condition(tokens[place : place + 3]))
        place += 3
        while place < len(tokens) and tokens[place] == ("bracket", ")"):
            depth, place = depth - 1, place + 1
            written.append(")")
            if depth < 0:
                raise BadArguments("where: there is a bracket too many")
        if place == len(tokens):
            break
        if tokens[place][0] != "join":
            raise BadArguments("where: join conditions with && or ||")
        written.append(tokens[place][1])
        place += 1
    if depth:
        raise BadArguments("where: a bracket is not closed")
    return " ".join(written)


def _condition(tokens: Sequence[tuple[str, str]]) -> str:
    if [kind for kind, _ in tokens[:2]] != ["word", "sign"] or len(tokens) < 3:
        raise BadArguments("where: a condition is a field, a comparison and a value, such as duration > 200ms")
    (_, field), (_, sign), (kind, value) = tokens
    if "~" in sign:
        raise BadArguments("where: patterns are not asked; compare with = or !=")
    if field.removeprefix("span.").removeprefix("resource.").removeprefix(".") not in FIELDS:
        raise BadArguments(f"where: {field[:60]} is not asked about; these are: {', '.join(sorted(FIELDS))}")
    if sign in _ORDERS and kind != "number":
        raise BadArguments("where: only numbers and durations have an order here")
    if kind not in {"number", "text"} and not (kind == "word" and value in _WORDS):
        raise BadArguments(f"where: {value[:60]} is no value; write a text in quotation marks")
    return f"{field} {sign} {value}"


def _tokens(where: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    place, whole = 0, where.strip()
    while place < len(whole):
        token = _TOKEN.match(whole, place)
        if token is None or token.lastgroup is None:
            raise BadArguments(
                f"where: {whole[place : place + 20]!r} is not understood; only conditions joined by && or ||"
            )
        found.append((token.lastgroup, token[token.lastgroup]))
        place = token.end()
    return found
