"""Key rotation and shredding."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("data_keys", sa.Column("seals_from", sa.DateTime(timezone=True), nullable=True))
    op.add_column("data_keys", sa.Column("retired_at", sa.DateTime(timezone=True), nullable=True))
    op.create_table(
        "shred_mark",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("length", sa.Integer(), nullable=False),
        sa.Column("head", sa.String(length=255), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_shred_mark")),
    )
