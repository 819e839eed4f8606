"""An alert storm: 10,000 alerts of 200 services, five true causes amid alerts that have nothing to do with them.

    python benchmarks/alert_storm.py [--seeds 20] [--alerts 10000]

A made-up system of four tiers; a cause is a service or a node that fails at a random moment within an hour. From there
failure spreads to callers with a delay and a chance for each call. Each failing service has up to four alerts for each
of its pods, and all are sent again and again, as Alertmanager does. The background is alerts of low severity of any
services at any time, and a few lone ones of high severity. The generator knows the causes, the grouping sees what a
webhook would say. No alert ends meanwhile, so one that fires already is not set off again by another cause: it stays
that of the first. The causes are different services.

Purity: the share of alerts that are in a group most of whose alerts have their cause. Completeness: for each cause the
share of its alerts in its largest group, weighted. Alerts are counted as they were sent. Exits 1 where a seed fails.
"""

from __future__ import annotations

import argparse
import itertools
import random
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from agents.alerting.book import Book
from agents.alerting.topology import Topology
from agents.webhooks import Part, Severity

START = datetime(2026, 5, 1, 9, 0, tzinfo=UTC)
SERVICES, NODES, CAUSES = 200, 24, 5
MOST_GROUPS, LEAST_PURITY, LEAST_COMPLETENESS = 15, 0.95, 0.90
BACKGROUND = "background"
SYMPTOMS: tuple[tuple[str, Severity], ...] = (
    ("HighErrorRate", "critical"),
    ("HighLatency", "high"),
    ("SaturatedPool", "high"),
    ("SlowRequests", "warning"),
)
NOISE: tuple[tuple[str, Severity], ...] = (
    ("DiskFillingUp", "warning"),
    ("CpuThrottled", "info"),
    ("CertificateExpiresSoon", "warning"),
    ("PodRestarted", "info"),
    ("QueueGrowing", "warning"),
)


@dataclass(frozen=True, kw_only=True)
class Sent:
    at: datetime
    part: Part
    cause: str


@dataclass(frozen=True, kw_only=True)
class System:
    calls: dict[str, list[str]]
    nodes: dict[str, list[str]]
    """The nodes on which the pods of each service run."""

    def edges(self) -> list[tuple[str, str]]:
        return [(caller, callee) for caller, callees in self.calls.items() for callee in callees]


def a_system(dice: random.Random) -> System:
    """Four tiers: each service calls one to three of the tiers below it, mostly of its own domain."""
    tiers = [[f"t{tier}-{number:03}" for number in range(count)] for tier, count in enumerate((20, 80, 70, 30))]
    calls: dict[str, list[str]] = {}
    for tier, names in enumerate(tiers):
        below = list(itertools.chain(*tiers[tier + 1 :]))
        for place, name in enumerate(names):
            if not below:
                calls[name] = []
                continue
            near = below[int(place / len(names) * len(below)) :][:12] or below[-12:]
            pool = near if dice.random() < 0.85 else below
            calls[name] = dice.sample(pool, k=min(len(pool), dice.randint(1, 3)))
    nodes = {name: [f"node-{dice.randrange(NODES)}" for _ in range(3)] for name in calls}
    return System(calls=calls, nodes=nodes)


def a_cascade(system: System, cause: str, root: str, begin: datetime, dice: random.Random) -> Iterator[Sent]:
    """A service fails, and with a chance and a delay those that call it."""
    callers: defaultdict[str, list[str]] = defaultdict(list)
    for caller, callee in system.edges():
        callers[callee].append(caller)
    failing, edge = {root: begin}, [root]
    for hop in range(4):
        reached = []
        for callee in edge:
            for caller in callers[callee]:
                if caller not in failing and dice.random() < (0.9, 0.7, 0.5, 0.3)[hop]:
                    failing[caller] = failing[callee] + timedelta(seconds=dice.uniform(5, 150))
                    reached.append(caller)
        edge = reached
    for service, at in failing.items():
        shown = SYMPTOMS if service == root else dice.sample(SYMPTOMS, k=dice.randint(1, 4))
        for (name, severity), (pod, node) in itertools.product(shown, enumerate(system.nodes[service])):
            yield a_part(cause, service, name, severity, pod, node, at + timedelta(seconds=dice.uniform(0, 60)))


def a_node_failure(system: System, cause: str, node: str, begin: datetime, dice: random.Random) -> Iterator[Sent]:
    """Everything on it has a bad time; nothing says so but the label."""
    yield a_part(cause, None, "NodeNotReady", "critical", 0, node, begin)
    for service, nodes in system.nodes.items():
        for pod, of in enumerate(nodes):
            if of == node and dice.random() < 0.8:
                at = begin + timedelta(seconds=dice.uniform(5, 180))
                yield a_part(cause, service, "PodNotReady", "high", pod, node, at)


