"""People who sign in: accounts, sessions, API tokens, invitations."""

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    pass
