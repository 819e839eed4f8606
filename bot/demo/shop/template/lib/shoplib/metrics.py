"""Counters, gauges and histograms in Prometheus' text format."""

import os
import resource
import threading
import time

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
STARTED = time.time()


def labelled(labels):
    parts = [f'{key}="{value}"' for key, value in labels]
    return "{" + ",".join(parts) + "}" if parts else ""


def memory_bytes(place):
    """The process's address space (place 0) or what of it is in memory (place 1)."""
    try:
        with open("/proc/self/statm", encoding="ascii") as statm:
            return int(statm.read().split()[place]) * os.sysconf("SC_PAGE_SIZE")
    except FileNotFoundError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def limit_of(kind):
    limit = resource.getrlimit(kind)[0]
    return -1 if limit == resource.RLIM_INFINITY else limit


def open_files():
    for folder in ("/proc/self/fd", "/dev/fd"):
        if os.path.isdir(folder):
            return len(os.listdir(folder))
    return 0


class Metrics:
    def __init__(self):
        self.lock = threading.Lock()
        self.counters = {}
        self.histograms = {}
        self.gauges = {
            "process_resident_memory_bytes": lambda: memory_bytes(1),
            "process_virtual_memory_bytes": lambda: memory_bytes(0),
            "process_virtual_memory_max_bytes": lambda: limit_of(resource.RLIMIT_AS),
            "process_max_file_bytes": lambda: limit_of(resource.RLIMIT_FSIZE),
            "process_start_time_seconds": lambda: STARTED,
            "process_open_fds": open_files,
        }

    def count(self, name, amount=1, **labels):
        key = (name, tuple(labels.items()))
        with self.lock:
            self.counters[key] = self.counters.get(key, 0) + amount

    def observe(self, name, seconds, **labels):
        key = (name, tuple(labels.items()))
        with self.lock:
            cell = self.histograms.get(key)
            if cell is None:
                cell = self.histograms[key] = [[0] * len(BUCKETS), 0, 0.0]
            for place, limit in enumerate(BUCKETS):
                if seconds <= limit:
                    cell[0][place] += 1
            cell[1] += 1
            cell[2] += seconds

    def gauge(self, name, read):
        self.gauges[name] = read

    def render(self):
        lines, typed = [], set()

        def head(name, kind):
            if name not in typed:
                typed.add(name)
                lines.append(f"# TYPE {name} {kind}")

        with self.lock:
            counters = sorted(self.counters.items())
            histograms = sorted((key, (list(c[0]), c[1], c[2])) for key, c in self.histograms.items())
        for (name, labels), value in counters:
            head(name, "counter")
            lines.append(f"{name}{labelled(labels)} {value}")
        for (name, labels), (buckets, number, total) in histograms:
            head(name, "histogram")
            for limit, value in zip(BUCKETS, buckets):
                lines.append(f"{name}_bucket{labelled((*labels, ('le', limit)))} {value}")
            lines.append(f"{name}_bucket{labelled((*labels, ('le', '+Inf')))} {number}")
            lines.append(f"{name}_count{labelled(labels)} {number}")
            lines.append(f"{name}_sum{labelled(labels)} {total:.6f}")
        for name, read in sorted(self.gauges.items()):
            head(name, "gauge")
            lines.append(f"{name} {read()}")
        return "\n".join(lines) + "\n"
