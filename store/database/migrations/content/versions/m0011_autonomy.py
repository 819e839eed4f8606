"""What may be done without a click, by risk class, and who allowed it."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.create_table(
        "autonomy_policies",
        sa.Column("low", sa.String(length=255), nullable=False),
        sa.Column("medium", sa.String(length=255), nullable=False),
        sa.Column("high", sa.String(length=255), nullable=False),
        sa.Column("hourly_cap", sa.Integer(), nullable=False),
        sa.Column("automatic_by", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("automatic_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("paused_by", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("paused_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("paused_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("changed_by", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("tenant_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "automatic_by"],
            ["users.tenant_id", "users.id"],
            name=op.f("fk_autonomy_policies_tenant_id_automatic_by"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "paused_by"],
            ["users.tenant_id", "users.id"],
            name=op.f("fk_autonomy_policies_tenant_id_paused_by"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "changed_by"],
            ["users.tenant_id", "users.id"],
            name=op.f("fk_autonomy_policies_tenant_id_changed_by"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_autonomy_policies_tenant_id")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_autonomy_policies")),
    )
