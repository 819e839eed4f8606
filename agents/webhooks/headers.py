"""Request headers, whose names have no case."""

from __future__ import annotations

from collections.abc import Mapping


class Headers:
    """The last of several headers of one name counts; absent ones are empty."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        self._values = {str(name).lower(): str(value) for name, value in headers.items()}

    def __getitem__(self, name: str) -> str:
        return self._values.get(name.lower(), "")

    def __contains__(self, name: str) -> bool:
        return name.lower() in self._values
