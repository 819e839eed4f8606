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
class Rule:
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

RULES: tuple[Rule, ...] = (
    Rule(
        kind="identity",
        any=_set("info build created timestamp version epoch"),
    ),
    Rule(
        kind="restarts",
        any=_set("restart reboot crash oom oomkill crashloop boot kill starttime uptime"),
    ),
    Rule(
        kind="syscalls",
        any=_set("syscall"),
    ),
    Rule(
        kind="certificate",
        any=_set("certificate tls ssl"),
        also=_set("expiry until remaining day validity after left ttl age"),
    ),
    Rule(
        kind="clock",
        any=_set("clock ntp timex chrony"),
        also=_set("skew drift offset error sync deviation jitter delta second"),
    ),
    Rule(
        kind="throttling",
        any=_set("throttle cfs"),
        also=_set("cpu container cfs"),
    ),
    Rule(
        kind="errors",
        any=_set("throttle"),
        without=_set("cpu"),
    ),
    Rule(
        kind="errors",
        any=_set("4xx"),
        without=_set("latency duration"),
    ),
    Rule(
        kind="locks",
        any=_set("lock deadlock mutex contention latch"),
        without=_set("block"),
    ),
    Rule(
        kind="latency",
        any=_set("latency duration"),
        also=_set("failure error"),
        without=_set("count rate ratio percent /s"),
    ),
    Rule(
        kind="cache",
        any=_set("cache hit miss eviction"),
        also=_set("hit miss eviction ratio"),
        without=_set("error failure memory byte http request"),
    ),
    Rule(
        kind="errors",
        any=FAILED,
        without=_set("budget"),
    ),
    Rule(
        kind="pool",
        any=_set("pool connection session"),
        also=_set("pending wait use idle active acquire leased borrowed"),
        without=_set("network cpu memory byte heap"),
    ),
    Rule(
        kind="pool",
        any=_set("connected"),
        also=_set("client session user"),
    ),
    Rule(
        kind="pool",
        any=_set("buffer ring"),
        also=_set("use full percent utilization"),
        without=_set("memory byte cache"),
    ),
    Rule(
        kind="queue",
        any=_set("visible ready delayed unacked notvisible"),
        also=_set("message task job"),
    ),
    Rule(
        kind="quota",
        any=_set("quota ratelimit credit budget burst entitlement"),
    ),
    Rule(
        kind="queue",
        any=_set("queue backlog pending inflight flight outstanding unacked unacknowledged lag behind undelivered age"),
        without=_set("cpu thread pool connection consumer replica"),
    ),
    Rule(
        kind="queue",
        any=_set("lag"),
        also=_set("consumer replica replication replay"),
    ),
    Rule(
        kind="runtime",
        any=_set("garbage safepoint jit classloader finalizer bytecode"),
        without=_set("heap memory byte"),
    ),
    Rule(
        kind="runtime",
        any=_set("eventloop loop scheduler"),
    ),
    Rule(
        kind="pool",
        any=_set("pool connection hikari hikaricp datasource socket conntrack slot"),
        without=_set("network packet cpu buffer memory byte read write thread worker http request"),
    ),
    Rule(
        kind="threads",
        any=_set("thread worker executor goroutine process runqueue fiber coroutine"),
        also=_set(
            "pool active busy count running current peak daemon live use queue start blocked runnable state "
            "thread goroutine"
        ),
        without=_set("cpu memory byte second"),
    ),
    Rule(
        kind="files",
        any=_set("fd filehandle handle descriptor inode"),
        without=_set("http request message"),
    ),
    Rule(
        kind="cpu",
        any=_set("cpu processor core millicore load1 load5 load15 iowait steal loadavg"),
        without=_set("memory bandwidth"),
    ),
    Rule(
        kind="cpu",
        any=_set("load"),
        also=_set("system mean"),
    ),
    Rule(
        kind="memory",
        any=_set("memory heap resident swap metaspace oldgen pss uss rollup"),
        without=_set("error page"),
    ),
    Rule(
        kind="disk",
        any=_set("disk filesystem volume storage wal mount partition ebs fsx"),
        without=_set(
            "read write io latency duration /s second operation op throughput queue request sector time fsync"
        ),
    ),
    Rule(
        kind="disk_io",
        any=_set("disk filesystem volume ebs block sector fsync io wal journal iops"),
        without=_set("http"),
    ),
    Rule(
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
    Rule(
        kind="latency",
        any=_set("latency duration delay rtt timer"),
    ),
    Rule(
        kind="latency",
        any=_set("time second millisecond microsecond nanosecond"),
        also=ASKED | _set("processing service server client p50 p90 p95 p99 mean quantile max response database"),
    ),
    Rule(
        kind="certificate",
        any=_set("expiry"),
    ),
    Rule(
        kind="availability",
        any=WELL,
        also=_set("ratio percent rate"),
    ),
    Rule(
        kind="availability",
        any=WELL | _set("up"),
        without=MEMBERS | _set("memory byte disk"),
    ),
    Rule(
        kind="members",
        any=MEMBERS,
        without=_set(
            "byte second request message cpu memory /s ratio percent rate workload throughput operation latency"
        ),
    ),
    Rule(
        kind="requests",
        any=ASKED | _set("/s"),
    ),
    Rule(
        kind="network",
        any=_set("byte bit"),
        also=_set("/s in out transmit receive sent"),
    ),
    Rule(
        kind="pool",
        any=_set("saturation fullness occupancy utilization"),
    ),
    Rule(
        kind="memory",
        any=_set("page"),
        also=_set("fault swap free"),
    ),
)
