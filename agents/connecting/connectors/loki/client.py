"""Questions to Loki's HTTP API, and what its refusals mean.

https://grafana.com/docs/loki/latest/reference/loki-http-api/ -- moments are nanoseconds since 1970, `start` is in the
span and `end` is not. Limits are the operator's own: what is over them is refused with a sentence that names the limit.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from agents.connecting.certificates import own_way_out
from agents.connecting.connector import ConnectorContext
from agents.connecting.connectors.loki.settings import LokiConfig
from agents.connecting.outbound import Answer
from agents.errors import BadArguments, NeedsReauthorisation, Unavailable
from agents.evidence.types import Window

_TOLD: Final = frozenset({400, 401, 403, 404, 422})
_ENTRIES: Final = re.compile(r"max_?\s?entries.{0,80}?\((\d+) > (\d+)\)", re.DOTALL)
_NARROWER: Final = (
    (re.compile(r"time range exceeds the limit \(query length: [^,]+, limit: ([^)]+)\)"), "a window of at most {0}"),
    (
        re.compile(r"would read too many bytes \(query: ([^,]+), limit: ([^)]+)\)"),
        "a shorter window: it may read {1} at once and this would be {0}",
    ),
    (re.compile(r"maximum (?:number )?of series \(?(\d+)\)?"), "fewer series: it gives {0} at most"),
    (re.compile(r"query too long|maximum query length|max_query_series"), "less at once"),
)
_LONGEST_WORDS: Final = 300


class TooManyEntries(BadArguments):
    """More lines at once than the server gives. `most` is its limit."""

    def __init__(self, most: int) -> None:
        super().__init__(f"Loki gives at most {most} lines at once")
        self.most = most


class LokiClient:
    """Of one connection. Close it: it has a way out of its own where the server has an authority of its own."""

    def __init__(self, config: LokiConfig, context: ConnectorContext) -> None:
        self._base, self._context = str(config.url).rstrip("/"), context
        self._tenant = {"x-scope-orgid": config.tenant} if config.tenant else {}
        self._own = own_way_out(context, config.certificate_authority)

    async def close(self) -> None:
        if self._own is not None:
            await self._own.close()

    async def version(self) -> str:
        """Empty where the server, or a proxy before it, does not say."""
        answer = await self._asked("status/buildinfo", {}, accept=_TOLD, retries=0)
        if answer.status in (401, 403):
            await self._refuse(answer)
        document = answer.json() if answer.status == 200 else {}
        return str(document.get("version") or "") if isinstance(document, dict) else ""

    async def labels(self, window: Window) -> list[str]:
        """The names that the streams of the window carry."""
        return await self._names("labels", span_of(window))

    async def values(self, label: str, window: Window, selector: str = "") -> list[str]:
        """Of one label, of the streams that a selector chooses."""
        return await self._names(f"label/{label}/values", span_of(window) | ({"query": selector} if selector else {}))

    async def entries(self, selector: str, start_ns: int, end_ns: int, *, limit: int, max_bytes: int) -> bytes:
        """The newest lines of a span, as the server tells them. Raises TooManyEntries where `limit` is over its own."""
        params = {"query": selector, "start": str(start_ns), "end": str(end_ns), "limit": str(limit)}
        answer = await self._asked("query_range", params | {"direction": "backward"}, max_bytes=max_bytes, retries=1)
        return answer.body

    async def counts(self, query: str, start_s: int, end_s: int, step_s: int) -> list[Mapping[str, Any]]:
        """The series of a metric query on a grid."""
        params = {"query": query, "start": str(start_s), "end": str(end_s), "step": str(step_s)}
        data = data_of((await self._asked("query_range", params, timeout_s=20.0)).json())
        if not isinstance(data, dict) or data.get("resultType") != "matrix":
            raise Unavailable("Loki did not answer with series")
        return list(data["result"])

    async def _names(self, path: str, params: Mapping[str, str]) -> list[str]:
        data = data_of((await self._asked(path, params)).json())
        if not isinstance(data, list | None):
            raise Unavailable("Loki did not answer with a list of names")
        return [name for name in data or () if isinstance(name, str)]

    async def _asked(self, path: str, params: Mapping[str, str], **options: Any) -> Answer:
        answer = await (self._own or self._context.outbound).get(
            f"{self._base}/loki/api/v1/{path}",
            params=params,
            headers={
                **self._tenant,
                **self._context.authorization(),
                "accept": "application/json",
                # Else what was attached to single lines parts one stream into many.
                "x-loki-response-encoding-flags": "categorize-labels",
            },
            **{"accept": _TOLD, **options},
        )
        if answer.status in _TOLD and "accept" not in options:
            await self._refuse(answer)
        return answer

    async def _refuse(self, answer: Answer) -> None:
        """Raises what the server's words mean."""
        said = (await self._context.clean(answer.text(), keep=_LONGEST_WORDS)).strip()
        if "no org id" in said:
            raise NeedsReauthorisation("Loki wants to know whose logs: fill in its tenant (X-Scope-OrgID)")
        if answer.status in (401, 403):
            raise NeedsReauthorisation(f"Loki, or a proxy before it, refused the credential ({answer.status})")
        if answer.status == 404:
            raise Unavailable("there is no Loki at this address; is the URL right, without /loki/api?")
        if found := _ENTRIES.search(said):
            raise TooManyEntries(int(found[2]))
        for pattern, narrower in _NARROWER:
            if found := pattern.search(said):
                raise BadArguments(f"Loki's limit is passed; ask for {narrower.format(*found.groups())}")
        raise BadArguments(f"Loki refused it: {said or 'no reason given'}")


def data_of(document: Any) -> Any:
    """Raises Unavailable for what is no answer of Loki."""
    if not isinstance(document, dict) or document.get("status") != "success" or "data" not in document:
        raise Unavailable("the answer is not one of Loki's API; is the URL right?")
    return document["data"]


def span_of(window: Window) -> dict[str, str]:
    return {"start": str(nanoseconds(window.start.timestamp())), "end": str(nanoseconds(window.end.timestamp()))}


def nanoseconds(epoch_s: float) -> int:
    return round(epoch_s * 1e6) * 1_000
