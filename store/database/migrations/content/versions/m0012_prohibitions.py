"""What people ruled out and allowed again, and since when a webhook is silent."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    op.add_column("webhooks", sa.Column("silent_since", sa.DateTime(timezone=True), nullable=True))
    op.create_table(
        "prohibitions",
        sa.Column("incident_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("remediation", sa.String(length=255), nullable=False),
        sa.Column("service", sa.Text(), nullable=True),
        sa.Column("words", sa.LargeBinary(), nullable=False),
        sa.Column("stated_by", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("stated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("lifted_by", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("lifted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("tenant_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "incident_id"],
            ["incidents.tenant_id", "incidents.id"],
            name=op.f("fk_prohibitions_tenant_id_incident_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "stated_by"],
            ["users.tenant_id", "users.id"],
            name=op.f("fk_prohibitions_tenant_id_stated_by"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "lifted_by"],
            ["users.tenant_id", "users.id"],
            name=op.f("fk_prohibitions_tenant_id_lifted_by"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_prohibitions_tenant_id")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_prohibitions")),
    )
    op.create_index(op.f("ix_prohibitions_tenant_id_incident_id"), "prohibitions", ["tenant_id", "incident_id"])
