"""What cited rows are about, in the words that people have for it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from agents.gate.evidence import Evidence
from agents.gate.words import plain, stem_set
from agents.rows import (
    Alerted,
    Altered,
    Began,
    Changed,
    Configured,
    Contents,
    Filed,
    Logged,
    Moved,
    Noted,
    Row,
    Sampled,
    Searched,
    Silenced,
    State,
    Suspect,
    Traced,
    Tracked,
    Unread,
)


def row_words(rows: Sequence[Row]) -> frozenset[str]:
    """What the rows are about, in the words that people have for it."""
    return stem_set(" ".join(word for row in rows for word in _words_of(row)))


def _words_of(row: Row) -> Iterator[str]:
    yield next((words for kind, words in _KIND_WORDS if isinstance(row, kind)), "")
    if isinstance(row, Moved):
        yield f"{row.indicator} {row.family} {'calls' if row.peer else ''}"
        yield "requests" if _OF_REQUESTS.search(f"{row.family} {row.indicator}") else ""
    elif isinstance(row, Logged):
        yield row.level
        yield {"new": "pattern first new", "grown": "pattern often grown frequent"}.get(row.shift, "")
    elif isinstance(row, Searched):
        yield f"{row.what} {' '.join(row.wanted.values())}{_levels_above(row.wanted.get('level', ''))}"
    elif isinstance(row, State):
        yield row.name
    elif isinstance(row, Alerted):
        yield f"{row.name} {row.state} {row.severity}"
    elif isinstance(row, Configured):
        yield f"{row.key} {row.path} {row.value} {row.before} {_BECAME[row.kind]}"
    elif isinstance(row, Filed):
        yield f"{row.kind} {row.kind}s {row.title} {row.state} {row.severity}"
    elif isinstance(row, Sampled):
        yield "rate" if row.counted == "rate" else ""
        yield "fail failed error" if any(re.fullmatch(r"[45]\d\d", v) for v in row.labels.values()) else ""


_KIND_WORDS: Final[tuple[tuple[type[Row], str], ...]] = (
    (Changed, "deployment deployed change release diff version summary title cause candidate"),
    (Altered, "deployment deployed change release diff version summary title code"),
    (Logged, "log logged logs line lines"),
    (Began, "onset began uncertainty margin within"),
    (Suspect, "ranking ranks suspect confidence place abnormal behind ahead"),
    (Unread, "read answer unavailable"),
    (State, "runs state up"),
    (Alerted, "alert alerts fires firing fired active"),
    (Silenced, "silence silences silenced muted alert alerts"),
    (Contents, "configuration configured setting file code line"),
    (Tracked, "file files repository exists changed"),
    (Configured, "configuration configured config setting settings set value key file version"),
    (Filed, "open opened seen first last times"),
    (Noted, "note notes comment wrote says said"),
    (Traced, "request trace"),
    (Sampled, "series metric"),
)


_BECAME: Final[Mapping[str, str]] = {
    "": "",
    "same": "unchanged same",
    "changed": "changed change moved altered",
    "added": "new added introduced",
    "removed": "removed gone dropped",
}


_OF_REQUESTS: Final = re.compile(r"error|latency|traffic|request|calls")


SQL: Final = re.compile(r"\b(?:SELECT|INSERT INTO|UPDATE \w+ SET|DELETE FROM|ORDER BY|GROUP BY|LIMIT \?)")


_LEVELS: Final = ("trace", "debug", "info", "warn warning", "error", "critical", "fatal")


def _levels_above(level: str) -> str:
    """What is covered by a search from a level upwards."""
    place = next((n for n, names in enumerate(_LEVELS) if level in names.split()), len(_LEVELS))
    return "".join(f" {names}" for names in _LEVELS[place:])


_TOOL_WORDS: Final[Mapping[str, str]] = {
    "rank_causes": "ranking ranks engine evidence suspect indicator",
    "what_changed": "changes change list deployments",
    "compare_windows": "comparison window compared windows earlier later indicator",
    "read_diff": "diff change changes deployment adds removes line lines file",
    "compare_versions": "diff change changes deployment adds removes line lines file",
    "search_logs": "log logs logged lines files",
    "log_patterns": "log logs patterns",
    "latest_metrics": "metrics counter counts metric page",
    "metric_history": "metrics history series metric",
    "query": "prometheus metric query",
    "query_range": "prometheus metric query",
    "service_status": "status state runs version",
    "file_at": "file configuration config",
    "trace_breakdown": "traces requests time",
    "list_alerts": "alerts alert prometheus",
    "search_code": "code source line file repository",
    "list_files": "files file repository",
    "read_config": "configuration config settings setting file",
}


def context_words(evidence: Evidence, rows: Sequence[Row]) -> frozenset[str]:
    """Words of the result as a whole: what it is, what was asked of it, what a diff is about."""
    told = [_TOOL_WORDS.get(evidence.tool, evidence.tool), evidence.source]
    told += [str(v) for k, v in evidence.arguments.items() if k in ("service", "level", "contains", "name", "state")]
    for row in rows:
        if isinstance(row, Altered):
            told += [row.summary, *row.files, row.diff if len(row.diff) < 6_000 else ""]
        if isinstance(row, Contents):
            told += [row.path, row.text if len(row.text) < 6_000 else ""]
        if isinstance(row, Configured | Tracked):
            told.append(row.path)
        told.append(row.service)
    for row in evidence.rows:
        if isinstance(row, Searched):
            told += [row.what, *row.wanted.values()]
    return stem_set(plain(" ".join(told)))
