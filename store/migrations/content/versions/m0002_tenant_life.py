"""A tenant's way to its end: frozen, closing, closed."""

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    pass
