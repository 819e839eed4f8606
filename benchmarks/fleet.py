"""How long the first evidence takes in a fleet of 500 services and 200,000 series, beside a fleet of four.

    .venv/bin/python benchmarks/fleet.py [--services 500] [--rounds 3]

A strict local Prometheus answers by its documentation: only what it is asked for, and only selectors that name services
and metrics. One service in the middle of the calls fails since three minutes. Measured is `rank_causes` as an
investigation calls it: the connector, the engine and everything between. Exit code 0 when the large fleet takes at most
twice as long as the small one, the faulty service comes first in both, and what was not read is named.
"""

from __future__ import annotations

import argparse
import asyncio
import ipaddress
import re
import statistics
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aiohttp import web

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from agents.connecting.connector import ConnectorContext, Service
from agents.connecting.connectors.prometheus import Prometheus, PrometheusConfig
from agents.connecting.outbound import EgressPolicy, Outbound
from agents.connecting.toolbox import Toolbox
from agents.investigation.investigation_tools import InvestigationTools
from agents.processes.evidence_pool import EvidencePool
from agents.rows import Suspect

SERIES = 400
STEP_S = 15.0
FAILING_S = 180.0
CODES = ("200", "500")
OTHERS = tuple(f"app_internal_{n}_value" for n in range(18))
_MATCH = re.compile(r'(\w+)=~"((?:[^"\\]|\\.)*)"')


@dataclass(kw_only=True)
class Fleet:
    """Calls run from each service to the next; the one in the middle fails."""

    count: int
    names: list[str] = field(init=False)
    asked: list[str] = field(default_factory=list)
    sent: int = 0

    def __post_init__(self) -> None:
        self.names = [f"service-{n:03d}" for n in range(self.count)]

    @property
    def faulty(self) -> str:
        return self.names[self.count // 2]

    def services(self) -> tuple[Service, ...]:
        following = dict(zip(self.names, self.names[1:], strict=False))
        return tuple(Service(name=n, depends_on=(following[n],) if n in following else ()) for n in self.names)

    def series(self, name: str, job: str) -> list[dict[str, str]]:
        """The labels of what a service has of a metric: 400 series in all."""
        if name == "http_requests_total":
            return [{"__name__": name, "job": job, "code": code, "path": f"/{n}"} for n in range(20) for code in CODES]
        return [{"__name__": name, "job": job, "part": str(n)} for n in range(20)]

    def value(self, labels: dict[str, str], at: float, now: float) -> float:
        if labels["__name__"] != "http_requests_total":
            return 5.0 + (hash(labels["part"]) + int(at / STEP_S)) % 3
        failing = max(0.0, at - (now - FAILING_S)) if labels["job"] == self.faulty else 0.0
        healthy = at % 1_000_000
        return healthy * 0.02 + failing * 4 if labels["code"] == "500" else healthy * 5 - failing * 3

    async def answer(self, request: web.Request) -> web.Response:
        form = dict(request.query) | {k: str(v) for k, v in (await request.post()).items()}
        path = request.path.removeprefix("/api/v1/")
        if path == "targets":
            targets = [{"labels": {"job": n}, "scrapeInterval": "15s"} for n in self.names]
            return _good({"activeTargets": targets})
        if path == "metadata":
            return _good({"http_requests_total": [{"type": "counter"}], **{n: [{"type": "gauge"}] for n in OTHERS}})
        if path not in ("query", "query_range"):
            return web.Response(status=404)
        matchers = dict(_MATCH.findall(form["query"]))
        if "job" not in matchers:
            return web.json_response({"status": "error", "error": "a selector must name services"}, status=422)
        wanted, names = re.compile(matchers["job"].replace("\\\\", "\\")), matchers.get("__name__", ".*")
        jobs = [job for job in self.names if wanted.fullmatch(job)]
        metrics = [n for n in ("http_requests_total", *OTHERS) if re.fullmatch(names.replace("\\\\", "\\"), n)]
        self.asked.append(f"{path} {len(jobs)} services, {len(metrics)} metrics")
        if path == "query":
            rows = [
                {"metric": {"__name__": name, "job": job}, "value": [0, str(len(self.series(name, job)))]}
                for job in jobs
                for name in metrics
            ]
            return _good({"resultType": "vector", "result": rows})
        start, end, step = float(form["start"]), float(form["end"]), float(form["step"])
        times = [start + n * step for n in range(int((end - start) / step) + 1)]
        result = [
            {"metric": labels, "values": [[at, str(self.value(labels, at, end))] for at in times]}
            for name in metrics
            for job in jobs
            for labels in self.series(name, job)
        ]
        self.sent += len(result)
        return _good({"resultType": "matrix", "result": result})


def _good(data: Any) -> web.Response:
    return web.json_response({"status": "success", "data": data})


@asynccontextmanager
async def served(fleet: Fleet) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", fleet.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


async def nothing_stored() -> list[Any]:
    return []


async def measure(fleet: Fleet, pool: EvidencePool, rounds: int) -> tuple[float, bool, str]:
    """Median seconds to the first evidence, whether the faulty service came first each time, the gap that was told."""
    took, right, gap = [], True, ""
    outbound = Outbound(EgressPolicy(allow_networks=(ipaddress.ip_network("127.0.0.0/8"),)))
    async with served(fleet) as url:
        for _ in range(rounds):
            services = fleet.services()
            context = ConnectorContext(services=services, outbound=outbound, now=lambda: datetime.now(UTC))
            prometheus = Prometheus(PrometheusConfig(url=url), context)  # type: ignore[arg-type] # parsed by the model
            tools = InvestigationTools(
                toolbox=Toolbox(connectors=(prometheus,), services=services),
                pool=pool,
                now=lambda: datetime.now(UTC),
                stored=nothing_stored,
            )
            rank = next(tool for tool in tools.tools() if tool.name == "rank_causes")
            asked = rank.parse({"minutes": 10, "symptom_service": fleet.faulty, "symptom": "errors"})
            began = time.perf_counter()
            output = await rank.run(asked)
            took.append(time.perf_counter() - began)
            suspects = sorted((r for r in output.rows if isinstance(r, Suspect)), key=lambda r: r.place)
            right = right and bool(suspects) and suspects[0].service == fleet.faulty
            gap = output.gap or ""
    await outbound.close()
    return statistics.median(took), right, gap


async def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--services", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args()
    pool = EvidencePool()
    try:
        await pool.warm()
        small, large = Fleet(count=4), Fleet(count=chosen.services)
        few = await measure(small, pool, chosen.rounds)
        many = await measure(large, pool, chosen.rounds)
    finally:
        pool.close()
    for fleet, (seconds, right, gap) in ((small, few), (large, many)):
        print(
            f"{fleet.count} services, {fleet.count * SERIES:,} series: first evidence {seconds:.2f} s, "
            f"{'right' if right else 'WRONG'}, {fleet.sent // chosen.rounds:,} series read a time"
        )
        print(f"  gap: {gap or 'none'}")
    ratio = many[0] / few[0]
    print(f"ratio {ratio:.2f}, target at most 2")
    named = chosen.services <= 40 or "services were not read" in many[2]
    return 0 if ratio <= 2 and few[1] and many[1] and named else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
