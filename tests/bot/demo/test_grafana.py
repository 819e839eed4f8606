"""The demo's Grafana, asked by our connector: the lines of the files, their volume, and what it refuses."""

import ipaddress
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest

from agents.connecting.connector import ConnectorContext, LogSource, Service
from agents.connecting.connectors.grafana import Grafana
from agents.connecting.connectors.grafana.settings import GrafanaConfig
from agents.connecting.connectors.loki import Loki
from agents.connecting.connectors.loki.settings import LogVolume
from agents.connecting.outbound import EgressPolicy, Outbound
from agents.errors import NeedsReauthorisation
from agents.evidence.types import Window
from bot.demo.grafana import LABEL, LOKI_UID, LocalGrafana
from store.secrets.redaction import Secret

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
LAST = Window(start=NOW - timedelta(minutes=30), end=NOW)


def line(seconds_ago: int, message: str, level: str = "INFO") -> str:
    at = f"{NOW - timedelta(seconds=seconds_ago):%Y-%m-%dT%H:%M:%S}.000Z"
    return json.dumps({"time": at, "level": level, "service": "orders", "message": message}) + "\n"


@pytest.fixture
async def watch(tmp_path: Path) -> AsyncIterator[LocalGrafana]:
    (tmp_path / "orders.log").write_text(line(100, "placed") + line(50, "no answer", "ERROR") + line(40, "half")[:20])
    made = LocalGrafana({"orders": tmp_path / "orders.log", "entry": tmp_path / "entry.log"})
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
async def outbound() -> AsyncIterator[Outbound]:
    made = Outbound(EgressPolicy(allow_networks=(ipaddress.ip_network("127.0.0.0/8"),)))
    yield made
    await made.close()


def connected(watch: LocalGrafana, outbound: Outbound, token: str = "") -> Grafana:
    context = ConnectorContext(
        services=(Service(name="orders"),),
        outbound=outbound,
        now=lambda: NOW,
        credentials={"token": Secret(token or watch.token)},
    )
    return Grafana(GrafanaConfig.model_validate({"url": watch.url, "logs": [LOKI_UID], "logs_label": LABEL}), context)


async def test_the_lines_are_those_of_the_files_also_after_they_were_renamed(
    watch: LocalGrafana, outbound: Outbound, tmp_path: Path
) -> None:
    grafana = connected(watch, outbound)
    assert (await grafana.check()).ok
    (logs,) = [one for one in grafana.behind() if isinstance(one, LogSource)]
    read = await logs.read_logs(LAST)
    assert [(one.level, one.text) for one in read.lines] == [("info", "placed"), ("error", "no answer")]
    with (tmp_path / "orders.log").open("a") as file:
        file.write(line(40, "half")[20:])
    (tmp_path / "orders.log").rename(tmp_path / "orders.log.1")
    (tmp_path / "orders.log").write_text(line(10, "after"))
    read = await logs.read_logs(LAST)
    assert [one.text for one in read.lines] == ["placed", "no answer", "half", "after"]
    assert isinstance(logs, Loki)
    volume = await logs.log_volume(LogVolume(service="orders", minutes=2, step_s=60))
    assert "error: 11:59:00=0 12:00:00=1" in volume.text
    assert len((await grafana.read_changes(LAST)).changes) == 0
    assert watch.refused == []


async def test_what_is_not_documented_is_refused(watch: LocalGrafana, outbound: Outbound) -> None:
    with pytest.raises(NeedsReauthorisation):
        await connected(watch, outbound, token="glsa_another").read_changes(LAST)
    loki = f"/api/datasources/proxy/uid/{LOKI_UID}/loki/api/v1"
    span = {"start": "1772366400", "end": "1772366460"}
    asked: list[tuple[str, dict[str, Any], int]] = [
        ("/api/admin/settings", {}, 404),
        ("/api/datasources/proxy/uid/other/loki/api/v1/labels", {}, 404),
        (f"{loki}/labels", {"since": "1h"}, 400),
        (f"{loki}/query_range", {**span, "query": '{service_name="orders"} |= "x"'}, 400),
        (f"{loki}/query_range", {**span, "query": '{service_name="orders"}', "limit": "5001"}, 400),
    ]
    async with httpx2.AsyncClient(headers={"authorization": f"Bearer {watch.token}"}) as client:
        for path, params, status in asked:
            assert (await client.get(f"{watch.url}{path}", params=params)).status_code == status
    assert len(watch.refused) == 4
