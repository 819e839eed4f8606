"""What `autoheal verify` found, and what the operator attested."""

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    pass
