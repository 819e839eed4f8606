"""The short form of benchmarks/chaos.py: a few incidents while processes are killed and the database is held."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

CHAOS = Path(__file__).resolve().parents[2] / "benchmarks" / "chaos.py"


@pytest.mark.slow
def test_nothing_is_lost_doubled_wedged_or_wrongly_told() -> None:
    arguments = ["--seed", "3", "--incidents", "3", "--outage-scale", "0.05"]
    done = subprocess.run([sys.executable, str(CHAOS), *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr[-4000:]
    outcome = json.loads(done.stdout)
    assert outcome["incidents"] == 3
    assert 3 <= sum(outcome["disturbances"].values()) <= 9
