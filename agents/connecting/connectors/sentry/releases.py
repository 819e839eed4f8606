"""Releases and where they were deployed, as changes: when each took effect, and what ran there before."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC
from typing import Final
from urllib.parse import quote

from agents.connecting.connector import ConnectorContext
from agents.connecting.connectors.sentry.answers import SentryDeploy, SentryRelease, several
from agents.connecting.connectors.sentry.client import SentryClient
from agents.errors import AgentError
from agents.evidence.types import Change, Window

_PER_PAGE: Final = 50
_WITH_DEPLOYS: Final = 15  # releases with several deploys, which cost a question each
_AT_ONCE: Final = 4


class Releases:
    def __init__(self, client: SentryClient, context: ConnectorContext, environments: Sequence[str], web: str) -> None:
        self._client, self._context, self._environments, self._web = client, context, environments, web

    async def changes(self, known: Mapping[str, str], window: Window, gaps: list[str]) -> list[Change]:
        """Deploys within the window, oldest first; of a release that nobody deployed, that it was made. `known` is the
        service by the project's id. Raises AgentError.
        """
        params: dict[str, str | list[str]] = {"project": sorted(known), "per_page": str(_PER_PAGE)}
        listed = await self._client.pages("/releases/", params, what="releases", most_pages=2)
        found = several(SentryRelease, listed.items, "releases")
        oldest = min((release.at for release in found if release.at), default=window.end)
        if listed.more and oldest > window.start:
            gaps.append(f"Sentry: releases older than the newest {len(found)} were not read")
        gate = asyncio.Semaphore(_AT_ONCE)
        several_times = [release for release in found if release.deploys > 1]
        if len(several_times) > _WITH_DEPLOYS:
            gaps.append(f"Sentry: of {len(several_times) - _WITH_DEPLOYS} older releases only the last deploy was read")
        asked = {release.version for release in several_times[:_WITH_DEPLOYS]}

        async def deploys(release: SentryRelease) -> list[SentryDeploy]:
            last = [release.last_deploy] if release.last_deploy else []
            if release.version not in asked:
                return last
            try:
                what = f"deploys of release {release.version[:40]}"
                async with gate:
                    path = f"/releases/{quote(release.version, safe='')}/deploys/"
                    return several(SentryDeploy, (await self._client.pages(path, {}, what=what)).items, what)
            except AgentError as exc:
                gaps.append(f"Sentry: {exc}; of that release only the last deploy is known")
                return last

        read = await asyncio.gather(*map(deploys, found))
        told = [change for release, at in zip(found, read, strict=True) for change in self._told(release, at, known)]
        return _within(await self._cleaned(told), window)

    def _told(
        self, release: SentryRelease, deploys: Sequence[SentryDeploy], known: Mapping[str, str]
    ) -> list[tuple[Change, str]]:
        """Each with its environment."""
        services = [known[project.id] for project in release.projects if project.id in known]
        link = f"{self._web}/releases/{quote(release.version, safe='')}/"
        chosen = [one for one in deploys if not self._environments or one.environment in self._environments]
        made = [
            (
                f"{service}/{one.id}",
                service,
                one.finished,
                one.environment,
                f"deploy of {release.version} to {one.environment}",
            )
            for service in services
            for one in chosen
        ]
        if not deploys and release.at is not None:
            words = f"release {release.version} was made; no deploy of it was told"
            made = [(f"{service}/{release.version[:60]}", service, release.at, "", words) for service in services]
        return [
            (
                Change(
                    id=f"sentry-{key}",
                    service=service,
                    at=at.astimezone(UTC),
                    kind="deployment" if where else "other",
                    version=release.version,
                    summary=words,
                    link=link,
                ),
                where,
            )
            for key, service, at, where, words in made
        ]

    async def _cleaned(self, told: Sequence[tuple[Change, str]]) -> list[tuple[Change, str]]:
        rows = await self._context.clean_rows(
            [{"id": c.id, "version": c.version or "", "summary": c.summary, "link": c.link or ""} for c, _ in told]
        )
        return [
            (
                replace(change, id=row["id"], version=row["version"], summary=row["summary"], link=row["link"]),
                where,
            )
            for (change, where), row in zip(told, rows, strict=True)
        ]


def _within(told: Sequence[tuple[Change, str]], window: Window) -> list[Change]:
    """Those of the window, each with what was deployed to the same place before it."""
    found: list[Change] = []
    before: dict[tuple[str, str], str | None] = {}
    for change, where in sorted(told, key=lambda one: one[0].at):
        place = (change.service, where)
        if window.start <= change.at <= window.end:
            found.append(replace(change, previous_version=before.get(place) if where else None))
        before[place] = change.version
    return found
