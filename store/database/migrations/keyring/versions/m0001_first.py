"""Data keys of tenants."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "data_keys",
        sa.Column("dek_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("tenant_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("provider", sa.String(length=255), nullable=False),
        sa.Column("wrapped", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("dek_id", name=op.f("pk_data_keys")),
        sa.UniqueConstraint("tenant_id", "version", name=op.f("uq_data_keys_tenant_id_version")),
    )
    op.create_index(op.f("ix_data_keys_tenant_id"), "data_keys", ["tenant_id"], unique=False)
