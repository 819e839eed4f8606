"""A pool of SQLite connections. A request holds one connection from its first query to its last."""

import queue
import sqlite3
import time
from contextlib import contextmanager


class PoolTimeout(Exception):
    """No connection became free in time."""


class Connection:
    def __init__(self, path, metrics):
        self.raw = sqlite3.connect(path, check_same_thread=False, isolation_level=None, timeout=2.0)
        self.raw.row_factory = lambda cursor, row: {c[0]: v for c, v in zip(cursor.description, row)}
        self.raw.execute("PRAGMA journal_mode = WAL")
        self.raw.execute("PRAGMA synchronous = OFF")
        self.metrics = metrics

    def query(self, name, sql, parameters=()):
        """All rows as dicts; `name` labels the duration in the metrics."""
        began = time.perf_counter()
        try:
            return self.raw.execute(sql, parameters).fetchall()
        finally:
            self.metrics.observe("db_query_duration_seconds", time.perf_counter() - began, query=name)

    def one(self, name, sql, parameters=()):
        rows = self.query(name, sql, parameters)
        return rows[0] if rows else None


class Pool:
    def __init__(self, path, metrics, pool_size, pool_timeout_s):
        self.path, self.size, self.timeout_s, self.metrics = path, pool_size, pool_timeout_s, metrics
        self.free = queue.LifoQueue()
        for _ in range(pool_size):
            self.free.put(Connection(path, metrics))
        metrics.gauge("db_pool_size", lambda: self.size)
        metrics.gauge("db_pool_in_use", self.in_use)

    def in_use(self):
        return self.size - self.free.qsize()

    def extra_connection(self):
        """A connection outside the pool, for work in the background."""
        return Connection(self.path, self.metrics)

    @contextmanager
    def connection(self):
        began = time.perf_counter()
        try:
            connection = self.free.get(timeout=self.timeout_s)
        except queue.Empty:
            raise PoolTimeout(
                f"no database connection within {self.timeout_s} s (pool size {self.size}, {self.in_use()} in use)"
            ) from None
        finally:
            self.metrics.observe("db_pool_wait_seconds", time.perf_counter() - began)
        try:
            yield connection
        finally:
            self.free.put(connection)
