"""Children that die with their parent, so that nothing is left behind after Ctrl-C or even SIGKILL.

On Linux the kernel does it (PR_SET_PDEATHSIG, see prctl(2)); elsewhere a thread watches getppid. Run as a script it
starts one service of the shop: `lifetime.py PARENT_PID MEMORY_BYTES FILE_BYTES APP`. It imports nothing of the package,
because services run with an isolated interpreter.
"""

import ctypes
import os
import resource
import runpy
import signal
import sys
import threading
import time
from pathlib import Path

PR_SET_PDEATHSIG = 1


def die_with_parent(parent_pid: int) -> None:
    """Ends this process when `parent_pid`, which must be the process that started it, ends."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    else:
        threading.Thread(target=_watch, args=(parent_pid,), daemon=True).start()
    if os.getppid() != parent_pid:
        os._exit(0)


def _watch(parent_pid: int) -> None:
    while os.getppid() == parent_pid:
        time.sleep(0.3)
    os._exit(0)


def _limit(kind: int, amount: int) -> None:
    _, hard = resource.getrlimit(kind)
    if hard == resource.RLIM_INFINITY or amount <= hard:
        resource.setrlimit(kind, (amount, hard))


def main(arguments: list[str]) -> None:
    parent_pid, memory_bytes, file_bytes, app = arguments
    die_with_parent(int(parent_pid))
    _limit(resource.RLIMIT_AS, int(memory_bytes))
    _limit(resource.RLIMIT_FSIZE, int(file_bytes))
    sys.path.insert(0, str(Path(app).parents[2] / "lib"))
    sys.argv = [app]
    runpy.run_path(app, run_name="__main__")


if __name__ == "__main__":
    main(sys.argv[1:])
