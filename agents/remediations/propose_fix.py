"""Opens a draft of a pull request with one small edit of one file that was read in the run. It merges nothing.

No workflow file is touched. Undo closes the draft and deletes its branch. The plan binds to the newest commit of the
branch.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from pydantic import ConfigDict, Field

from agents.remediation.code_hosts import CodeHostRemediation
from agents.rows import Altered, Configured, Contents, Row
from agents.tool import Arguments, Risk

_LONGEST: Final = 2_000
_SHORTEST_VERSION: Final = 7


class SmallFix(Arguments):
    model_config = ConfigDict(str_strip_whitespace=False)  # blanks before a line mean something

    service: str = Field(description="A declared service.")
    version: str = Field(pattern=r"^[0-9a-f]{7,64}$", description="The commit at which you read the file.")
    path: str = Field(max_length=300, description="The file, whose lines you read in this run.")
    old: str = Field(min_length=3, max_length=_LONGEST, description="What stands there now, once, to the letter.")
    new: str = Field(max_length=_LONGEST, description="What shall stand there instead.")
    title: str = Field(min_length=5, max_length=120, description="What it does, as the title of a commit.")


class ProposeFix(CodeHostRemediation):
    name = "propose_fix"
    title = "Draft a fix"
    risk = Risk.LOW
    arguments = SmallFix
    when = (
        "when a few lines of one file that you read in this run are the fault; it opens a draft only, so what heals "
        "at once comes first"
    )
    ready = "Draft of a fix ready."
    undoing = "close_pull_request"
    doing = "draft a fix"

    def unread(self, arguments: Mapping[str, str], rows: Iterable[Row]) -> str | None:
        path, version = arguments.get("path", ""), arguments.get("version", "").lower()
        for row in rows:
            if isinstance(row, Altered) and path in row.files and _same(row.to_version, version):
                return None
            if isinstance(row, Contents | Configured) and row.path == path and _same(row.version, version):
                return None
        return f"{path[:120] or 'the file'} was not read at {version[:10] or 'any version'} in this run"


def _same(one: str, other: str) -> bool:
    return len(other) >= _SHORTEST_VERSION and one.startswith(other)


REMEDIATION = ProposeFix()
