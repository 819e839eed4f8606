"""What a metric's name and labels mean, by the conventions of Prometheus and OpenTelemetry names.

Only words are read, never a particular system's names.
See https://prometheus.io/docs/practices/naming/ and https://opentelemetry.io/docs/specs/semconv/.
"""

import re
from collections.abc import Collection, Mapping
from functools import lru_cache

from agents.evidence.types import RawKind

PEER_LABELS = (
    "peer",
    "peer_service",
    "upstream",
    "target_service",
    "target",
    "dependency",
    "destination_service",
    "destination",
    "downstream",
    "remote_service",
    "remote",
    "callee",
    "server_address",
    "provider",
)
ROUTE_LABELS = ("route", "http_route", "path", "endpoint", "handler", "uri", "operation", "rpc_method", "grpc_method")
STATUS_LABELS = (
    "status",
    "code",
    "status_code",
    "http_status",
    "http_status_code",
    "http_response_status_code",
    "response_code",
    "grpc_code",
    "grpc_status",
    "outcome",
    "result",
)
INSTANCE_LABELS = ("instance", "pod", "replica", "process", "container_id")


def _set(text: str) -> frozenset[str]:
    return frozenset(text.split())


DATASTORE_WORDS = _set(
    "db sql database sqlite postgres postgresql mysql mariadb mongo mongodb redis query queries statement jdbc"
)
CLIENT_WORDS = _set("client upstream outbound dependency downstream egress external remote")
ERROR_WORDS = _set("error errors failure failures failed exception exceptions timeouts rejected dropped")
REQUEST_WORDS = _set("request requests http rpc grpc calls call")
WAIT_WORDS = _set("wait waiting queue queued acquire lag blocked throttled")
LIMIT_WORDS = _set("max limit size capacity quota maximum total budget")
USE_WORDS = _set("in use used active busy open current checked out borrowed acquired usage")
SKIPPED_WORDS = _set("info created build scrape promhttp")

_BAD_STATUS = re.compile(
    r"error|fail|timeout|timed|refus|unavail|exception|reset|abort|reject|exhaust|internal|deadline|crash|dropped",
    re.IGNORECASE,
)
_SECONDS = {"seconds": 1.0, "second": 1.0, "milliseconds": 1e-3, "ms": 1e-3, "microseconds": 1e-6, "us": 1e-6}


@lru_cache(maxsize=8192)
def words(name: str) -> tuple[str, ...]:
    """The lower-case words of a snake_case, dotted or camelCase name."""
    spaced = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name)
    return tuple(w for w in re.split(r"[^a-z0-9]+", spaced.lower()) if w)


def first_label(labels: Mapping[str, str], names: Collection[str]) -> str | None:
    """The value of the first of `names` that is present and not empty."""
    for name in names:
        value = labels.get(name)
        if value:
            return value
    return None


def is_bad_status(value: str) -> bool:
    """Server-side failure: 5xx, or a word such as timeout or connection_refused. A 4xx is the caller's own doing."""
    text = value.strip()
    if len(text) == 3 and text[0].isdigit():
        return text[0] == "5"
    return bool(_BAD_STATUS.search(text))


@lru_cache(maxsize=8192)
def sample_kind(name: str, declared: RawKind, *, has_le: bool) -> RawKind:
    """The kind by suffix where the name says it (also for a summary's `_sum` and `_count`), else as declared."""
    if has_le and name.endswith("_bucket"):
        return "histogram_bucket"
    if name.endswith(("_total", "_count", "_sum")) and declared != "gauge":
        return "counter"
    return "gauge" if declared == "unknown" else declared


def seconds_per_unit(name: str) -> float | None:
    """Factor to seconds by the name's unit word; 1.0 for a latency name without one; None if it is no duration."""
    found = words(name)
    for word in reversed(found):
        if word in _SECONDS:
            return _SECONDS[word]
    return 1.0 if {"duration", "latency"} & set(found) else None


def is_datastore(peer: str) -> bool:
    """Whether a peer is a store that usually belongs to the calling service itself."""
    return not DATASTORE_WORDS.isdisjoint(words(peer))


def client_peer(name: str, labels: Mapping[str, str]) -> str | None:
    """The called side if this is a client-side metric, else None. An unnamed store is called `database`."""
    peer = first_label(labels, PEER_LABELS)
    found = set(words(name))
    if peer is not None and not found & {"server", "pool"}:
        return peer
    if found & DATASTORE_WORDS and "pool" not in found:
        return "database"
    if found & CLIENT_WORDS and "pool" not in found:
        return "dependency"
    return None
