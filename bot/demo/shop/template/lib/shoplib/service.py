"""A small HTTP service: routes, a bounded number of workers, metrics, logs, a clean stop."""

import json
import os
import re
import select
import signal
import socketserver
import threading
import time
import tomllib
import traceback
import uuid
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

from shoplib.client import Client, PeerError
from shoplib.database import Pool, PoolTimeout
from shoplib.logs import Log, trace
from shoplib.metrics import Metrics

DRAINING_TURN_S = 0.01
DRAINING_TURNS = 500  # as long as customers wait


class HttpError(Exception):
    def __init__(self, status, message):
        super().__init__(message)
        self.status = status


@dataclass
class Request:
    url: str
    params: tuple
    query: dict
    body: object


class Service:
    """Reads its place from the environment (SERVICE, PORT, DATA_DIR, RUN_DIR, LOG_FILE, ENDPOINTS) and config.toml."""

    def __init__(self, app_file):
        with open(os.path.join(os.path.dirname(os.path.abspath(app_file)), "config.toml"), "rb") as file:
            self.config = tomllib.load(file)
        self.name = os.environ["SERVICE"]
        self.run_dir = os.environ["RUN_DIR"]
        self.metrics = Metrics()
        self.log = Log(os.environ["LOG_FILE"], self.name)
        database = os.path.join(os.environ["DATA_DIR"], f"{self.name}.db")
        self.pool = Pool(database, self.metrics, **self.config["database"])
        self.database = self.pool.connection
        self.client = Client(json.loads(os.environ["ENDPOINTS"]), self.metrics, **self.config["client"])
        self.routes = []
        self.in_flight = 0
        self.in_flight_lock = threading.Lock()
        self.workers = threading.BoundedSemaphore(self.config["http"]["workers"])
        self.metrics.gauge("http_requests_in_flight", lambda: self.in_flight)
        self.metrics.gauge("http_workers", lambda: self.config["http"]["workers"])

    def get(self, pattern):
        return self.route("GET", pattern)

    def post(self, pattern):
        return self.route("POST", pattern)

    def route(self, method, pattern):
        expression = re.compile(re.sub(r"\{\w+\}", r"([^/]+)", pattern) + "$")

        def add(handler):
            self.routes.append((method, pattern, expression, handler))
            return handler

        return add

    def answer(self, method, url, body, trace_id):
        """(status, JSON value) for a request, measured and logged."""
        parts = urlsplit(url)
        for known, pattern, expression, handler in self.routes:
            match = expression.match(parts.path)
            if match and known == method:
                break
        else:
            return 404, {"error": f"no route for {method} {parts.path}"}
        trace.id = trace_id or uuid.uuid4().hex
        began = time.perf_counter()
        with self.in_flight_lock:
            self.in_flight += 1
        try:
            request = Request(url, match.groups(), dict(parse_qsl(parts.query)), json.loads(body or b"null"))
            status, value = self.work(handler, request, f"{method} {pattern}")
        finally:
            with self.in_flight_lock:
                self.in_flight -= 1
        seconds = time.perf_counter() - began
        self.metrics.observe("http_request_duration_seconds", seconds, route=pattern)
        self.metrics.count("http_requests_total", route=pattern, method=method, status=str(status))
        self.log.info(f"{method} {parts.path} {status}", route=pattern, status=status, duration_ms=round(seconds * 1000, 1))
        return status, value

    def work(self, handler, request, route):
        waited_from = time.perf_counter()
        queue_timeout_s = self.config["http"]["queue_timeout_s"]
        free = self.workers.acquire(timeout=queue_timeout_s)
        self.metrics.observe("http_queue_wait_seconds", time.perf_counter() - waited_from)
        if not free:
            busy = self.config["http"]["workers"]
            self.log.error(f"{route}: no free worker within {queue_timeout_s} s ({busy} busy, {self.in_flight} requests in flight)")
            return 503, {"error": "overloaded"}
        try:
            return 200, handler(request)
        except HttpError as refused:
            if refused.status >= 500:
                self.log.error(f"{route}: {refused}")
            return refused.status, {"error": str(refused)}
        except PeerError as failure:
            if failure.status is not None and failure.status < 500:
                return failure.status, {"error": str(failure)}
            self.log.error(f"{route}: {failure}")
            return 502, {"error": "a service behind this one failed"}
        except PoolTimeout as failure:
            self.log.error(f"{route}: {failure}")
            return 503, {"error": "database connections exhausted"}
        except MemoryError:
            self.out_of_memory(route)
        except Exception as failure:
            self.log.error(f"{route}: {type(failure).__name__}: {failure}", exception=traceback.format_exc(limit=-4))
            return 500, {"error": "internal error"}
        finally:
            self.workers.release()

    def out_of_memory(self, where):
        """A process that got no memory is in no known state: say so and end; whoever started it starts a new one."""
        try:
            self.log.critical(f"{where}: MemoryError: out of memory, exiting")
        finally:
            os._exit(1)

    def run(self):
        threading.stack_size(512 * 1024)
        stop = threading.Event()
        signal.signal(signal.SIGTERM, lambda *_: stop.set())
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        server = Server(("127.0.0.1", int(os.environ["PORT"])), handler_for(self))
        server.service = self
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        self.log.info("started", pid=os.getpid())
        print("ready", flush=True)
        stop.wait()
        server.shutdown()
        while select.select([server], [], [], 0)[0]:
            server.handle_request()
        server.server_close()
        # Counted in turns and not by the clock: a machine that stood still for a while has not given anybody time.
        for _ in range(DRAINING_TURNS):
            if not server.open_connections:
                break
            time.sleep(DRAINING_TURN_S)
        self.log.info("stopped", pid=os.getpid())


class Server(ThreadingHTTPServer):
    allow_reuse_address = True
    allow_reuse_port = True
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128
    timeout = 0
    open_connections = 0
    counting = threading.Lock()

    def server_bind(self):
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[:2]

    def process_request(self, request, client_address):
        with self.counting:
            self.open_connections += 1
        super().process_request(request, client_address)

    def process_request_thread(self, request, client_address):
        try:
            super().process_request_thread(request, client_address)
        finally:
            with self.counting:
                self.open_connections -= 1

    def handle_error(self, request, client_address):
        try:
            failure = traceback.format_exc(limit=-2)
        except MemoryError:
            self.service.out_of_memory("server")
        if "MemoryError" in failure or "can't start new thread" in failure:
            self.service.out_of_memory("server")
        if "ConnectionResetError" not in failure and "BrokenPipeError" not in failure:
            self.service.log.error("connection failed", exception=failure)


def handler_for(service):
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            path = self.path.partition("?")[0]
            if path == "/metrics":
                self.send(200, "text/plain; version=0.0.4", service.metrics.render().encode())
            elif path == "/health":
                self.send_json(200, {"status": "ok", "service": service.name, "pid": os.getpid()})
            else:
                self.send_json(*service.answer("GET", self.path, b"", self.headers.get("X-Trace-Id")))

        def do_POST(self):
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            self.send_json(*service.answer("POST", self.path, body, self.headers.get("X-Trace-Id")))

        def send_json(self, status, value):
            self.send(status, "application/json", json.dumps(value).encode())

        def send(self, status, kind, content):
            """Head and body in one piece: whoever has the one has the other, also when the process ends just then."""
            first = f"{self.protocol_version} {status} {self.responses[status][0]}"
            head = f"{first}\r\nContent-Type: {kind}\r\nContent-Length: {len(content)}\r\n\r\n"
            self.wfile.write(head.encode() + content)

        def log_message(self, *_):
            """Requests are logged by the service."""

    return Handler
