"""The routes of a gateway's configuration: which path goes to which service.

Read from the usual ways to write them: a `uri:` with a `Path=` predicate, a `location` with a `proxy_pass`, an Ingress
path with its backend's name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

_ITEM: Final = re.compile(r"\s*- (?:id|host|path|match|name):|\s*location\b")
_PATH: Final = re.compile(r"Path=([^,\s\"']+)|path:\s*[\"']?(/[^\s\"']*)|location\s+(?:[~^=*]+\s+)?(/\S*)")
_TARGET: Final = re.compile(r"(?:uri|url|proxy_pass|serviceName|host|name)\w*:?\s+[\"']?(?:\w+://)?([^\s\"';]+)")


@dataclass(frozen=True, kw_only=True)
class Route:
    """`lines` are the verbatim lines of the target and of the path, `head` is the one that its item begins with."""

    path: str
    target: str
    head: str
    lines: tuple[str, str]

    def goes_to(self, service: str) -> bool:
        return re.search(rf"(?<![\w-]){re.escape(service)}(?![\w-])", self.target) is not None

    @property
    def port(self) -> str:
        """The port that the target names, empty where it names none."""
        found = re.search(r":(\d{2,5})(?:/|$)", self.target)
        return found.group(1) if found else ""

    def covers(self, url: str) -> bool:
        return bool(self.path) and (url == self.path or url.startswith(f"{self.path}/"))

    def owner(self, services: Iterable[str]) -> str | None:
        """The service that the path itself names: `/api/orderservice` names `order-service`."""
        pieces = {_letters(piece) for piece in self.path.split("/") if len(piece) > 3}
        fitting = [
            s for s in services if any(piece in (_letters(s), _letters(s.partition("-")[2])) for piece in pieces)
        ]
        return fitting[0] if len(fitting) == 1 else None


def routes(text: str) -> list[Route]:
    """All routes in the order of the text."""
    items: list[list[str]] = [[]]
    for line in text.splitlines():
        if _ITEM.match(line):
            items.append([])
        items[-1].append(line)
    found = []
    for item in items:
        path = next(((m, line) for line in item if (m := _PATH.search(line))), None)
        target = next(((m, line) for line in item if (m := _TARGET.search(line)) and "id:" not in line), None)
        if path is not None and target is not None:
            way = next(g for g in path[0].groups() if g).rstrip("*").rstrip("/")
            lines = (target[1].strip(), path[1].strip())
            found.append(Route(path=way, target=target[0].group(1), head=item[0].strip(), lines=lines))
    return found


def _letters(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())
