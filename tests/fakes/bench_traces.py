"""A source of traces for tests of the engine: a request a second, of which payments takes ever so long lately."""

from collections.abc import Sequence
from datetime import timedelta

import numpy as np

from agents.connecting.connector import Check, ConnectorConfig, SpansRead
from agents.evidence.types import Spans, Window
from tests.fakes.bare_connector import BareConnector

SLOW_FOR = timedelta(minutes=1)


class BenchTraces(BareConnector):
    """Checkout takes 10 ms and waits for payments: 20 ms, and 500 ms in the window's last minute."""

    name = "bench_traces"
    title = "Bench traces"
    config_model = ConnectorConfig

    def __init__(self, *, gaps: tuple[str, ...] = ()) -> None:
        self.reads = 0
        self._gaps = gaps

    async def check(self) -> Check:
        return Check(ok=True, detail="made up")

    async def read_spans(self, window: Window, services: Sequence[str] | None = None) -> SpansRead:
        del services
        self.reads += 1
        began = np.arange(window.start.timestamp(), window.end.timestamp(), 1.0)
        paid_s = np.where(began >= (window.end - SLOW_FOR).timestamp(), 0.5, 0.02)
        number = np.arange(began.size, dtype=np.int64)
        # Three spans a request: the request, the wait for payments, and what payments did.
        return SpansRead(
            spans=Spans(
                ts=np.concatenate([began, began + 0.005, began + 0.006]),
                service=np.repeat(np.array([0, 0, 1], dtype=np.int64), began.size),
                operation=np.repeat(np.array([0, 1, 2], dtype=np.int64), began.size),
                duration_s=np.concatenate([paid_s + 0.012, paid_s + 0.002, paid_s]),
                trace=np.tile(number, 3),
                span=np.arange(3 * began.size, dtype=np.int64),
                parent=np.concatenate([np.full(began.size, -1, dtype=np.int64), number, number + began.size]),
                services=("checkout", "payments"),
                operations=("POST /pay", "charge", "POST /charge"),
                trace_ids=tuple(f"{i:032x}" for i in number.tolist()),
            ),
            gaps=self._gaps,
        )
