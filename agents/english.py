"""Plurals and possessives, once for all sentences that code makes."""


def counted(count: int, noun: str) -> str:
    """`1 change`, `3 changes`, `2 queries`."""
    if count == 1:
        return f"1 {noun}"
    return f"{count} {noun[:-1]}ies" if noun.endswith("y") and noun[-2:-1] not in "aeiou" else f"{count} {noun}s"


def possessive(name: str) -> str:
    """`checkout's`, `payments'`."""
    return f"{name}'" if name.endswith("s") else f"{name}'s"


def lasting(seconds: float) -> str:
    """`40 s`, `12 min`, `3 h 30 min`, `2 days 4 h`: the two greatest units."""
    minutes, hours, days = int(seconds // 60), int(seconds // 3600), int(seconds // 86_400)
    if days:
        rest = hours % 24
        return f"{counted(days, 'day')}{f' {rest} h' if rest else ''}"
    if hours:
        rest = minutes % 60
        return f"{hours} h{f' {rest} min' if rest else ''}"
    return f"{minutes} min" if minutes else f"{seconds:.0f} s"
