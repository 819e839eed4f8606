"""Whether people's e-mail addresses and telephone numbers are redacted, and where."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    column = sa.Column("contact_details", sa.String(length=255), server_default="hide_from_model", nullable=False)
    op.add_column("tenant_settings", column)
