"""When a remedy that healed is measured again, and an incident's groups of alerts by its id."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.add_column(
        "tenant_settings", sa.Column("second_look_minutes", sa.Integer(), server_default="30", nullable=False)
    )
    op.create_index(op.f("ix_alert_groups_tenant_id_incident_id"), "alert_groups", ["tenant_id", "incident_id"])
