"""How a connection does, what it is called, and the catalog of services."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.add_column("tenant_heads", sa.Column("connections_version", sa.Integer(), server_default="0", nullable=False))
    op.add_column("connections", sa.Column("label", sa.String(length=255), server_default="", nullable=False))
    for column in ("checked_at", "worked_at", "data_at"):
        op.add_column("connections", sa.Column(column, sa.DateTime(timezone=True), nullable=True))
    for column in ("problem", "lacks"):
        op.add_column("connections", sa.Column(column, sa.Text(), nullable=True))
    op.create_table(
        "services",
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("state", sa.String(length=255), nullable=False),
        sa.Column("origin", sa.String(length=255), nullable=False),
        sa.Column("evidence", sa.String(length=255), nullable=True),
        sa.Column("same_as", sa.String(length=255), nullable=True),
        sa.Column("environment", sa.String(length=255), nullable=False),
        sa.Column("owners", sa.JSON(), nullable=False),
        sa.Column("depends_on", sa.JSON(), nullable=False),
        sa.Column("aliases", sa.JSON(), nullable=False),
        sa.Column("repository", sa.String(length=255), nullable=True),
        sa.Column("runbook", sa.String(length=255), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_by", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("tenant_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "decided_by"],
            ["users.tenant_id", "users.id"],
            name=op.f("fk_services_tenant_id_decided_by"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_services_tenant_id")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_services")),
        sa.UniqueConstraint("tenant_id", "name", name=op.f("uq_services_tenant_id_name")),
    )
