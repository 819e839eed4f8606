"""Runs git so that a repository can do nothing: it may carry configuration that runs programs.

No hooks, pager, external diffs or text conversion, and the network is never reached. https://git-scm.com/docs/git-config
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from agents.errors import Unavailable
from agents.processes.process import Finished, run

_ENVIRONMENT = {
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "LC_ALL": "C.UTF-8",
    "HOME": "/nonexistent",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_PAGER": "cat",
}
_TIMEOUT_S = 10.0


async def run_git(repository: Path, arguments: Sequence[str], *, max_bytes: int) -> Finished:
    """As `process.run`; git is stopped where it prints more than `max_bytes`. Raises Unavailable."""
    program = shutil.which("git", path=_ENVIRONMENT["PATH"])
    if program is None:
        raise Unavailable("git is not installed on this host")
    settings = {
        "core.hooksPath": "/dev/null",
        "core.fsmonitor": "false",
        "core.attributesFile": "/dev/null",
        "core.quotePath": "false",
        "protocol.allow": "never",
        # The operator declared this repository; it may belong to another user of the host.
        "safe.directory": str(repository),
    }
    options = [part for key, value in settings.items() for part in ("-c", f"{key}={value}")]
    return await run(
        [program, "--no-pager", "-C", str(repository), *options, *arguments],
        environment=_ENVIRONMENT,
        timeout_s=_TIMEOUT_S,
        max_bytes=max_bytes,
        stop_at_cap=True,
    )
