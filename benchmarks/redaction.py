"""Redacts a folder of labelled texts and measures: `redaction.py --data DIR --out predictions.jsonl`.

DIR holds `*.jsonl[.gz]` files of `{"id", "text", ...}`; predictions are `{"id", "spans": [[start, end, kind], ...]}`.
Standard output is one JSON object: the speed on one core, text by text and in pieces of 64 KB as a tool's output comes,
beside a plain google-re2 scan of the same texts in the same run; and the recall of a tenant's own secrets, planted in
every encoding into the texts.
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

from store.redaction import Redactor, Secret

PIECE = 65_536
OWN_SECRETS = 50
PLANTED = 2_000
PLAIN_SCAN = re2.compile(r"(?i)password|passwd|secret|token|api[_-]?key|authorization|bearer|cookie|private key")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    chosen = parser.parse_args()
    rows = [row for path in sorted(chosen.data.glob("*.jsonl*")) for row in read(path)]
    if not rows:
        parser.error(f"{chosen.data} holds no *.jsonl or *.jsonl.gz")
    redactor = Redactor()
    with chosen.out.open("w", encoding="utf-8") as file:
        for row in rows:
            spans = [[span.start, span.end, span.kind] for span in redactor.spans(row["text"])]
            file.write(json.dumps({"id": row["id"], "spans": spans}) + "\n")
    texts = [row["text"] for row in rows]
    joined = "\n".join(texts)
    pieces = [joined[at : at + PIECE] for at in range(0, len(joined), PIECE)]
    report = {
        "texts": len(texts),
        "megabytes": round(size_of(texts) / 1e6, 2),
        "megabytes_per_s": {
            "text_by_text": speed(redactor.redact, texts),
            "in_64_kb_pieces": speed(redactor.redact, pieces),
            "plain_re2_text_by_text": speed(scan, texts),
            "plain_re2_in_pieces": speed(scan, pieces),
        },
        "own_secrets": own_secrets(texts),
        "load_average": [round(load, 2) for load in os.getloadavg()],
    }
    print(json.dumps(report, indent=1))


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
