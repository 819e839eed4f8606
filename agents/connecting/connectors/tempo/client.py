"""Questions to Tempo's HTTP API, and what its refusals mean. https://grafana.com/docs/tempo/latest/api_docs/"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from agents.connecting.certificates import own_way_out
from agents.connecting.connector import ConnectorContext
from agents.connecting.connectors.tempo.answers import as_document, ids_in, values_in
from agents.connecting.connectors.tempo.settings import TempoConfig
from agents.connecting.outbound import Answer
from agents.errors import BadArguments, NeedsReauthorisation, Unavailable
from agents.evidence.types import Window

_TOLD: Final = frozenset({400, 401, 403, 404, 422})
_LONGEST_WORDS: Final = 300
_NARROWER: Final = (
    (
        re.compile(r"range specified by start and end(?: \([^)]*\))? exceeds (\S+?)\.?(?:\s|$)"),
        "a window of at most {0}",
    ),
    (re.compile(r"limit \d+ exceeds (?:max |the )?(?:maximum )?limit (?:of )?(\d+)"), "at most {0} traces"),
)
_TOO_LARGE: Final = re.compile(r"trace (?:exceeds|too large|TOO_LARGE)|max size", re.IGNORECASE)


class TempoClient:
    """Of one connection. Close it: it has a way out of its own where the server has an authority of its own."""

    def __init__(self, config: TempoConfig, context: ConnectorContext) -> None:
        self._base, self._context = str(config.url).rstrip("/"), context
        self._tenant = {"x-scope-orgid": config.tenant} if config.tenant else {}
        self._own = own_way_out(context, config.certificate_authority)

    async def close(self) -> None:
        if self._own is not None:
            await self._own.close()

    async def version(self) -> str:
        """Empty where the server, or a proxy before it, does not say."""
        answer = await self._get("status/buildinfo", {}, retries=0)
        if answer.status in (401, 403):
            await self._refuse(answer)
        return str(as_document(answer.body).get("version") or "") if answer.status == 200 else ""

    async def services(self, window: Window) -> list[str]:
        """The names under which services recorded spans. Before Tempo 2 another page has them."""
        answer = await self._get("v2/search/tag/resource.service.name/values", _span(window))
        if answer.status == 404:
            answer = await self._get("search/tag/service.name/values", {})
        if answer.status in _TOLD:
            await self._refuse(answer)
        return values_in(answer.body)

    async def search(self, query: str, window: Window, limit: int) -> tuple[str, ...]:
        """Ids of traces with spans that match, in no particular order."""
        answer = await self._get("search", {"q": query, "limit": str(limit), "spss": "1", **_span(window)})
        if answer.status in _TOLD:
            await self._refuse(answer)
        return ids_in(answer.body)

    async def trace(self, trace: str, *, max_bytes: int) -> bytes | None:
        """A whole trace; None where it is not there any more."""
        answer = await self._get(f"traces/{trace}", {}, max_bytes=max_bytes)
        if answer.status == 404:
            return None
        if answer.status in _TOLD:
            await self._refuse(answer)
        return answer.body

    async def _get(self, path: str, params: Mapping[str, str], **options: Any) -> Answer:
        return await (self._own or self._context.outbound).get(
            f"{self._base}/api/{path}",
            params=params,
            headers={**self._tenant, **self._context.authorization(), "accept": "application/json"},
            accept=_TOLD,
            **options,
        )

    async def _refuse(self, answer: Answer) -> None:
        """Raises what the server's words mean."""
        said = (await self._context.clean(answer.text(), keep=_LONGEST_WORDS)).strip()
        if "no org id" in said:
            raise NeedsReauthorisation("Tempo wants to know whose traces: fill in its tenant (X-Scope-OrgID)")
        if answer.status in (401, 403):
            raise NeedsReauthorisation(f"Tempo, or a proxy before it, refused the credential ({answer.status})")
        if answer.status == 404:
            raise Unavailable("there is no Tempo at this address; is the URL right, with its prefix and without /api?")
        if _TOO_LARGE.search(said):
            raise BadArguments("the trace is larger than Tempo gives")
        for pattern, narrower in _NARROWER:
            if found := pattern.search(said):
                raise BadArguments(f"Tempo's limit is passed; ask for {narrower.format(*found.groups())}")
        raise BadArguments(f"Tempo refused it: {said or 'no reason given'}")


def _span(window: Window) -> dict[str, str]:
    """Whole seconds, at least one."""
    start = int(window.start.timestamp())
    return {"start": str(start), "end": str(max(start + 1, -int(-window.end.timestamp() // 1)))}
