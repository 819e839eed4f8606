"""The vocabulary of metric names: which words speak of which kind, in the order in which they decide.

The first rule wins whose `any` has a word of the name, whose `also` (if any) has one too, and whose `without` has none.
A kind's traits say how it is judged. The words are those of published conventions and exporters, never of one system.
"""

from dataclasses import dataclass

from agents.evidence.metrics.meaning.types import Kind
from agents.evidence.types import Direction, Family


def _set(text: str) -> frozenset[str]:
    return frozenset(text.split())


@dataclass(frozen=True, kw_only=True)
class NameRule:
    kind: Kind
    any: frozenset[str]
    also: frozenset[str] = frozenset()
    without: frozenset[str] = frozenset()

    def fits(self, words: frozenset[str]) -> bool:
        """Whether a name with these words is of this kind."""
        return (
            not self.any.isdisjoint(words)
            and (not self.also or not self.also.isdisjoint(words))
            and self.without.isdisjoint(words)
        )


@dataclass(frozen=True, kw_only=True)
class Traits:
    """`bad` is the direction that hurts; `capacity` is a stock with an end, of which the free rest may be told."""

    family: Family
    bad: Direction | None
    capacity: bool = False


TRAITS: dict[Kind, Traits] = {
    "requests": Traits(family="traffic", bad=None),
    "errors": Traits(family="errors", bad="up"),
    "availability": Traits(family="errors", bad="down"),
    "latency": Traits(family="latency", bad="up"),
    "cpu": Traits(family="cpu", bad="up", capacity=True),
    "throttling": Traits(family="saturation", bad="up"),
    "memory": Traits(family="memory", bad="up", capacity=True),
    "disk": Traits(family="saturation", bad="up", capacity=True),
    "disk_io": Traits(family="other", bad=None),
    "network": Traits(family="network", bad=None),
    "pool": Traits(family="saturation", bad="up", capacity=True),
    "queue": Traits(family="saturation", bad="up"),
    "threads": Traits(family="saturation", bad="up", capacity=True),
    "files": Traits(family="saturation", bad="up", capacity=True),
    "cache": Traits(family="saturation", bad="up"),
    "locks": Traits(family="saturation", bad="up"),
    "members": Traits(family="saturation", bad="down"),
    "restarts": Traits(family="restarts", bad="up"),
    "certificate": Traits(family="saturation", bad="down"),
    "clock": Traits(family="saturation", bad=None),
    "quota": Traits(family="saturation", bad="up", capacity=True),
    "runtime": Traits(family="other", bad=None),
    "syscalls": Traits(family="syscall", bad=None),
    "limit": Traits(family="other", bad=None),
    "identity": Traits(family="other", bad=None),
    "other": Traits(family="other", bad=None),
}

FREE = _set("free freeable available idle remaining left balance credit headroom unused remain idl until")
USE = _set("use active busy current open percent utilization leased borrowed acquired util")
LIMIT = _set(
    "limit max capacity quota maximum threshold allocatable provisioned desired configured budget size allowed"
)
CLIENT = _set("client upstream outbound dependency downstream egress external remote outgoing")
FAILED = _set(
    "error failure fault exception timeout reject drop abort panic fatal 5xx unauthorized forbidden exhausted lost bad "
    "invalid unhealthy deadletter dlq nack unavailable unreachable cancel conflict corrupt retransmit unsuccessful "
    "rollback rolledback evicting 500 502 503 504"
)
WELL = _set("availability available success successful healthy ready alive health ok succeeded")
ASKED = _set(
    "request call query transaction operation invocation response http grpc rpc rest api endpoint route command hit "
    "visit order checkout login session message record event job task publish statement select line envelope item "
    "batch document page download upload read write throughput traffic workload load served handled processed "
    "delivered flush flushed commit committed publishe"
)
MEMBERS = _set(
    "replica instance member consumer subscriber heartbeat host worker node broker leader target backend peer"
)

