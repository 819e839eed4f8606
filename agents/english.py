"""Plurals and possessives, once for all sentences that code makes."""


def counted(count: int, noun: str) -> str:
    """`1 change`, `3 changes`, `2 queries`."""
    if count == 1:
        return f"1 {noun}"
    return f"{count} {noun[:-1]}ies" if noun.endswith("y") and noun[-2:-1] not in "aeiou" else f"{count} {noun}s"


def possessive(name: str) -> str:
    """`checkout's`, `payments'`."""
    return f"{name}'" if name.endswith("s") else f"{name}'s"
