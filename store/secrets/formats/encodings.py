"""Formats of no single vendor."""

FORMATS: dict[str, tuple[str, ...]] = {
    "jwt": (
        r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_/+=-]*)?(?:\.[A-Za-z0-9_-]+){0,2}",
        r"\bey[A-Za-z0-9_-]{17,}\.ey[A-Za-z0-9_-]{17,}(?:\.[A-Za-z0-9_/+=-]*)?",
        r"\bZXlK[A-Za-z0-9+/=]{60,}",
    ),
    "private_key": (r"LS0tLS1CRUdJTi[A-Za-z0-9+/]*[A-Za-z0-9+/=\r\n \\]{40,}",),
}
