"""Which projects there are at Sentry, and which declared service each of them is: by its slug, or by a catalog alias of
the kind `sentry`.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from agents.connecting.catalog import service_name
from agents.connecting.connector import ConnectorContext
from agents.connecting.connectors.sentry.answers import SentryProject, several
from agents.connecting.connectors.sentry.client import SentryClient
from agents.errors import BadArguments
from agents.language.service_names import belongs_to

KIND: Final = "sentry"
_FRESH: Final = timedelta(minutes=5)
_MOST_PAGES: Final = 5


class Projects:
    """Asked again after five minutes."""

    def __init__(self, client: SentryClient, context: ConnectorContext) -> None:
        self._client, self._context = client, context
        self._read: tuple[datetime, list[SentryProject], bool] | None = None

    async def all(self, *, anew: bool = False) -> tuple[list[SentryProject], tuple[str, ...]]:
        """All that the token may see, and gaps. Raises AgentError."""
        if anew or self._read is None or self._context.now() - self._read[0] > _FRESH:
            listed = await self._client.pages("/projects/", {}, what="projects", most_pages=_MOST_PAGES)
            self._read = (self._context.now(), several(SentryProject, listed.items, "projects"), listed.more)
        _, found, more = self._read
        return found, (f"Sentry: only the first {len(found)} projects were looked at",) if more else ()

    async def of(self, names: Iterable[str]) -> tuple[dict[str, str], tuple[str, ...]]:
        """The declared service by the project's id, of these; and gaps, as one that is none. Raises AgentError."""
        wanted = [name for name in names if name in self._context.names]
        found, gaps = await self.all()
        known = {one.id: name for one in found if (name := self._declared(one)) in wanted and name}
        missing = [name for name in wanted if name not in known.values()]
        told = [f"{', '.join(missing)}: no project of Sentry is known to be that; see /autoheal services"]
        return known, (*gaps, *(told if missing else []))

    async def one(self, name: str) -> dict[str, str]:
        """As `of`, of one service. Raises BadArguments where there is none."""
        self._context.require_declared([name], key="service")
        known, gaps = await self.of([name])
        if not known:
            raise BadArguments(gaps[-1])
        return known

    def _declared(self, given: SentryProject) -> str | None:
        spelt = (given.slug, service_name(given.slug))
        return next((name for one in spelt if (name := belongs_to(one, self._context.services, KIND))), None)
