"""Whose words an incident's title is; what an installation of the app in Slack turned out to lack."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.add_column("incidents", sa.Column("titled_by", sa.String(length=255), nullable=True))
    op.add_column("slack_installs", sa.Column("lacking", sa.JSON(), server_default="[]", nullable=False))
