"""Whether real single series with labelled windows are dated: the Numenta Anomaly Benchmark's corpus, onset only.

    python benchmarks/nab.py --data DIR [--folder realAWSCloudwatch]

DIR holds <folder>/*.csv (timestamp, value) and combined_windows.json. The engine is asked live, with all that was
recorded until then: every six hours within a labelled window and at its end, and at the end of every six hours that
lie a day behind the beginning and outside of all windows. A window is found if an onset in it is reported; a normal
stretch with an onset in its six hours is a false alarm. What the series is called is taken from its file.
"""

from __future__ import annotations

import argparse
import csv
import json
import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

sys.path[0] = str(Path(__file__).resolve().parents[1])

from agents.evidence.metrics.meaning import as_indicators
from agents.evidence.ranking.causes import rank_causes
from agents.evidence.types import Series, Telemetry, Window, as_utc

STRETCH_S = 6 * 3600.0
HISTORY_S = 86_400.0
MARGIN_S = 1800.0  # by which an onset may lie before a window that somebody labelled by hand


def read_series(path: Path) -> Series:
    """The indicator that a file holds, named as the file without its host's number."""
    with path.open() as lines:
        rows = [(_moment(row["timestamp"]), float(row["value"])) for row in csv.DictReader(lines)]
    times, values = (np.array(column) for column in zip(*sorted(rows), strict=True))
    name = re.sub(r"_[0-9a-f]{6}$", "", path.stem)
    return as_indicators([("server", name, times, np.ascontiguousarray(values))])[0]


def _moment(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def onset_at(series: Series, until: float) -> float | None:
    """The onset that is reported to somebody who asks then, epoch seconds."""
    kept = series.times <= until
    times = np.ascontiguousarray(series.times[kept])
    part = Series(**{**vars(series), "times": times, "values": np.ascontiguousarray(series.values[kept])})
    window = Window(start=as_utc(float(times[0])), end=as_utc(until))
    ranking = rank_causes(Telemetry(window=window, series=(part,)))
    return ranking.onset.at.timestamp() if ranking.onset is not None else None


def normal_stretches(times: np.ndarray, windows: list[tuple[float, float]]) -> Iterator[tuple[float, float]]:
    """Six hours each, with a day before them, outside of what was labelled."""
    start = float(times[0]) + HISTORY_S
    while start + STRETCH_S <= float(times[-1]):
        if not any(a - MARGIN_S < start + STRETCH_S and start < b + STRETCH_S for a, b in windows):
            yield start, start + STRETCH_S
        start += STRETCH_S


def is_found(series: Series, window: tuple[float, float]) -> bool:
    """Whether any of the answers within the window dates the beginning into it."""
    first, last = window
    for moment in [*np.arange(first + STRETCH_S, last, STRETCH_S).tolist(), last]:
        at = onset_at(series, moment)
        if at is not None and first - MARGIN_S <= at <= last:
            return True
    return False


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--folder", default="realAWSCloudwatch")
    options = parser.parse_args()
    labelled = json.loads((options.data / "combined_windows.json").read_text())
    found = windows_all = false = normal = 0
    for path in sorted((options.data / options.folder).glob("*.csv")):
        series = read_series(path)
        windows = [(_moment(a), _moment(b)) for a, b in labelled[f"{options.folder}/{path.name}"]]
        hits = [is_found(series, window) for window in windows]
        alarms = []
        for start, end in normal_stretches(series.times, windows):
            at = onset_at(series, end)
            alarms.append(at is not None and at >= start)
        print(
            f"{path.stem} ({series.family}): {sum(hits)} of {len(hits)} windows, {sum(alarms)} of {len(alarms)} normal"
        )
        found, windows_all = found + sum(hits), windows_all + len(hits)
        false, normal = false + sum(alarms), normal + len(alarms)
    print(f"found {found} of {windows_all} windows; an onset in {false} of {normal} normal stretches of six hours")


if __name__ == "__main__":
    main()
