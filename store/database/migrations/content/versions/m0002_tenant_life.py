"""A tenant's way to its end: frozen, closing, closed."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    for table in ("tenants", "tenant_heads"):
        op.add_column(table, sa.Column("status", sa.String(length=255), server_default="active", nullable=False))
    for column in ("frozen_at", "closes_at", "closed_at"):
        op.add_column("tenants", sa.Column(column, sa.DateTime(timezone=True), nullable=True))
