"""An alert of the real Alertmanager about the sample shop starts an investigation by itself, which ends healed, the
alert and its incident resolved. Both programs are Debian's; nobody mentions Autoheal, a person only approves.
"""

import asyncio
import contextlib
import json
import shutil
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from agents.alerting.administering import make_webhook
from bot import demonstration
from bot.demonstration import CHANNEL, Stage, open_stage
from store import audit, incidents
from store.incidents import alerts
from store.incidents.alerts import StoredGroup
from store.incidents.approvals import ApprovalState
from tests.bot.served import free_port

PROGRAMS = {name: shutil.which(name) for name in ("prometheus", "prometheus-alertmanager")}
WAIT_S = 120.0
RULE = """
groups:
  - name: shop
    rules:
      - alert: HighErrorRate
        expr: >
          sum by (service) (rate(http_requests_total{status=~"5.."}[15s]))
          / sum by (service) (rate(http_requests_total[15s])) > 0.05
        for: 3s
        labels: {severity: critical}
        annotations: {summary: "more than 5 % of the requests to {{ $labels.service }} fail"}
"""


@asynccontextmanager
async def program(*argv: str, log: Path) -> AsyncIterator[None]:
    with log.open("wb") as out:
        process = await asyncio.create_subprocess_exec(*argv, stdout=out, stderr=out)
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await process.wait()


@asynccontextmanager
async def watched(stage: Stage, folder: Path, address: str, secret: str) -> AsyncIterator[None]:
    """The shop's metrics scraped, judged and sent, as a team would set it up."""
    port, web = free_port(), free_port()
    receiver = {
        "name": "autoheal",
        "webhook_configs": [{"url": address, "http_config": {"authorization": {"credentials": secret}}}],
    }
    route = {"receiver": "autoheal", "group_by": ["alertname"], "group_wait": "1s", "group_interval": "2s"}
    (folder / "alertmanager.yml").write_text(json.dumps({"route": route, "receivers": [receiver]}))
    (folder / "rules.yml").write_text(RULE)
    targets = [
        {"targets": [one.metrics_url.split("/")[2]], "labels": {"service": one.name}}
        for one in stage.shop.describe().services
    ]
    prometheus = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(folder / "rules.yml")],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [f"127.0.0.1:{port}"]}]}]},
        "scrape_configs": [{"job_name": "shop", "static_configs": targets}],
    }
    (folder / "prometheus.yml").write_text(json.dumps(prometheus))
    async with (
        program(
            str(PROGRAMS["prometheus-alertmanager"]),
            f"--config.file={folder / 'alertmanager.yml'}",
            f"--storage.path={folder / 'am'}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--cluster.listen-address=",
            log=folder / "alertmanager.log",
        ),
        program(
            str(PROGRAMS["prometheus"]),
            f"--config.file={folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={folder / 'tsdb'}",
            f"--web.listen-address=127.0.0.1:{web}",
            log=folder / "prometheus.log",
        ),
    ):
        yield


async def group_of(stage: Stage) -> StoredGroup | None:
    """The one that was looked into by itself."""
    async with stage.database.tenant(stage.tenant, readonly=True) as s:
        found = await alerts.groups_since(s, stage.database.now() - timedelta(hours=1))
    return next((one for one in found if one.incident_id is not None), None)


@pytest.mark.slow
@pytest.mark.scenario
@pytest.mark.skipif(not all(PROGRAMS.values()), reason="needs Debian's prometheus and prometheus-alertmanager")
async def test_an_alert_starts_it_and_it_ends_healed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    port, plain = free_port(), demonstration.bot_environment

    def with_web(inherited: Mapping[str, str], *given: object, **more: object) -> dict[str, str]:
        made = plain(inherited, *given, **more)  # type: ignore[arg-type] # as it is called
        return {**made, "AUTOHEAL_WEB": "true", "AUTOHEAL_HTTP_PORT": str(port), "AUTOHEAL_HTTP_HOST": "127.0.0.1"}

    monkeypatch.setattr(demonstration, "bot_environment", with_web)
    monkeypatch.setattr(demonstration, "_READY_S", 300.0)
    async with open_stage(tmp_path, 3, 0) as stage:
        channel = stage.workspace.channels[CHANNEL.removeprefix("#")].id
        async with stage.database.tenant(stage.tenant) as s:
            await alerts.save_policy(s, {"channel": channel}, by=None)
            made = await make_webhook(
                s,
                provider="alertmanager",
                label="shop",
                config={},
                secret=None,
                actor=audit.SYSTEM,
                source="operator",
                by=None,
            )
        assert made.secret is not None
        address = f"http://127.0.0.1:{port}{made.webhook.path}"
        async with watched(stage, tmp_path, address, made.secret.reveal()):
            await stage.shop.baseline()
            await stage.shop.begin("config-cut", 3)
            group = await demonstration._poll(lambda: group_of(stage), WAIT_S)
            assert group is not None, (tmp_path / "serve.log").read_text()[-3000:]
            assert group.thread_ts is not None
            _, _, decided = await demonstration._follow(stage, group.thread_ts, time.monotonic())
            assert decided, "nothing was proposed"
            assert decided[-1].state is ApprovalState.HEALED

            async def ended() -> bool | None:
                now = await group_of(stage)
                async with stage.database.tenant(stage.tenant, readonly=True) as s:
                    incident = await incidents.incident(s, group.incident_id)
                done = now is not None and now.status == "resolved"
                return True if done and incident is not None and incident.status == "resolved" else None

            assert await demonstration._poll(ended, WAIT_S)
            own = [m for m in stage.workspace.messages(CHANNEL) if m.ts == group.thread_ts]
            assert own[0].text.startswith("Resolved")
            assert stage.workspace.violations == []