def a_part(  # noqa: PLR0917 -- all of them, always
    cause: str, service: str | None, name: str, severity: Severity, pod: int, node: str, at: datetime
) -> Sent:
    labels = {"alertname": name, "node": node} | ({"service": service, "pod": f"{service}-{pod}"} if service else {})
    labels["severity"] = severity
    part = Part(
        kind="alert",
        status="firing",
        severity=severity,
        title=f"{name}: {service or node}",
        service=service,
        key=f"alertmanager:{name}:{service}:{pod}:{node}",
        occurred_at=at,
        labels=labels,
    )
    return Sent(at=at, part=part, cause=cause)


def a_storm(seed: int, count: int) -> tuple[System, list[Sent]]:
    dice = random.Random(seed)  # noqa: S311 -- a made-up world
    system = a_system(dice)
    inner = [name for name in system.calls if name[1] in "123"]
    first: list[Sent] = []
    roots = dice.sample(inner, CAUSES - 1)
    for number in range(CAUSES):
        begin = START + timedelta(minutes=dice.uniform(5, 65))
        if number == CAUSES - 1:
            first += a_node_failure(system, f"cause-{number}", f"node-{dice.randrange(NODES)}", begin, dice)
        else:
            first += a_cascade(system, f"cause-{number}", roots[number], begin, dice)
    for _ in range(120):
        service = dice.choice(list(system.calls))
        name, severity = dice.choice(NOISE)
        at = START + timedelta(minutes=dice.uniform(0, 75))
        first.append(
            a_part(BACKGROUND, service, name, severity, dice.randrange(3), dice.choice(system.nodes[service]), at)
        )
    for number in range(3):
        service = dice.choice(list(system.calls))
        at = START + timedelta(minutes=dice.uniform(0, 75))
        first.append(a_part(f"lone-{number}", service, "BackupFailed", "high", 0, system.nodes[service][0], at))
    earliest: dict[str, Sent] = {}
    for one in sorted(first, key=lambda one: one.at):
        earliest.setdefault(one.part.key, one)
    first = list(earliest.values())[:count]
    again = [dice.choice(first) for _ in range(count - len(first))]
    repeats = [
        Sent(at=one.at + timedelta(minutes=dice.uniform(1, 30)), part=one.part, cause=one.cause) for one in again
    ]
    return system, sorted([*first, *repeats], key=lambda one: one.at)


@dataclass(frozen=True, kw_only=True)
class Score:
    groups: int
    purity: float
    completeness: float
    lost: int
    seconds: float

    @property
    def is_good(self) -> bool:
        fair = self.purity >= LEAST_PURITY and self.completeness >= LEAST_COMPLETENESS
        return self.groups <= MOST_GROUPS and fair and not self.lost


def group_storm(seed: int, count: int) -> Score:
    system, sent = a_storm(seed, count)
    numbers = itertools.count(1)
    book = Book("tenant", topology=Topology(system.edges()), new_id=lambda: f"g{next(numbers)}")
    began = time.perf_counter()
    taken: list[tuple[str, str]] = []
    for one in sent:
        group = book.absorb("alertmanager", one.part, one.at)
        taken.append((one.part.key, one.cause) if group is not None else ("", ""))
    seconds = time.perf_counter() - began
    home = {
        (alert.provider, alert.title, *sorted(alert.labels.items())): alert.group_id for alert in book.alerts.values()
    }
    placed = [(home[("alertmanager", one.part.title, *sorted(one.part.labels.items()))], one.cause) for one in sent]
    return Score(
        groups=len({group for group, _ in placed}),
        purity=purity(placed),
        completeness=completeness(placed),
        lost=sum(key == "" for key, _ in taken) + abs(len(sent) - sum(one.occurrences for one in book.alerts.values())),
        seconds=seconds,
    )


def purity(placed: list[tuple[str, str]]) -> float:
    inside: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for group, cause in placed:
        inside[group][cause] += 1
    return sum(causes.most_common(1)[0][1] for causes in inside.values()) / len(placed)


def completeness(placed: list[tuple[str, str]]) -> float:
    """Of the true causes; the background is none."""
    spread: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for group, cause in placed:
        if cause.startswith("cause"):
            spread[cause][group] += 1
    whole = sum(groups.total() for groups in spread.values())
    return sum(groups.most_common(1)[0][1] for groups in spread.values()) / whole


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first", type=int, default=1, help="the first seed")
    parser.add_argument("--alerts", type=int, default=10_000)
    chosen = parser.parse_args()
    good = True
    print("seed  groups  purity  complete  lost  seconds")
    for seed in range(chosen.first, chosen.first + chosen.seeds):
        score = group_storm(seed, chosen.alerts)
        good = good and score.is_good
        print(
            f"{seed:4}  {score.groups:6}  {score.purity:.3f}     {score.completeness:.3f}  {score.lost:4}"
            f"  {score.seconds:7.2f}{'' if score.is_good else '  too bad'}"
        )
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
