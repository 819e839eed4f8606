"""P11: how workflows fare is measured, and tells nothing of anybody."""

from __future__ import annotations

from typing import Final

from bot.verify.promise import NotApplicable, Promise, Proved, Seen
from bot.verify.site import Site, require
from bot.verify.web import browser
from store.tenancy.tenants import list_tenants

_SERIES: Final = (
    "autoheal_workflow_runs",
    "autoheal_workflow_seconds",
    "autoheal_ack_seconds",
    "autoheal_tool_calls",
)


class WorkflowMetricsPromise(Promise):
    id = "P11"
    title = "Success rates of workflows and performance are measured"

    async def check(self, site: Site) -> Seen:
        settings = site.settings
        if not settings.web and settings.mode != "http":
            return NotApplicable(setting="AUTOHEAL_WEB", sentence="nothing listens, so nothing can be scraped")
        token = settings.metrics_token
        headers = {"authorization": f"Bearer {token.get_secret_value()}"} if token else {}
        async with browser(site) as client:
            page = await client.get("/metrics", headers=headers)
            stranger = await client.get("/metrics", headers={"authorization": "Bearer x", "x-forwarded-for": "1.1.1.1"})
        require(page.status_code == 200, "the metrics cannot be read")
        for series in _SERIES:
            require(series in page.text, f"the metrics lack {series}")
        require(stranger.status_code == 403, "a stranger may read the metrics")
        for tenant in await list_tenants(site.db):
            require(tenant.id not in page.text, "the metrics name a tenant")
        return Proved(
            sentence="the series are there, name no tenant, and no stranger reads them", observed=("/metrics",)
        )


PROMISE = WorkflowMetricsPromise()
