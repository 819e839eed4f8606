"""`benchmarks/rca.py` on a case folder of the documented layout, made here."""

import csv
import gzip
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parents[3]
START = 1_700_000_000


def write_case(folder: Path, **more: Any) -> None:
    """Two services, sampled each second; one begins to burn processor time in the middle."""
    folder.mkdir(parents=True)
    told = {
        "suite": folder.parent.name, "services": ["ba", "ko"], "edges": [], "symptom": None,
        "incident_time": START + 300.0, "signals": ["metrics"], "spliced": {"metrics": [START, START + 299.0]}, **more,
    }  # fmt: skip
    (folder / "case.json").write_text(json.dumps(told))
    rng = np.random.default_rng(1)
    with gzip.open(folder / "metrics.csv.gz", "wt", newline="") as file:
        table = csv.writer(file)
        table.writerow(["time", "ba|cpu", "ko|cpu", "ko|lat_90", "ko|availability"])
        for second in range(600):
            busy = 90 if second >= 300 else 1
            cells = [busy * rng.normal(1, 0.05), rng.normal(1, 0.05), "" if second % 9 else 0.1, 100]
            table.writerow([START + second, *cells])


def test_one_command_writes_one_line_a_case(tmp_path: Path) -> None:
    write_case(tmp_path / "data" / "small" / "small-001")
    out = tmp_path / "predictions.jsonl"
    command = [sys.executable, str(ROOT / "benchmarks" / "rca.py"), "--data", str(tmp_path / "data"), "--out", str(out)]
    told = subprocess.run([*command, "--shift", "120", "--placebo"], check=True, capture_output=True, text=True)
    (line,) = [json.loads(row) for row in out.read_text().splitlines()]
    assert line["case"] == "small-001"
    assert line["ranking"][0]["service"] == "ba"
    assert line["ranking"][0]["indicator_family"] == "cpu"
    assert line["confidence"] == "high"
    assert line["seconds"] > 0
    assert "0 of 3 quiet windows" in told.stdout


def test_availability_is_read_as_a_share_of_errors(benchmark: Any, tmp_path: Path) -> None:
    write_case(tmp_path / "small-001")
    case = benchmark.read_case(tmp_path / "small-001")
    errors = next(s for s in case.telemetry.series if s.family == "errors")
    assert errors.unit == "ratio"
    assert float(errors.values.max()) == 0.0


def test_what_should_be_there_and_is_not_is_a_gap(benchmark: Any, tmp_path: Path) -> None:
    write_case(tmp_path / "small-001", signals=["metrics", "traces"])
    assert benchmark.read_case(tmp_path / "small-001").telemetry.gaps == ("no traces could be read",)
    (tmp_path / "small-001" / "metrics.csv.gz").unlink()
    case = benchmark.read_case(tmp_path / "small-001")
    assert case.telemetry.gaps == ("no metrics could be read", "no traces could be read")
    assert benchmark.predict(case, case.telemetry)["ranking"] == []
