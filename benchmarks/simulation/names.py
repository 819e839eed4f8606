"""How systems name what they measure: families of names written here, and names that come from outside.

A measured role (requests, latency, memory in use, ...) is known in the engine-neutral unit of `ROLES`; a name says in
which unit and shape it is told. Names from a file are put to roles by their unit and description alone, with a few
plain words that share nothing with the engine's own reader; what fits no role is measured as something unrelated.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random

# role: what it is measured in by the simulation
ROLES: Mapping[str, str] = {
    "requests": "/s",
    "errors": "/s",
    "error_ratio": "ratio",
    "latency_mean": "s",
    "latency_p99": "s",
    "client_latency": "s",
    "cpu_cores": "cores",
    "cpu_ratio": "ratio",
    "throttled": "s/s",
    "memory_bytes": "bytes",
    "memory_ratio": "ratio",
    "disk_ratio": "ratio",
    "disk_free": "bytes",
    "network_in": "bytes/s",
    "retransmits": "/s",
    "pool_used": "count",
    "pool_wait": "s",
    "queue": "count",
    "threads": "count",
    "files": "count",
    "cache_hits": "ratio",
    "locks": "count",
    "members": "count",
    "restarts": "count",
    "certificate": "s",
    "clock": "s",
    "quota": "ratio",
    "gc": "s/s",
    "unrelated": "",
}


@dataclass(frozen=True, kw_only=True)
class Name:
    """`factor` turns the simulation's unit into the name's; `counted` names are cumulative."""

    text: str
    factor: float = 1.0
    counted: bool = False


Names = dict[str, list[Name]]

_WRITTEN = {
    "prometheus": """requests http_requests_total counted|errors http_requests_failed_total counted
latency_mean http_request_duration_seconds_mean|latency_p99 http_request_duration_seconds_p99
cpu_cores container_cpu_usage_seconds_total counted|throttled container_cpu_cfs_throttled_seconds_total counted
memory_bytes container_memory_working_set_bytes|disk_free node_filesystem_avail_bytes
network_in container_network_receive_bytes_total counted|retransmits node_netstat_Tcp_RetransSegs counted
pool_used db_pool_connections_in_use|pool_wait db_pool_wait_seconds|queue worker_queue_length|threads process_threads
files process_open_fds|cache_hits cache_hit_ratio|locks pg_locks_waiting
members kube_deployment_status_replicas_available
restarts kube_pod_container_status_restarts_total|certificate ssl_certificate_remaining_seconds
clock node_timex_offset_seconds|gc jvm_gc_collection_seconds_sum counted|quota api_quota_used_ratio
unrelated go_memstats_lookups|unrelated feature_store_generation""",
    "otel": """requests http.server.request.count counted|error_ratio http.server.error.ratio
latency_mean http.server.request.duration.mean|latency_p99 http.server.request.duration.p99
client_latency http.client.request.duration.mean|cpu_ratio process.cpu.utilization|memory_bytes process.memory.usage
disk_ratio system.filesystem.utilization|network_in system.network.io|pool_used db.client.connection.used
pool_wait db.client.connection.wait_time|queue messaging.queue.depth|threads process.thread.count
files process.open_file_descriptor.count|members k8s.deployment.available_pods|gc jvm.gc.duration.rate
cache_hits cache.hit.ratio|locks db.lock.waits.active|restarts k8s.container.restarts|quota quota.utilization
unrelated process.context_switches""",
    "cloudwatch": """requests RequestCount|errors HTTPCode_Target_5XX_Count|latency_mean TargetResponseTime
