"""How far an incident's life has come and who ended it; what people said was wrong with a verdict."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.add_column("incidents", sa.Column("mitigated_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("incidents", sa.Column("ended_by", sa.String(length=255), nullable=True))
    op.create_index(op.f("ix_incidents_tenant_id_resolved_at"), "incidents", ["tenant_id", "resolved_at"])
    op.add_column("feedback", sa.Column("remark", sa.LargeBinary(), nullable=True))
