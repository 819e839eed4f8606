"""Events go to an outbox first, then into daily partitions (`store/audit/event_days`). Earlier events go that way too.

Heads learn where their audit chain begins, tenants where its signed heads are posted.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_COLUMNS = "tenant_id, id, sequence, time, type, subject, actor_type, actor_id, data"


def upgrade() -> None:
    op.create_table(
        "event_outbox",
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("type", sa.String(length=255), nullable=False),
        sa.Column("subject", sa.String(length=255), nullable=False),
        sa.Column("actor_type", sa.String(length=255), nullable=True),
        sa.Column("actor_id", sa.String(length=255), nullable=True),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_event_outbox_tenant_id")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_event_outbox")),
        sa.UniqueConstraint("tenant_id", "sequence", name=op.f("uq_event_outbox_tenant_id_sequence")),
    )
    op.create_index(op.f("ix_event_outbox_time"), "event_outbox", ["time"], unique=False)
    op.execute(f"INSERT INTO event_outbox ({_COLUMNS}) SELECT {_COLUMNS} FROM events")  # noqa: S608 - our own columns
    op.drop_table("events")
    op.add_column("tenant_heads", sa.Column("audit_base_sequence", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("tenant_heads", sa.Column("audit_base_hash", sa.LargeBinary(), nullable=True))
    op.add_column("tenant_settings", sa.Column("audit_channel", sa.String(length=255), nullable=True))