cpu_ratio CPUUtilization 100|memory_ratio MemoryUtilization 100|network_in NetworkIn|pool_used DatabaseConnections
disk_free FreeStorageSpace|queue ApproximateNumberOfMessagesVisible|members HealthyHostCount|locks Deadlocks
client_latency BackendConnectionLatency|cache_hits CacheHitRate 100|throttled ThrottledRequests
unrelated SnapshotStorageUsed""",
}


def written_names(world: str) -> Names:
    """One of the families that stand here."""
    found: Names = defaultdict(list)
    for entry in _WRITTEN[world].replace("\n", "|").split("|"):
        role, text, *more = entry.split()
        factor = next((float(m) for m in more if m != "counted"), 1.0)
        found[role].append(Name(text=text, factor=factor, counted="counted" in more))
    return found


WORLDS = tuple(_WRITTEN)

# role: words of which all of one group must stand in name and description, told apart in this order
_GROUPS: tuple[tuple[str, str], ...] = (
    ("restarts", "restart"),
    ("certificate", "cert expir"),
    ("clock", "clock offset|ntp offset|clock skew"),
    ("throttled", "throttl cpu|cfs throttl"),
    ("gc", "gc pause|garbage collect|gc duration"),
    ("cache_hits", "hit ratio|hit rate"),
    ("retransmits", "retrans"),
    ("error_ratio", "error rate|error ratio|failure rate|error percent"),
    ("locks", "lock wait|deadlock|locks held"),
    ("pool_wait", "connection wait time|pool wait|acquire time"),
    ("pool_used", "pool in use|pool used|connections active|connections used|pool active|connections open"),
    ("queue", "queue length|queue depth|queue size|backlog|messages ready|consumer lag"),
    ("threads", "thread count|number of threads|live threads|threads running"),
    ("files", "file descriptor|open fds"),
    ("members", "replicas available|healthy host|pods available|ready replicas"),
    ("disk_free", "disk free|filesystem free|free storage|filesystem avail|free disk"),
    ("disk_ratio", "disk used percent|filesystem util|disk util|disk percent|filesystem usage"),
    ("memory_ratio", "memory util|memory percent|memory used percent|mem percent"),
    ("memory_bytes", "memory usage|resident memory|memory used|heap used|rss bytes|working set"),
    ("cpu_ratio", "cpu util|cpu percent|cpu used percent"),
    ("cpu_cores", "cpu seconds|cpu time|cpu usage"),
    ("network_in", "network received|network in bytes|bytes received|receive bytes|network io"),
    ("client_latency", "client duration|client latency|upstream time|outbound duration"),
    ("latency_p99", "latency p99|duration p99|duration 99"),
    ("latency_mean", "request duration|response time|request latency|latency|server duration"),
    ("errors", "errors|failures|failed requests|exceptions|5xx"),
    ("requests", "requests|calls|queries|operations per|invocations|transactions"),
)


def read_names(path: Path, chance: Random) -> Names:
    """Names from a file, a line each: the name, and after tabs its unit, type (counter, gauge, histogram), description.

    Of a role only a few are taken, as a system has few names for one thing.
    """
    found: Names = defaultdict(list)
    lines = [line.split("\t") for line in path.read_text().splitlines() if line.strip() and not line.startswith("#")]
    chance.shuffle(lines)
    for text, *more in lines:
        unit, kind, told = (*more, "", "", "")[:3]
        role = _role(f"{re.sub('[._:-]', ' ', re.sub('(?<=[a-z])(?=[A-Z])', ' ', text))} {told}".lower())
        name = _named(text, unit.lower(), kind.lower(), role)
        if name is not None and len(found[role]) < (4 if role == "unrelated" else 1):
            found[role].append(name)
    return found


def _role(text: str) -> str:
    for role, groups in _GROUPS:
        if any(all(word in text for word in group.split()) for group in groups.split("|")):
            return role
    return "unrelated"


def _named(text: str, unit: str, kind: str, role: str) -> Name | None:
    """The name with its unit; None where a role of this unit makes no sense."""
    told = f"{text} {unit}".lower()
    factor = 1.0
    if ROLES[role] in ("s", "s/s"):
        factor = 1e3 if re.search(r"(?<![a-z])(ms|millis\w*|milliseconds?)(?![a-z])", told) else 1.0
        factor = 1e9 if re.search(r"nanos|(?<![a-z])ns(?![a-z])", told) else factor
        factor = 1e6 if re.search(r"micros|(?<![a-z])us(?![a-z])", told) else factor
        if re.search("byte", told):
            return None
    elif ROLES[role] == "ratio":
        factor = 100.0 if re.search(r"percent|pct|%|rate", told) else 1.0
    elif ROLES[role] == "bytes":
        factor = 1 / 2**20 if re.search(r"mib|megabyte|(?<![a-z])mb(?![a-z])", told) else 1.0
    suffix = text.lower().endswith(("_total", "_count"))
    counted = ROLES[role] in ("/s", "s/s", "bytes/s", "cores") and (kind == "counter" or suffix)
    return Name(text=text, factor=factor, counted=counted)
