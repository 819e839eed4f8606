"""Events go to an outbox first, then into daily partitions."""

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    pass
