"""The reports that are kept: one file a run, named by its time in UTC."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from bot.settings import Settings

_FORMAT: Final = "%Y%m%dT%H%M%SZ"


def path_of(settings: Settings) -> Path:
    """Their folder."""
    return settings.data / "verifications"


def name_of(at: datetime) -> str:
    return f"{at.astimezone(UTC):{_FORMAT}}.json"


def times(folder: Path) -> list[datetime]:
    """Oldest first; files with other names are not reports."""
    return sorted(time for path in folder.glob("*Z.json") if (time := _time(path)) is not None)


def newest_report(folder: Path) -> datetime | None:
    return max(times(folder), default=None)


def _time(path: Path) -> datetime | None:
    try:
        return datetime.strptime(path.stem, _FORMAT).replace(tzinfo=UTC)
    except ValueError:
        return None
