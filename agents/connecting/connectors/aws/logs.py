"""Logs of CloudWatch: a sample of a window by FilterLogEvents, the newest lines by Logs Insights.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html -- FilterLogEvents answers the
oldest first, so a window is asked for in slices; Insights is paid by what it looks through, so its window is short.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from agents.connecting.clean_lines import READ, clean_lines
from agents.connecting.connector import ConnectorContext, LogsRead
from agents.connecting.connectors.aws.ecs import EcsReader
from agents.connecting.connectors.aws.session import AwsSession
from agents.connecting.connectors.aws.settings import AwsConfig
from agents.errors import AgentError, BadArguments
from agents.evidence.logs.lines import parse_line
from agents.evidence.types import LogLine, Window
from store.secrets.redaction import Redactor

_MOST_SERVICES: Final = 10
_QUESTIONS: Final = 24
_SLICES: Final = 6
_SHORTEST_SLICE: Final = timedelta(seconds=30)
_LINES: Final = 1_000
_AT_ONCE: Final = 3
_MOST_GROUPS: Final = 5
_POLLS: Final = 30
_POLL_S: Final = 0.5
_OVER: Final = frozenset({"Complete", "Failed", "Cancelled", "Timeout"})
Raw = tuple[datetime, str, str]
"""When, from which stream, what."""


class CloudWatchLogs:
    """Of one connection."""

    def __init__(self, session: AwsSession, config: AwsConfig, context: ConnectorContext, ecs: EcsReader) -> None:
        self._session, self._config, self._context, self._ecs = session, config, context, ecs

    async def read(self, window: Window, services: Sequence[str]) -> LogsRead:
        """Lines of the services in time order. Raises an AgentError when none could be read."""
        chosen, gaps, failures = services[:_MOST_SERVICES], list[str](), list[AgentError]()
        if len(services) > len(chosen):
            gaps.append(f"CloudWatch: logs of {len(chosen)} of {len(services)} services were read")
        groups: list[tuple[str, str]] = []
        for service in chosen:
            try:
                groups += [(service, group) for group in await self.groups(service)]
            except AgentError as exc:
                failures.append(exc)
                gaps.append(f"{service}: its log groups are not known: {exc}")
        if failures and len(failures) == len(chosen):
            raise failures[0]
        known = {service for service, _ in groups} | {gap.partition(":")[0] for gap in gaps}
        gaps += [f"{service}: CloudWatch has no log group of it" for service in chosen if service not in known]
        lines = await self._slices(groups, window, gaps)
        return LogsRead(lines=sorted(lines, key=lambda line: line.time), gaps=tuple(dict.fromkeys(gaps)))

    async def groups(self, service: str) -> list[str]:
        """As the settings say, else as the task definition does, else those whose names have the service's."""
        if service in self._config.log_groups:
            return list(self._config.log_groups[service])
        try:
            found = await self._ecs.log_groups(await self._ecs.one(service))
        except BadArguments:
            found = []
        if found:
            return found[:_MOST_GROUPS]
        read = await self._session.pages(
            "logs",
            "describe_log_groups",
            "logGroups",
            what=f"log groups of {service}",
            most_pages=1,
            logGroupNamePattern=service,
        )
        return [str(one["logGroupName"]) for one in read.items][:_MOST_GROUPS]

    async def newest(
        self, service: str, groups: Sequence[str], window: Window, *, words: str, most: int
    ) -> tuple[list[LogLine], bool]:
        """The newest lines with these words, cleaned; whether there may be more."""
        sought = f" | filter @message like {_quoted(words)}" if words else ""
        query = f"fields @timestamp, @logStream, @message{sought} | sort @timestamp desc | limit {most}"
        what = f"logs of {service}"
        started = await self._session.call(
            "logs",
            "start_query",
            what=what,
            logGroupNames=list(groups),
            startTime=int(window.start.timestamp()),
            endTime=int(window.end.timestamp()),
            queryString=query,
        )
        number = str(started["queryId"])
        answer: dict[str, Any] = {}
        for _ in range(_POLLS):
            answer = await self._session.call("logs", "get_query_results", what=what, queryId=number)
            if answer.get("status") in _OVER:
                break
            await self._context.outbound.pause(_POLL_S)
        else:
            await self._session.call("logs", "stop_query", what=what, queryId=number)
        rows = [{field["field"]: field.get("value", "") for field in row} for row in answer.get("results") or ()]
        raw = [
            (_moment(row["@timestamp"]), row.get("@logStream", ""), row.get("@message", ""))
            for row in rows
            if row.get("@timestamp")
        ]
        lines = await self._cleaned(raw, service, window)
        return lines, len(rows) >= most or answer.get("status") != "Complete"

    async def _slices(self, groups: Sequence[tuple[str, str]], window: Window, gaps: list[str]) -> list[LogLine]:
        turns, failures = asyncio.Semaphore(_AT_ONCE), list[AgentError]()
        count = max(1, min(_SLICES, _QUESTIONS // max(1, len(groups)), (window.end - window.start) // _SHORTEST_SLICE))
        length = (window.end - window.start) / count
        cut: set[str] = set()

        async def of(service: str, group: str, start: datetime) -> list[LogLine]:
            async with turns:
                try:
                    answer = await self._session.call(
                        "logs",
                        "filter_log_events",
                        what=f"logs of {service}",
                        logGroupName=group,
                        startTime=_ms(start),
                        endTime=_ms(start + length),
                        limit=_LINES,
                    )
                except AgentError as exc:
                    failures.append(exc)
                    return []
            events = answer.get("events") or []
            if answer.get("nextToken") and len(events) >= _LINES:
                cut.add(service)
            raw = [
                (
                    datetime.fromtimestamp(e["timestamp"] / 1000, tz=UTC),
                    e.get("logStreamName", ""),
                    e.get("message", ""),
                )
                for e in events
            ]
            return await self._cleaned(raw, service, window)

        asked = [(service, group, window.start + length * n) for n in range(count) for service, group in groups]
        read = await asyncio.gather(*(of(*one) for one in asked))
        if failures and len(failures) == len(asked):
            raise failures[0]
        gaps += [f"CloudWatch: {failure}" for failure in dict.fromkeys(map(str, failures))]
        if cut:
            gaps.append(f"CloudWatch: only a part of the lines was read of {', '.join(sorted(cut))}")
        return [line for one in read for line in one]

    async def _cleaned(self, raw: list[Raw], service: str, window: Window) -> list[LogLine]:
        redactor = await self._context.portable_redactor()
        return await self._context.compute(read_events, raw, service, window, redactor)


def read_events(raw: Sequence[Raw], service: str, window: Window, redactor: Redactor) -> list[LogLine]:
    """Lines under the server's times, those of each stream in the order in which they were written, cleaned."""
    streams: dict[str, list[LogLine]] = {}
    for at, stream, said in sorted(raw, key=lambda one: one[0]):
        parsed = parse_line(said.rstrip()[:READ].encode(), UTC, written=window.end)
        line = LogLine(time=at, service=service, level=parsed.level, text=parsed.text, fields=parsed.fields)
        streams.setdefault(stream, []).append(line)
    return [line for one in streams.values() for line in clean_lines(one, redactor)]


def _quoted(words: str) -> str:
    escaped = words.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _ms(at: datetime) -> int:
    return int(at.timestamp() * 1000)


def _moment(told: str) -> datetime:
    """As Insights writes it: without a zone, in UTC."""
    return datetime.fromisoformat(told).replace(tzinfo=UTC)
