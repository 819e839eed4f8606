"""Recorded investigations: the agent loop with the offline model over recorded tool outputs.

    python benchmarks/replay.py --data DIR --out predictions.jsonl [--suite cloudops]

DIR holds the cases (`<suite>/<case>/case.json` and its recorded calls) and the program that reads them, `replay.py`;
`score.py` beside them scores what is written here. Only case folders are read. Evidence tokens are the characters of
all tool results that the model was shown, divided by four.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Any, Final

sys.path[0] = str(Path(__file__).resolve().parents[1])  # not this folder, whose store.py is no package

from agents.evidence.kubernetes.tables import rows
from agents.verdict import Verdict
from benchmarks.recorded import Recorded, RecordedCluster, RecordedSource, loader
from benchmarks.recorded_bench import Bench, open_bench

SUITES: Final = ("cloudops", "opensre", "holmes")
_CATEGORIES: Final = {
    "resource_exhaustion": (
        "quota", "capacity", "oom", "exhaust", "saturated", "overload", "storm", "lag", "locks", "memory", "storage",
    ),
    "infrastructure": ("failover", "unavailable", "node network", "packet loss", "disk"),
    "configuration_error": (
        "probe", "mismatch", "missing", "incorrect", "invalid", "rollout", "dns", "misroute", "zero replicas",
        "conflict", "permission", "policy", "taint", "affinity", "read only",
    ),
    "code_defect": ("crash",),
}  # fmt: skip
Prediction = dict[str, Any]


def case_folders(data: Path, suites: Sequence[str]) -> Iterator[Path]:
    for suite in suites:
        yield from sorted(path.parent for path in (data / suite).glob("*/case.json"))


async def predict(bench: Bench, case: Recorded) -> Prediction:
    """One investigation, and its stored verdict in the scorer's form."""
    began = time.perf_counter()
    run, source = await bench.investigate(case)
    seconds = time.perf_counter() - began
    verdict = Verdict.model_validate(run.investigation.verdict)
    cause = verdict.cause
    named = [cause.service, *(h.text.partition(":")[0] for h in verdict.hypotheses)] if cause else []
    named += source.subjects()
    told = [verdict.headline, cause.statement if cause else "", verdict.impact, verdict.advice]
    told += [c.quote or c.text for c in verdict.claims]
    texts = [str(block.get("content", "")) for m in run.messages if m.role == "user" for block in _results(m.content)]
    return {
        "case": case.info["case"],
        "ranked_objects": _objects(source, [name for name in dict.fromkeys(named) if name]),
        "root_cause_label": cause.kind.replace(" ", "_") if cause else None,
        "root_cause_text": " ".join([cause.kind if cause else "", *told]),
        "fault_category": _category(verdict) if case.info.get("answer_categories") else None,
        "confidence": verdict.confidence,
        "cited_evidence": [{"artifact": c.artifact, "quote": c.quote} for c in verdict.claims if c.artifact],
        "tool_calls": [{"tool": tool, "arguments": arguments} for tool, arguments in source.made],
        "prompt_tokens": round(sum(map(len, texts)) / 4),
        "seconds": round(seconds, 3),
    }


def _category(verdict: Verdict) -> str:
    if verdict.cause is not None:
        return category(verdict.cause.kind)
    return "healthy" if verdict.looked is not None and verdict.looked.nothing_wrong else "unknown"


def category(kind: str) -> str:
    """The coarse kind of a cause, as alerting products sort them."""
    return next((found for found, words in _CATEGORIES.items() if any(word in kind for word in words)), "unknown")


def _results(content: Any) -> list[dict[str, Any]]:
    blocks = content if isinstance(content, list) else []
    return [block for block in blocks if block.get("type") == "tool_result"]


def _objects(source: RecordedSource, names: Sequence[str]) -> list[Prediction]:
    if not isinstance(source, RecordedCluster):
        return [{"kind": "rds_instance", "name": name, "namespace": None} for name in names if source.knows(name)]
    nodes = {row.name for row in rows(source.listed("nodes"))}
    found: list[Prediction] = []
    for name in names:
        kind = "node" if name in nodes else "namespace" if name == source.namespace else "app"
        found.append({"kind": kind, "name": name, "namespace": source.namespace if kind == "app" else None})
    return found


async def run(data: Path, out: Path, suites: Sequence[str]) -> None:
    read = loader(data)
    lines: list[Prediction] = []
    with tempfile.TemporaryDirectory() as folder, out.open("w", encoding="utf-8") as file:
        async with open_bench(Path(folder)) as bench:
            for path in case_folders(data, suites):
                prediction = await predict(bench, read(str(path)))
                lines.append(prediction)
                file.write(json.dumps(prediction, ensure_ascii=False) + "\n")
    seconds = sorted(line["seconds"] for line in lines)
    print(
        f"{len(lines)} cases, median {median(seconds):.2f} s, worst {seconds[-1]:.2f} s, "
        f"median evidence {median(line['prompt_tokens'] for line in lines):.0f} tokens, "
        f"median calls {median(len(line['tool_calls']) for line in lines):.0f}, load {os.getloadavg()[0]:.1f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0] if __doc__ else "")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--suite", action="append", choices=SUITES)
    given = parser.parse_args()
    asyncio.run(run(given.data, given.out, given.suite or SUITES))


if __name__ == "__main__":
    main()
