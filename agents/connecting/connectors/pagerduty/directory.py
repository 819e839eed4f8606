"""Which services there are at PagerDuty, and which declared service each of them is: by name, or by a catalog alias of
the kind `pagerduty`, which may be PagerDuty's id of it as well.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from agents.connecting.catalog import service_name
from agents.connecting.connector import ConnectorContext
from agents.connecting.connectors.pagerduty.answers import GivenService, several
from agents.connecting.connectors.pagerduty.client import PagerDutyClient
from agents.errors import BadArguments
from agents.language.service_names import belongs_to

KIND: Final = "pagerduty"
_FRESH: Final = timedelta(minutes=5)
_MOST_PAGES: Final = 10


class Directory:
    """Asked again after five minutes."""

    def __init__(self, client: PagerDutyClient, context: ConnectorContext) -> None:
        self._client, self._context = client, context
        self._read: tuple[datetime, list[GivenService], bool] | None = None

    async def all(self, *, anew: bool = False) -> tuple[list[GivenService], tuple[str, ...]]:
        """All of them that are in use, their names cleaned; and gaps. Raises AgentError."""
        if anew or self._read is None or self._context.now() - self._read[0] > _FRESH:
            listed = await self._client.pages(
                "/services", {"sort_by": "name"}, key="services", what="services", most_pages=_MOST_PAGES
            )
            found = [one for one in several(GivenService, listed.items, "services") if one.status != "disabled"]
            names = await self._context.clean_words([one.name for one in found])
            found = [one.model_copy(update={"name": name}) for one, name in zip(found, names, strict=True)]
            self._read = (self._context.now(), found, listed.more)
        _, found, more = self._read
        return found, (f"PagerDuty: only the first {len(found)} services were looked at",) if more else ()

    async def of(self, names: Iterable[str]) -> tuple[dict[str, str], tuple[str, ...]]:
        """The declared service by PagerDuty's id, of these; and gaps, as one that is none there. Raises AgentError."""
        wanted = [name for name in names if name in self._context.names]
        found, gaps = await self.all()
        known = {one.id: name for one in found if (name := self._declared(one)) in wanted and name}
        missing = [name for name in wanted if name not in known.values()]
        told = [f"{', '.join(missing)}: no service of PagerDuty is known to be that; see /autoheal services"]
        return known, (*gaps, *(told if missing else []))

    async def one(self, name: str) -> list[GivenService]:
        """PagerDuty's services of a declared one. Raises BadArguments where there is none."""
        self._context.require_declared([name], key="service")
        known, gaps = await self.of([name])
        if not known:
            raise BadArguments(gaps[-1])
        return [service for service in (await self.all())[0] if service.id in known]

    def _declared(self, given: GivenService) -> str | None:
        spelt = (given.name, given.id, service_name(given.name))
        return next((name for one in spelt if (name := belongs_to(one, self._context.services, KIND))), None)
