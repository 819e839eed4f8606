"""How much of what webhooks say is understood: recorded bodies and signatures, with what a correct reader extracts.

    python benchmarks/webhook_samples.py --data DIR

DIR holds a folder a provider (`*.json`, `headers.json`, `expect.json`) and `signatures.json`. Each expected field that
is not null is one comparison; an address is compared without its fragment, a time within a second. The key of an alert
is right when it is the same for the same hint and another for another. Exits 1 below .97, or when one signature is
judged wrongly.
"""

from __future__ import annotations

import argparse
import base64
import json
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from agents.webhooks import Normalised, Verified, discover_providers
from agents.webhooks.headers import Headers
from bot.slack_app import check_signature
from store.secrets.redaction import Secret

PASS = 0.97
FIELDS = ("kind", "status", "severity", "title_contains", "service", "source_url", "dedupe_key_hint", "occurred_at")
NAMES = {"sns": "cloudwatch_sns"}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--verbose", action="store_true", help="each difference")
    chosen = parser.parse_args()
    right, all_of = compare(chosen.data, verbose=chosen.verbose)
    share = print_fields(right, all_of)
    wrong = list(judge_signatures(chosen.data / "signatures.json"))
    for line in wrong:
        print("signature:", line)
    return 0 if share >= PASS and not wrong else 1


def compare(data: Path, *, verbose: bool) -> tuple[Counter[tuple[str, str]], Counter[tuple[str, str]]]:
    right: Counter[tuple[str, str]] = Counter()
    all_of: Counter[tuple[str, str]] = Counter()
    for folder in sorted(one for one in data.iterdir() if (one / "expect.json").is_file()):
        provider = discover_providers()[folder.name]
        headers = json.loads((folder / "headers.json").read_text())
        expected = json.loads((folder / "expect.json").read_text())
        keys: list[tuple[str, str, str]] = []
        for name, expect in expected.items():
            found = provider.normalise(json.loads((folder / name).read_text()), headers.get(name) or {})
            if expect["kind"] == "alert" and expect["dedupe_key_hint"] is not None:
                keys.append((name, expect["dedupe_key_hint"], found.key))
            for field, is_right, got in judged(expect, found):
                all_of[folder.name, field] += 1
                right[folder.name, field] += is_right
                if verbose and not is_right:
                    print(f"{folder.name}/{name} {field}: expected {expect[field]!r}, got {got!r}")
        for name, hint, key in keys:
            is_right = all((hint == other) == (key == told) for _, other, told in keys)
            all_of[folder.name, "dedupe_key_hint"] += 1
            right[folder.name, "dedupe_key_hint"] += is_right
            if verbose and not is_right:
                print(f"{folder.name}/{name} key: {hint!r} is {key!r}")
    return right, all_of


def judged(expect: Mapping[str, Any], found: Normalised) -> Iterator[tuple[str, bool, Any]]:
    for field in FIELDS:
        wanted = expect.get(field)
        if wanted is None or field == "dedupe_key_hint":
            continue
        if field == "title_contains":
            yield field, str(wanted).lower() in found.title.lower(), found.title
        elif field == "source_url":
            got = (found.source_url or "").partition("#")[0]
            yield field, got == str(wanted).partition("#")[0], found.source_url
        elif field == "occurred_at":
            told, when = datetime.fromisoformat(wanted), found.occurred_at
            yield field, when is not None and abs((when - told).total_seconds()) <= 1, when
        else:
            yield field, getattr(found, field) == wanted, getattr(found, field)


def print_fields(right: Counter[tuple[str, str]], all_of: Counter[tuple[str, str]]) -> float:
    """A row a provider, a column a field. Returns the share of all."""
    by: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for (provider, field), count in all_of.items():
        by[provider][field] = f"{right[provider, field]}/{count}"
    print(f"{'':16}" + "".join(f"{field.split('_')[0]:>12}" for field in FIELDS))
    for provider, fields in by.items():
        print(f"{provider:16}" + "".join(f"{fields.get(field, '-'):>12}" for field in FIELDS))
    share = right.total() / max(1, all_of.total())
    print(f"fields: {right.total()} of {all_of.total()} right ({share:.3f}); wanted {PASS}")
    return share


def judge_signatures(file: Path) -> Iterator[str]:
    """Those that were judged wrongly, in words."""
    cases = json.loads(file.read_text())["cases"] if file.is_file() else {}
    count = 0
    for name, of_provider in cases.items():
        for case in of_provider:
            count += 1
            valid = is_valid(NAMES.get(name, name), case)
            if valid != case["valid"]:
                yield f"{name}/{case['id']}: judged {valid} ({case['why']})"
    print(f"signatures: {count} judged")


def is_valid(name: str, case: Mapping[str, Any]) -> bool:
    raw = base64.b64decode(case["body_base64"])
    headers = Headers(case["headers"])
    if name == "slack":  # has a door of its own
        stamp, sent = headers["X-Slack-Request-Timestamp"], headers["X-Slack-Signature"]
        return (
            check_signature(Secret(case["secret"]), timestamp=stamp, signature=sent, body=raw, now=case["now"])
            == "good"
        )
    judged = discover_providers()[name].verify(
        raw,
        headers,
        secrets=[case["secret"] or ""],
        now=case["now"],
        config=case.get("config") or {},
        certificates={url: pem.encode() for url, pem in (case.get("certs") or {}).items()},
    )
    return isinstance(judged, Verified)


if __name__ == "__main__":
    sys.exit(main())
