"""Kubernetes' ways to write ages and amounts as numbers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

_AGE: Final = re.compile(r"(?:(\d+)y)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")
_AGE_UNITS: Final = (31_536_000, 86_400, 3_600, 60, 1)
_AMOUNT: Final = re.compile(r"(\d+(?:\.\d+)?)\s*([A-Za-z]*)")
_AMOUNT_UNITS: Final[Mapping[str, float]] = {
    "": 1.0,
    "m": 1e-3,
    "k": 1e3,
    "M": 1e6,
    "G": 1e9,
    "T": 1e12,
    "Ki": 1024.0,
    "Mi": 1024.0**2,
    "Gi": 1024.0**3,
    "Ti": 1024.0**4,
}


def seconds(age: str) -> float | None:
    """`3d23h`, `5m10s` or `107s` in seconds; None where it is no age."""
    found = _AGE.fullmatch(age.strip())
    if found is None or not any(found.groups()):
        return None
    return float(sum(int(n) * unit for n, unit in zip(found.groups(), _AGE_UNITS, strict=True) if n))


def amount(text: str) -> float | None:
    """`100m`, `1Gi` or `8` as cores, bytes or a count; None where it is no amount."""
    found = _AMOUNT.fullmatch(text.strip())
    if found is None or found.group(2) not in _AMOUNT_UNITS:
        return None
    return float(found.group(1)) * _AMOUNT_UNITS[found.group(2)]
