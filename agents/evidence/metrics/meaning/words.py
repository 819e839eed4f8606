"""The words of a metric's name, brought to one form: singular, abbreviations written out, units apart.

`CPUUtilization`, `cpu.utilization` and `cpu_util_pct` end in the same words. See the naming rules of Prometheus
(https://prometheus.io/docs/practices/naming/), OpenTelemetry (https://opentelemetry.io/docs/specs/semconv/general/metrics/)
and Micrometer, whose `http.server.requests` becomes `http_server_requests_seconds`.
"""

import re
from functools import lru_cache

_PARTED = re.compile(r"(?<=[A-Z])(?=[A-Z][a-z]{2})|(?<=[a-z])(?=[A-Z])|(?<=[0-9])(?=[A-Z][a-z])")
_AGE = re.compile(r"(rate|irate|increase|delta|avg|sum|max|min)\d+[smhd]")
_BRACKETED = re.compile(r"[(\[{]([^)\]}]{1,16})[)\]}]\s*$")
_SYNONYMS: dict[str, str] = {
    "req": "request",
    "rq": "request",
    "rps": "request/s",
    "qps": "query/s",
    "tps": "transaction/s",
    "iops": "io/s",
    "lps": "line/s",
    "eps": "event/s",
    "ops": "operation",
    "resp": "response",
    "err": "error",
    "errs": "error",
    "exc": "exception",
    "lat": "latency",
    "dur": "duration",
    "rt": "latency",
    "rtt": "latency",
    "ttfb": "latency",
    "elapsed": "duration",
    "responsetime": "latency",
    "mem": "memory",
    "rss": "memory resident",
    "wss": "memory resident",
    "avail": "available",
    "util": "utilization",
    "utilisation": "utilization",
    "utilized": "utilization",
    "pct": "percent",
    "perc": "percent",
    "percentage": "percent",
    "conn": "connection",
    "conns": "connection",
    "cnx": "connection",
    "db": "database",
    "avg": "mean",
    "average": "mean",
    "med": "p50",
    "median": "p50",
    "cnt": "count",
    "num": "count",
    "nr": "count",
    "secs": "second",
    "sec": "second",
    "s": "second",
    "msec": "millisecond",
    "millis": "millisecond",
    "milli": "millisecond",
    "ms": "millisecond",
    "usec": "microsecond",
    "us": "microsecond",
    "micros": "microsecond",
    "nanos": "nanosecond",
    "nsec": "nanosecond",
    "ns": "nanosecond",
    "min": "min",
    "mins": "minute",
    "hrs": "hour",
    "tx": "transmit",
    "xmit": "transmit",
    "rx": "receive",
    "recv": "receive",
    "received": "receive",
    "transmitted": "transmit",
    "sent": "transmit",
    "fs": "filesystem",
    "fds": "fd",
    "msg": "message",
    "msgs": "message",
    "cert": "certificate",
    "certs": "certificate",
    "x509": "certificate",
    "failed": "failure",
    "failing": "failure",
    "fail": "failure",
    "fails": "failure",
    "timedout": "timeout",
    "rejected": "reject",
    "rejection": "reject",
    "refused": "reject",
    "denied": "reject",
    "dropped": "drop",
    "discarded": "drop",
    "discard": "drop",
    "aborted": "abort",
    "cancelled": "cancel",
    "canceled": "cancel",
    "throttled": "throttle",
    "throttling": "throttle",
    "restarted": "restart",
    "killed": "kill",
    "waiting": "wait",
    "waiters": "wait",
    "waiter": "wait",
    "queued": "queue",
    "enqueued": "queue",
    "queueing": "queue",
    "used": "use",
    "usage": "use",
    "using": "use",
    "inuse": "use",
    "consumed": "use",
    "consumption": "use",
    "goroutines": "thread",
    "goroutine": "thread",
    "evicted": "eviction",
    "expired": "expiry",
    "expires": "expiry",
    "expiration": "expiry",
    "expire": "expiry",
    "heartbeats": "heartbeat",
    "gib": "gibibyte",
    "gb": "gigabyte",
    "mib": "mebibyte",
    "mi": "mebibyte",
    "mb": "megabyte",
    "kib": "kibibyte",
    "kb": "kilobyte",
    "mbps": "megabit/s",
    "kbps": "kilobit/s",
    "gbps": "gigabit/s",
    "bps": "bit/s",
    "millicore": "millicore",
    "mcores": "millicore",
    "millicpu": "cpu millicore",
    "jvm": "runtime",
    "gc": "garbage",
    "gcs": "garbage",
    "heapused": "heap use",
    "lod": "load",
    "pod": "instance",
    "pods": "instance",
    "replicas": "replica",
    "5xx": "5xx error",
    "5xxs": "5xx error",
    "4xx": "4xx",
}
_DIVISORS = {"second": "/s", "minute": "/m", "min": "/m", "hour": "/h"}
_WHOLE_TEXT = (
    "status bus cors dns gas class process miss loss success access address progress https redis postgres kubernetes "
    "sqs tls os cfs ss series analysis axis canvas alias bias less this has was is as its rows"
)
_WHOLE = frozenset(_WHOLE_TEXT.split())
_HEAD = re.compile(r"(cpu|core|disk|gpu|eth|pool|node|thread)(\d+)")
_QUANTILE = re.compile(r"(\d{2,3})(?:p|th)")


@lru_cache(maxsize=16384)
def split_words(name: str) -> tuple[str, ...]:
    """The words of a name in one form; `per second` and its abbreviations become `/s`."""
    text = _PARTED.sub("_", name.strip()).replace("%", " percent ").replace("/s", " per_second ")
    out: list[str] = []
    for word in re.split(r"[^a-z0-9]+", text.lower()):
        if word:
            out.extend(_forms(word))
    return tuple(_divided(out))


def bracketed_unit(name: str) -> str | None:
    """The unit that stands in brackets at the end, as in `Usage (MiB)`."""
    found = _BRACKETED.search(name)
    return found.group(1) if found else None


def _forms(word: str) -> list[str]:
    age = _AGE.fullmatch(word)
    if age:
        return ["/s"] if age.group(1) in ("rate", "irate") else [age.group(1)]
    if word not in _SYNONYMS and (numbered := _HEAD.fullmatch(word)):
        return [numbered.group(1)]
    if quantile := _QUANTILE.fullmatch(word):
        return [f"p{quantile.group(1)}"]
    written = _SYNONYMS.get(word) or _SYNONYMS.get(singular := _singular(word)) or singular
    return written.replace("/s", " /s").split()


def _singular(word: str) -> str:
    if len(word) < 4 or not word.endswith("s") or word in _WHOLE:
        return word
    if word.endswith("ies"):
        return word[:-3] + "y"
    if word.endswith(("sses", "xes", "shes", "tches")):
        return word[:-2]
    return word if word.endswith(("ss", "us", "is")) else word[:-1]


def _divided(words: list[str]) -> list[str]:
    """`per second`, `persec` and `per minute` as one word each."""
    out: list[str] = []
    skip = False
    for index, word in enumerate(words):
        if skip:
            skip = False
            continue
        following = words[index + 1] if index + 1 < len(words) else ""
        if word == "per" and following in _DIVISORS:
            out.append(_DIVISORS[following])
            skip = True
        elif word == "un" and following == "healthy":
            out.append("unhealthy")
            skip = True
        elif word in ("persec", "persecond"):
            out.append("/s")
        else:
            out.append(word)
    return out
