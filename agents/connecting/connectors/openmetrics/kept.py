"""Scrapes as records that outlive the process: names once, then the numbers of each scrape in their order."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import Any, cast

from agents.connecting.connector import ConnectorContext
from agents.connecting.connectors.openmetrics.exposition import Sample
from agents.errors import AgentError
from agents.evidence.types import RawKind
from store.secrets.redaction import Redacted

_LOG = logging.getLogger(__name__)
_NAMES_AGAIN = 60  # scrapes after which the names are written again, so that they are in the newest file too
_NAME = "__name__"

_Key = tuple[str, tuple[tuple[str, str], ...], RawKind]


class Journal:
    """Of one target. Names and labels are cleaned before they are kept; numbers need no cleaning."""

    def __init__(self, context: ConnectorContext, name: str, *, most: int) -> None:
        self._context, self._name, self._most = context, name, most
        self._keys: list[_Key] = []
        self._names: list[list[Any]] = []
        self._written = 0

    async def write(self, at: datetime, samples: Sequence[Sample]) -> None:
        keys: list[_Key] = [(one.name, tuple(sorted(one.labels.items())), one.kind) for one in samples]
        record: dict[str, Any] = {"at": at.timestamp(), "values": [one.value for one in samples]}
        if keys != self._keys:
            try:
                self._names = await self._cleaned(samples)
            except AgentError:  # what could not be judged is not kept
                return
            self._keys, self._written = keys, 0
        if self._written % min(_NAMES_AGAIN, self._most) == 0:
            record["names"] = self._names
        self._written += 1
        await self._context.kept.keep(self._name, Redacted.ours(json.dumps(record)), most=self._most)

    async def since(self, start: datetime) -> AsyncIterator[tuple[datetime, list[Sample]]]:
        """The scrapes that were kept from then on, in time order."""
        names: list[list[Any]] = []
        newest = start.timestamp()
        for text in await self._context.kept.recall(self._name):
            try:
                record = json.loads(text)
                names = record.get("names", names)
                samples = [
                    Sample(name=name, labels=labels, kind=cast("RawKind", kind), value=float(value))
                    for (name, labels, kind), value in zip(names, record["values"], strict=True)
                ]
                at = float(record["at"])
            except (ValueError, KeyError, TypeError):
                _LOG.warning("action=scrape_not_recalled target=%s", self._name)
                continue
            if at >= newest and samples:
                newest = at
                yield datetime.fromtimestamp(at, tz=UTC), samples

    async def _cleaned(self, samples: Sequence[Sample]) -> list[list[Any]]:
        rows = await self._context.clean_rows([{**one.labels, _NAME: one.name} for one in samples])
        return [[row.pop(_NAME), row, one.kind] for row, one in zip(rows, samples, strict=True)]
