"""Starts the shop's services, each from its own checkout, starts again what dies, and obeys `shopctl`.

A new process is ready before the old one stops accepting, so a deployment by itself costs customers nothing. What the
operator starts gets a fresh run folder; what comes back after a crash keeps the old one.
"""

import argparse
import asyncio
import contextlib
import http.client
import json
import os
import shutil
import signal
import sys
import urllib.request
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from bot.demo.shop.control import SOCKET
from bot.demo.shop.lifetime import die_with_parent
from bot.demo.shop.plan import ShopTopology, load_topology
from bot.demo.shop.repository import RepositoryError, ShopRepository
from bot.demo.shop.streams import standard_input

MEMORY_BYTES = 96 * 1024 * 1024
FILE_BYTES = 16 * 1024 * 1024
START_TIMEOUT_S = 30.0  # a busy machine is no failure: this ends only what hangs
STOP_TIMEOUT_S = 20.0  # longer than a service takes to answer its open requests
FIRST_BACK_OFF_S = 0.5
LONGEST_BACK_OFF_S = 4.0
STEADY_AFTER_S = 30.0
REMEMBERED = 50  # instances of a service, the newest


class RefusedError(Exception):
    """The request was wrong, or the service did not start; the text says what to do."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


@dataclass(kw_only=True)
class Instance:
    """One process of a service. Those of one `run` share its folder: each but the first took over from a dead one."""

    process: asyncio.subprocess.Process
    run: int
    version: str
    run_dir: Path
    started_at: datetime
    ended_at: datetime | None = None
    last_words: deque[str] = field(default_factory=lambda: deque(maxlen=12))


@dataclass(kw_only=True)
class Managed:
    """A service as the supervisor sees it."""

    name: str
    version: str
    previous_version: str | None
    state: Literal["running", "restarting", "stopped"] = "stopped"
    instance: Instance | None = None
    restarts: int = 0
    back_off_s: float = FIRST_BACK_OFF_S
    runs: int = 0
    instances: deque[Instance] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    last_operation: dict[str, str] | None = None
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


def now() -> datetime:
    return datetime.now(UTC)


def stamp(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Supervisor:
    def __init__(self, topology: ShopTopology) -> None:
        self.topology = topology
        self.repository = ShopRepository(topology.repository, topology.names)
        self.git_lock = asyncio.Lock()
        self.stopping = False
        self.log_file = (topology.home / "logs" / "supervisor.log").open("a", buffering=1)
        self.watchers: set[asyncio.Task[None]] = set()
        self.services = {name: self._known(name) for name in topology.names.values()}
        self.commands: dict[str, Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]] = {
            "deploy": self.deploy,
            "rollback": self.rollback,
            "restart": self.restart,
            "status": self.status,
            "instances": self.instances,
        }

    def _known(self, name: str) -> Managed:
        versions = self.repository.deployments(name)
        earlier = [version for version in versions if version != versions[-1]]
        return Managed(name=name, version=versions[-1], previous_version=earlier[-1] if earlier else None)

    def log(self, level: str, message: str, **fields: object) -> None:
        entry = {"time": stamp(now()), "level": level, "service": "supervisor", "message": message, **fields}
        self.log_file.write(json.dumps(entry) + "\n")

    async def start_all(self) -> None:
        await asyncio.gather(*(self._put_in_place(service, service.version) for service in self.services.values()))

    async def stop_all(self) -> None:
        self.stopping = True
        instances = [service.instance for service in self.services.values() if service.instance]
        await asyncio.gather(*(self._stop(instance) for instance in instances))

    async def _in_git(self, work: Callable[[], str | None]) -> str | None:
        async with self.git_lock:
            return await asyncio.to_thread(work)

    async def _put_in_place(self, service: Managed, commit: str) -> None:
        """Starts `commit` in a fresh run folder, then stops what ran before; RefusedError when it does not start."""
        release = self.topology.home / "releases" / service.name / commit[:12]
        await self._in_git(lambda: self.repository.check_out(commit, release))
        service.runs += 1
        run_dir = self.topology.home / "run" / service.name / str(service.runs)
        run_dir.mkdir(parents=True)
        fresh = await self._start(service, commit, release, run_dir)
        old, service.instance = service.instance, fresh
        service.state, service.back_off_s = "running", FIRST_BACK_OFF_S
        if commit != service.version:
            service.previous_version, service.version = service.version, commit
        if old is not None:
            await self._stop(old)
            shutil.rmtree(old.run_dir, ignore_errors=True)
        await self._answers(service)

    async def _start(self, service: Managed, commit: str, release: Path, run_dir: Path) -> Instance:
        app = release / "services" / service.name / "app.py"
        launcher = Path(__file__).with_name("lifetime.py")
        limits = (str(os.getpid()), str(MEMORY_BYTES), str(FILE_BYTES))
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-I", "-S", "-B", str(launcher), *limits, str(app),
            env=self._environment(service, run_dir),
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        instance = Instance(process=process, run=service.runs, version=commit, run_dir=run_dir, started_at=now())
        self._watch(self._listen(service, instance))
        ready = b""
        if process.stdout is not None:
            with contextlib.suppress(TimeoutError):
                ready = await asyncio.wait_for(process.stdout.readline(), START_TIMEOUT_S)
        if ready.strip() != b"ready":
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
            await asyncio.sleep(0.05)
            words = "; ".join(line.strip() for line in list(instance.last_words)[-4:]) or "it said nothing"
            raise RefusedError(f"{service.name} did not start: {words}", 1)
        service.instances.append(instance)
        self._watch(self._revive(service, instance, release))
        return instance

    def _environment(self, service: Managed, run_dir: Path) -> dict[str, str]:
        endpoints = {name: self.topology.url(name) for name in self.topology.ports}
        endpoints[self.topology.provider] = f"http://127.0.0.1:{self.topology.provider_port}"
        return {
            "SERVICE": service.name,
            "PORT": str(self.topology.ports[service.name]),
            "DATA_DIR": str(self.topology.home / "data"),
            "RUN_DIR": str(run_dir),
            "LOG_FILE": str(self.topology.log(service.name)),
            "ENDPOINTS": json.dumps(endpoints),
            "LC_ALL": "C.UTF-8",
            "MALLOC_ARENA_MAX": "1",
        }

    def _watch(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self.watchers.add(task)
        task.add_done_callback(self.watchers.discard)

    async def _listen(self, service: Managed, instance: Instance) -> None:
        """What a process writes to its error output goes to the supervisor's log."""
        if instance.process.stderr is None:
            return
        async for line in instance.process.stderr:
            words = line.decode(errors="replace").rstrip()
            instance.last_words.append(words)
            self.log("WARNING", f"{service.name}: {words}", pid=instance.process.pid)

    async def _revive(self, service: Managed, instance: Instance, release: Path) -> None:
        """Waits for the end of a process; when nobody asked for it, starts another one after a pause."""
        code = await instance.process.wait()
        instance.ended_at = now()
        while service.instance is instance and not self.stopping:
            lived_s = (now() - instance.started_at).total_seconds()
            if lived_s > STEADY_AFTER_S:
                service.back_off_s = FIRST_BACK_OFF_S
            service.state = "restarting"
            self.log(
                "ERROR",
                f"{service.name} ended with exit code {code} after {lived_s:.1f} s,"
                f" next start in {service.back_off_s} s",
                pid=instance.process.pid,
            )
            await asyncio.sleep(service.back_off_s)
            service.back_off_s = min(service.back_off_s * 2, LONGEST_BACK_OFF_S)
            async with service.lock:
                if service.instance is not instance or self.stopping:
                    return
                service.restarts += 1
                try:
                    service.instance = await self._start(service, instance.version, release, instance.run_dir)
                    service.state = "running"
                except RefusedError as refused:
                    self.log("ERROR", str(refused))

    async def _stop(self, instance: Instance) -> None:
        process = instance.process
        if process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), STOP_TIMEOUT_S)
        except TimeoutError:
            process.kill()
            await process.wait()

    async def _answers(self, service: Managed) -> None:
        """Returns when the health route is answered by the new process. Raises RefusedError after the time-out."""
        deadline = asyncio.get_running_loop().time() + START_TIMEOUT_S
        while asyncio.get_running_loop().time() < deadline:
            pid = await asyncio.to_thread(_pid_behind, f"{self.topology.url(service.name)}/health")
            if service.instance is not None and pid == service.instance.process.pid:
                return
            await asyncio.sleep(0.02)
        raise RefusedError(f"{service.name} started, but its health route does not answer", 1)

    def _find(self, request: dict[str, Any]) -> Managed:
        name = request.get("service")
        if name not in self.services:
            raise RefusedError(f"there is no service {name!r}; there are {', '.join(self.services)}", 2)
        return self.services[str(name)]

    async def deploy(self, request: dict[str, Any]) -> dict[str, Any]:
        service, ref = self._find(request), request.get("ref")
        if ref is None:
            await self._in_git(lambda: self.repository.commit_edits_by_hand(service.name))
        return await self._move(service, ref or "HEAD", "deploy")

    async def rollback(self, request: dict[str, Any]) -> dict[str, Any]:
        if not request.get("ref"):
            raise RefusedError("a rollback needs --to REF", 2)
        return await self._move(self._find(request), str(request["ref"]), "rollback")

    async def _move(self, service: Managed, ref: str, operation: str) -> dict[str, Any]:
        try:
            commit = await self._in_git(lambda: self.repository.resolve(ref, service.name)) or ""
        except RepositoryError as unknown:
            raise RefusedError(str(unknown), 2) from unknown
        async with service.lock:
            before = service.version
            changed = commit != before or service.state == "stopped"
            tag = None
            if changed:
                await self._put_in_place(service, commit)
                tag = await self._in_git(lambda: self.repository.tag_deployment(service.name, commit))
                self._note(service, operation)
                self.log("INFO", f"{operation} of {service.name}", version=commit, previous_version=before)
        return {
            "operation": operation,
            "service": service.name,
            "from": before,
            "to": commit,
            "changed": changed,
            "tag": tag,
        }

    async def restart(self, request: dict[str, Any]) -> dict[str, Any]:
        service = self._find(request)
        async with service.lock:
            await self._put_in_place(service, service.version)
            self._note(service, "restart")
            self.log("INFO", f"restart of {service.name}", version=service.version)
            pid = service.instance.process.pid if service.instance else None
        return {
            "operation": "restart",
            "service": service.name,
            "from": service.version,
            "to": service.version,
            "changed": True,
            "pid": pid,
        }

    def _note(self, service: Managed, operation: str) -> None:
        service.last_operation = {"operation": operation, "at": stamp(now())}

    async def status(self, request: dict[str, Any]) -> dict[str, Any]:
        if request.get("service") is not None:
            return self._describe(self._find(request))
        return {"services": {name: self._describe(service) for name, service in self.services.items()}}

    async def instances(self, _: dict[str, Any]) -> dict[str, Any]:
        """The newest processes of each service that became ready, oldest first."""
        return {name: [_told(one) for one in service.instances] for name, service in self.services.items()}

    def _describe(self, service: Managed) -> dict[str, Any]:
        instance = service.instance
        alive = instance is not None and instance.process.returncode is None
        url = self.topology.url(service.name)
        return {
            "service": service.name,
            "version": service.version,
            "previous_version": service.previous_version,
            "state": service.state if alive or service.state != "running" else "restarting",
            "pid": instance.process.pid if instance and alive else None,
            "started_at": stamp(instance.started_at) if instance else None,
            "restarts": service.restarts,
            "instances": 1,
            "last_operation": service.last_operation,
            "url": url,
            "metrics_url": f"{url}/metrics",
            "log": str(self.topology.log(service.name)),
        }

    async def _obey(self, request: dict[str, Any]) -> dict[str, Any]:
        command = self.commands.get(str(request.get("command")))
        if command is None:
            known = ", ".join(self.commands)
            raise RefusedError(f"there is no command {request.get('command')!r}; there are {known}", 2)
        return await command(request)

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request of shopctl."""
        try:
            request: dict[str, Any] = json.loads(await reader.readline())
            answer = await self._obey(request)
        except RefusedError as refused:
            answer = {"error": str(refused), "code": refused.code}
        except (RepositoryError, OSError) as failure:
            answer = {"error": str(failure), "code": 1}
        with contextlib.suppress(ConnectionError):
            writer.write(json.dumps(answer).encode() + b"\n")
            await writer.drain()
            writer.close()


def _told(instance: Instance) -> dict[str, Any]:
    return {
        "run": instance.run,
        "version": instance.version,
        "started_at": stamp(instance.started_at),
        "ended_at": stamp(instance.ended_at) if instance.ended_at else None,
        "exit_code": instance.process.returncode,
    }


def _pid_behind(url: str) -> int | None:
    try:
        with urllib.request.urlopen(url, timeout=1.0) as response:  # noqa: S310 - our own loopback address
            return int(json.loads(response.read())["pid"])
    except (OSError, http.client.HTTPException):
        return None


async def _end_of_input(stop: asyncio.Event) -> None:
    await (await standard_input()).read()
    stop.set()


async def run(home: Path) -> None:
    """Says `ready` on its output once all services answer; ends with SIGTERM or when its input closes."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    os.chdir(home)
    supervisor = Supervisor(load_topology(home))
    try:
        await supervisor.start_all()
        server = await asyncio.start_unix_server(supervisor.answer, path=SOCKET)
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        until_parent_closes = asyncio.create_task(_end_of_input(stop))
        await stop.wait()
        until_parent_closes.cancel()
        server.close()
    finally:
        await supervisor.stop_all()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(SOCKET)  # noqa: PTH108 - one system call at the end, nothing waits for the loop


def main() -> None:
    parser = argparse.ArgumentParser(prog="supervisor", description="Runs the services of a sample shop.")
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--parent", type=int, required=True, help="the process that must outlive this one")
    options = parser.parse_args()
    die_with_parent(options.parent)
    asyncio.run(run(options.home.resolve()))


if __name__ == "__main__":
    main()
