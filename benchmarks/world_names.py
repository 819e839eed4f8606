"""Fetches metric names from published packages, for `worlds.py --names`.

    python benchmarks/world_names.py --out FILE [--package KIND:NAME ...]

The packages are those of exporters, instrumentations and semantic conventions, fetched with the registries' own
clients (pip, npm) into a temporary folder and only read, never installed or run. A line a metric: name, unit, type,
description, separated by tabs. Nothing of it belongs into the project: the point is that nobody here wrote or saw it.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

PACKAGES = (
    "pypi:opentelemetry-semantic-conventions",
    "pypi:celery-exporter",
    "pypi:django-prometheus",
    "pypi:starlette-exporter",
    "npm:prom-client",
    "npm:@christiangalsterer/kafkajs-prometheus-exporter",
    "npm:@christiangalsterer/mongodb-driver-prometheus-exporter",
    "npm:@christiangalsterer/node-postgres-prometheus-exporter",
    "npm:@aws-cdk/aws-elasticloadbalancingv2",
    "npm:@aws-cdk/aws-rds",
    "npm:@aws-cdk/aws-sqs",
    "npm:@aws-cdk/aws-dynamodb",
    "npm:@aws-cdk/aws-lambda",
    "npm:@aws-cdk/aws-apigateway",
)
READ = (".py", ".js", ".ts", ".json", ".md")
LARGEST = 3_000_000

_CONVENTION = re.compile(
    r'^[A-Z0-9_]+: Final = "(?P<name>[a-z0-9_.]+)"\n"""\n(?P<told>.*?)\n'
    r"Instrument: (?P<kind>\w+)\nUnit: (?P<unit>[^\n]*)",
    re.MULTILINE | re.DOTALL,
)
_METRIC = re.compile(r"""metricName:\s*['"](?P<name>[A-Za-z0-9_.]+)['"]""")
_WITH_HELP = re.compile(
    r"""name:\s*['"](?P<name>[a-z][a-z0-9_.]{5,70})['"],?\s*help:\s*['"](?P<told>[^'"\n]{5,160})['"]""", re.DOTALL
)
_CONSTANT = re.compile(r"""const\s+[A-Z_]+\s*=\s*['"](?P<name>[a-z]+(?:_[a-z0-9]+){2,})['"]""")
_CREATED = re.compile(
    r"""(?P<kind>Counter|Gauge|Histogram|Summary)\(\s*(?:name=)?f?['"](?P<name>[a-z{}][a-zA-Z0-9_.{}]{5,70})['"],"""
    r"""\s*(?:documentation=)?['"](?P<told>[^'"\n]{5,160})['"]"""
)


def metrics_in(text: str) -> Iterator[tuple[str, str, str, str]]:
    """Name, unit, type and description of each metric that a source text declares."""
    for found in _CONVENTION.finditer(text):
        yield found["name"], found["unit"].strip("`. "), found["kind"], " ".join(found["told"].split())
    for found in _CREATED.finditer(text):
        yield re.sub(r"\{[^}]*\}", "", found["name"]).strip("_."), "", found["kind"].lower(), found["told"]
    for found in _WITH_HELP.finditer(text):
        yield found["name"], "", "", found["told"]
    for pattern in (_METRIC, _CONSTANT):
        for found in pattern.finditer(text):
            yield found["name"], "", "", ""


def fetch(package: str, folder: Path) -> Iterator[str]:
    """The source texts of a package; none where the registry does not have it."""
    kind, name = package.split(":", 1)
    command = (
        [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--no-binary", ":none:", "-d", ".", name]
        if kind == "pypi"
        else ["npm", "pack", "--silent", name]
    )
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=180, check=False)
    if done.returncode != 0:
        print(f"{package}: could not be fetched", file=sys.stderr)
        return
    for archive in sorted(folder.iterdir()):
        if archive.suffix in (".whl", ".zip"):
            with zipfile.ZipFile(archive) as whole:
                for item in whole.infolist():
                    if item.filename.endswith(READ) and item.file_size < LARGEST:
                        yield whole.read(item).decode("utf-8", "replace")
        elif archive.name.endswith((".tgz", ".tar.gz")):
            with tarfile.open(archive) as whole:
                for member in whole.getmembers():
                    source = whole.extractfile(member) if member.isfile() and member.name.endswith(READ) else None
                    if source is not None and member.size < LARGEST:
                        yield source.read().decode("utf-8", "replace")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--package", nargs="+", default=PACKAGES)
    options = parser.parse_args()
    found: dict[str, tuple[str, str, str, str]] = {}
    for package in options.package:
        before = len(found)
        with tempfile.TemporaryDirectory() as folder:
            for text in fetch(package, Path(folder)):
                for row in metrics_in(text):
                    if row[0] not in found or len("".join(row)) > len("".join(found[row[0]])):
                        found[row[0]] = row
        print(f"{package}: {len(found) - before} names")
    options.out.write_text("".join("\t".join(row) + "\n" for row in found.values()))


if __name__ == "__main__":
    main()