RULES: tuple[NameRule, ...] = (
    NameRule(
        kind="identity",
        any=_set("info build created timestamp version epoch"),
    ),
    NameRule(
        kind="restarts",
        any=_set("restart reboot crash oom oomkill crashloop boot kill starttime uptime"),
    ),
    NameRule(
        kind="syscalls",
        any=_set("syscall"),
    ),
    NameRule(
        kind="certificate",
        any=_set("certificate tls ssl"),
        also=_set("expiry until remaining day validity after left ttl age"),
    ),
    NameRule(
        kind="clock",
        any=_set("clock ntp timex chrony"),
        also=_set("skew drift offset error sync deviation jitter delta second"),
    ),
    NameRule(
        kind="throttling",
        any=_set("throttle cfs"),
        also=_set("cpu container cfs"),
    ),
    NameRule(
        kind="errors",
        any=_set("throttle"),
        without=_set("cpu"),
    ),
    NameRule(
        kind="errors",
        any=_set("4xx"),
        without=_set("latency duration"),
    ),
    NameRule(
        kind="locks",
        any=_set("lock deadlock mutex contention latch"),
        without=_set("block"),
    ),
    NameRule(
        kind="latency",
        any=_set("latency duration"),
        also=_set("failure error"),
        without=_set("count rate ratio percent /s"),
    ),
    NameRule(
        kind="cache",
        any=_set("cache hit miss eviction"),
        also=_set("hit miss eviction ratio"),
        without=_set("error failure memory byte http request"),
    ),
    NameRule(
        kind="errors",
        any=FAILED,
        without=_set("budget"),
    ),
    NameRule(
        kind="pool",
        any=_set("pool connection session"),
        also=_set("pending wait use idle active acquire leased borrowed"),
        without=_set("network cpu memory byte heap"),
    ),
    NameRule(
        kind="pool",
        any=_set("connected"),
        also=_set("client session user"),
    ),
    NameRule(
        kind="pool",
        any=_set("buffer ring"),
        also=_set("use full percent utilization"),
        without=_set("memory byte cache"),
    ),
    NameRule(
        kind="queue",
        any=_set("visible ready delayed unacked notvisible"),
        also=_set("message task job"),
    ),
    NameRule(
        kind="quota",
        any=_set("quota ratelimit credit budget burst entitlement"),
    ),
    NameRule(
        kind="queue",
        any=_set("queue backlog pending inflight flight outstanding unacked unacknowledged lag behind undelivered age"),
        without=_set("cpu thread pool connection consumer replica"),
    ),
    NameRule(
        kind="queue",
        any=_set("lag"),
        also=_set("consumer replica replication replay"),
    ),
    NameRule(
        kind="runtime",
        any=_set("garbage safepoint jit classloader finalizer bytecode"),
        without=_set("heap memory byte"),
    ),
    NameRule(
        kind="runtime",
        any=_set("eventloop loop scheduler"),
    ),
    NameRule(
        kind="pool",
        any=_set("pool connection hikari hikaricp datasource socket conntrack slot"),
        without=_set("network packet cpu buffer memory byte read write thread worker http request"),
    ),
    NameRule(
        kind="threads",
        any=_set("thread worker executor goroutine process runqueue fiber coroutine"),
        also=_set(
            "pool active busy count running current peak daemon live use queue start blocked runnable state "
            "thread goroutine"
        ),
        without=_set("cpu memory byte second"),
    ),
    NameRule(
        kind="files",
        any=_set("fd filehandle handle descriptor inode"),
        without=_set("http request message"),
    ),
    NameRule(
        kind="cpu",
        any=_set("cpu processor core millicore load1 load5 load15 iowait steal loadavg"),
        without=_set("memory bandwidth"),
    ),
    NameRule(
        kind="cpu",
        any=_set("load"),
        also=_set("system mean"),
    ),
    NameRule(
        kind="memory",
        any=_set("memory heap resident swap metaspace oldgen pss uss rollup"),
        without=_set("error page"),
    ),
    NameRule(
        kind="disk",
        any=_set("disk filesystem volume storage wal mount partition ebs fsx"),
        without=_set(
            "read write io latency duration /s second operation op throughput queue request sector time fsync"
        ),
    ),
    NameRule(
        kind="disk_io",
        any=_set("disk filesystem volume ebs block sector fsync io wal journal iops"),
        without=_set("http"),
    ),
    NameRule(
        kind="network",
        any=_set(
            "network net packet bandwidth nic interface tcp udp transmit receive eth ip ingres egres ingress traffic"
        ),
        also=_set(
            "byte bit packet megabyte kilobyte megabit kilobit in out transmit receive tcp udp bandwidth "
            "conn segment network"
        ),
        without=_set("request message latency delay duration p90 p95 p99 p50 error"),
    ),
    NameRule(
        kind="latency",
        any=_set("latency duration delay rtt timer"),
    ),
    NameRule(
        kind="latency",
        any=_set("time second millisecond microsecond nanosecond"),
        also=ASKED | _set("processing service server client p50 p90 p95 p99 mean quantile max response database"),
    ),
    NameRule(
        kind="certificate",
        any=_set("expiry"),
    ),
    NameRule(
        kind="availability",
        any=WELL,
        also=_set("ratio percent rate"),
    ),
    NameRule(
        kind="availability",
        any=WELL | _set("up"),
        without=MEMBERS | _set("memory byte disk"),
    ),
    NameRule(
        kind="members",
        any=MEMBERS,
        without=_set(
            "byte second request message cpu memory /s ratio percent rate workload throughput operation latency"
        ),
    ),
    NameRule(
        kind="requests",
        any=ASKED | _set("/s"),
    ),
    NameRule(
        kind="network",
        any=_set("byte bit"),
        also=_set("/s in out transmit receive sent"),
    ),
    NameRule(
        kind="pool",
        any=_set("saturation fullness occupancy utilization"),
    ),
    NameRule(
        kind="memory",
        any=_set("page"),
        also=_set("fault swap free"),
    ),
)
