"""Reading PostgreSQL's catalogue."""

from typing import Any

from sqlalchemy import Connection, text


def lines(connection: Connection, query: str, **values: object) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in connection.execute(text(query), values)]


def plain(rule: str | None) -> str:
    """A policy's condition without what the server adds when it writes it back."""
    return (rule or "").replace("::text", "").replace("(", "").replace(")", "").replace(" ", "")
