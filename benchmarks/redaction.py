"""Measures the redactor: `redaction.py [--logs DIR] [--data DIR --out predictions.jsonl]`.

Without options: the recall of each class of secret and personal number on the texts of
`tests/store/secrets/secret_texts.py`, and the share of ordinary lines there that change. `--logs` takes a folder of
`*.log` files, or of `*.jsonl.gz` with a line as `raw` or `text`, as further ordinary lines, and measures the speed on
them, as a log is read. `--data` takes labelled texts (`*.jsonl[.gz]` of `{"id", "text", ...}`) and writes predictions
`{"id", "spans": [[start, end, kind], ...]}`, with the speed on one core, text by text and in pieces of 64 KB as a
tool's output comes, and the recall of a tenant's own secrets, planted in every encoding. Standard output is one JSON
object; each speed stands beside a plain google-re2 scan of the same texts in the same run.
"""

from __future__ import annotations

import argparse
import base64
import gzip
import json
import os
import random
import string
import sys
import time
import urllib.parse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import re2

sys.path.insert(0, str(Path(__file__).parents[1]))

sys.path[0] = str(Path(__file__).resolve().parents[1])  # not this folder, whose store.py is no package

from store.secrets.redacted_rows import redact_texts
from store.secrets.redaction import Redactor, Secret
from tests.store.secrets.secret_texts import CLASSES, ordinary, texts_of

PIECE = 65_536
OWN_SECRETS = 50
PLANTED = 2_000
PLAIN_SCAN = re2.compile(r"(?i)password|passwd|secret|token|api[_-]?key|authorization|bearer|cookie|private key")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--logs", type=Path, help="a folder of *.log files: ordinary lines, and the speed on them")
    parser.add_argument("--data", type=Path, help="a folder of labelled texts")
    parser.add_argument("--out", type=Path, help="where the predictions for --data are written")
    chosen = parser.parse_args()
    if (chosen.data is None) != (chosen.out is None):
        parser.error("--data and --out belong together")
    report: dict[str, Any] = {"recall_by_class": by_class(), "ordinary_lines": changed(list(ordinary(40)))}
    if chosen.logs is not None:
        logs = [log_text(path) for path in sorted(chosen.logs.rglob("*")) if path.name.endswith((".log", ".jsonl.gz"))]
        if not logs:
            parser.error(f"{chosen.logs} holds no *.log or *.jsonl.gz")
        report["logs"] = {
            **changed([line for text in logs for line in text.splitlines()]),
            "megabytes_per_s": {
                "redacted": speed(Redactor().redact, logs),
                "as_records": speed(lambda text: redact_texts(Redactor(), text.splitlines()), logs),
                "plain_re2": speed(scan, logs),
            },
        }
    if chosen.data is not None:
        report["labelled"] = labelled(parser, chosen.data, chosen.out)
    report["load_average"] = [round(load, 2) for load in os.getloadavg()]
    print(json.dumps(report, indent=1))


def log_text(path: Path) -> str:
    if path.suffix == ".log":
        return path.read_text(encoding="utf-8", errors="replace")
    return "\n".join(str(row.get("raw") or row.get("text") or "") for row in read(path))


def by_class() -> dict[str, float]:
    """Share of the secrets of which nine tenths at least are gone."""
    redactor = Redactor()
    recall = {}
    for kind in CLASSES:
        found = total = 0
        for text, spans in texts_of(kind, 40, seed=7):
            gone = redactor.spans(text)
            for start, end in spans:
                total += 1
                found += sum(max(0, min(end, s.end) - max(start, s.start)) for s in gone) >= 0.9 * (end - start)
        recall[kind] = round(found / total, 4)
    return recall


def changed(lines: list[str]) -> dict[str, float | int]:
    redactor = Redactor()
    return {"lines": len(lines), "changed_share": round(sum(map(bool, map(redactor.spans, lines))) / len(lines), 6)}


def labelled(parser: argparse.ArgumentParser, data: Path, out: Path) -> dict[str, Any]:
    rows = [row for path in sorted(data.glob("*.jsonl*")) for row in read(path)]
    if not rows:
        parser.error(f"{data} holds no *.jsonl or *.jsonl.gz")
    redactor = Redactor()
    with out.open("w", encoding="utf-8") as file:
        for row in rows:
            spans = [[span.start, span.end, span.kind] for span in redactor.spans(row["text"])]
            file.write(json.dumps({"id": row["id"], "spans": spans}) + "\n")
    texts = [row["text"] for row in rows]
    joined = "\n".join(texts)
    pieces = [joined[at : at + PIECE] for at in range(0, len(joined), PIECE)]
    return {
        "texts": len(texts),
        "megabytes": round(size_of(texts) / 1e6, 2),
        "megabytes_per_s": {
            "text_by_text": speed(redactor.redact, texts),
            "in_64_kb_pieces": speed(redactor.redact, pieces),
            "plain_re2_text_by_text": speed(scan, texts),
            "plain_re2_in_pieces": speed(scan, pieces),
        },
        "own_secrets": own_secrets(texts),
    }


def read(path: Path) -> Iterator[dict[str, Any]]:
    whole = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    for line in whole.decode().split("\n"):
        if line.strip():
            yield json.loads(line)


def scan(text: str) -> int:
    return sum(1 for _ in PLAIN_SCAN.finditer(text))


def size_of(texts: list[str]) -> int:
    return sum(len(text.encode("utf-8", "surrogatepass")) for text in texts)


def speed(work: Callable[[str], object], texts: list[str]) -> float:
    """Megabytes a second of processor time, the best of three."""
    best = float("inf")
    for _ in range(3):
        started = time.process_time()
        for text in texts:
            work(text)
        best = min(best, time.process_time() - started)
    return round(size_of(texts) / best / 1e6, 2)


def own_secrets(texts: list[str]) -> dict[str, float | int]:
    """Share of planted own secrets of which nothing remains, over encodings and places."""
    chance = random.Random(7)  # noqa: S311 -- the same texts in each run
    alphabet = string.ascii_letters + string.digits + '+/=&%!$\u00fc "\\'
    secrets = ["".join(chance.choices(alphabet, k=chance.randint(8, 60))) for _ in range(OWN_SECRETS)]
    redactor = Redactor(map(Secret, secrets))
    gone = 0
    for _ in range(PLANTED):
        form, first = chance.choice(forms_of(chance.choice(secrets)))
        text = chance.choice(texts)
        at = chance.randrange(len(text) + 1)
        planted = f"{text[:at]} {form} {text[at:]}"
        spans = redactor.spans(planted)
        begin, end = at + 1 + first, at + 1 + len(form)
        found = sum(max(0, min(end, span.end) - max(begin, span.start)) for span in spans)
        gone += found >= 0.9 * (end - begin)
    return {"planted": PLANTED, "recall": gone / PLANTED}


def forms_of(secret: str) -> list[tuple[str, int]]:
    """Encodings, and from which character on they speak of the secret alone."""
    raw = secret.encode()
    return [
        (secret, 0),
        (json.dumps(secret)[1:-1], 0),
        (json.dumps(json.dumps(secret))[3:-3], 0),
        (urllib.parse.quote(secret, safe=""), 0),
        (urllib.parse.quote_plus(secret), 0),
        (raw.hex(), 0),
        (raw.hex().upper(), 0),
        (base64.b64encode(raw).decode().rstrip("="), 0),
        (base64.urlsafe_b64encode(raw).decode().rstrip("="), 0),
        (base64.b64encode(b"user:" + raw).decode().rstrip("="), 7),
    ]


if __name__ == "__main__":
    main()
