"""People who sign in outside Slack: their accounts, sessions, API tokens, invitations, and mail that waits to go out.

What must be found before a tenant is known (an e-mail's blind index, the hash of a cookie, a token or an invitation)
may be selected through the door; everything readable in these rows is sealed.
"""

from datetime import datetime
from typing import ClassVar

from sqlalchemy import Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from store.database.schema.base import ID, Base, Owned, Sealed, owned_by
from store.database.schema.columns import Word, Words


class AccountRow(Owned, Base):
    """`id` is the user's id: a person has one account at most."""

    door_grants: ClassVar[frozenset[str]] = frozenset({"select"})
    __tablename__ = "accounts"
    __table_args__ = (
        UniqueConstraint("tenant_id", "email_index"),
        Index(None, "email_index", "created_at"),
        owned_by("users", "id"),
    )
    email_index: Mapped[str] = mapped_column(Word)
    email: Mapped[bytes] = mapped_column(Sealed)
    first_name: Mapped[bytes] = mapped_column(Sealed)
    last_name: Mapped[bytes] = mapped_column(Sealed)
    password_hash: Mapped[bytes] = mapped_column(Sealed)
    notify: Mapped[bool]
    created_at: Mapped[datetime]
    changed_at: Mapped[datetime]
    password_changed_at: Mapped[datetime]


class WebSessionRow(Owned, Base):
    door_grants: ClassVar[frozenset[str]] = frozenset({"select"})
    __tablename__ = "web_sessions"
    __table_args__ = (
        UniqueConstraint("token_hash"),
        Index(None, "tenant_id", "user_id"),
        owned_by("accounts", "user_id"),
    )
    token_hash: Mapped[str] = mapped_column(Word)
    user_id: Mapped[str] = mapped_column(ID)
    ip: Mapped[bytes] = mapped_column(Sealed)
    user_agent: Mapped[bytes] = mapped_column(Sealed)
    created_at: Mapped[datetime]
    last_used_at: Mapped[datetime]
    expires_at: Mapped[datetime]


class ApiTokenRow(Owned, Base):
    door_grants: ClassVar[frozenset[str]] = frozenset({"select"})
    __tablename__ = "api_tokens"
    __table_args__ = (
        UniqueConstraint("token_hash"),
        Index(None, "tenant_id", "user_id"),
        owned_by("accounts", "user_id"),
    )
    token_hash: Mapped[str] = mapped_column(Word)
    user_id: Mapped[str] = mapped_column(ID)
    name: Mapped[bytes] = mapped_column(Sealed)
    scopes: Mapped[tuple[str, ...]] = mapped_column(Words)
    created_at: Mapped[datetime]
    last_used_at: Mapped[datetime | None]
    expires_at: Mapped[datetime]


class InvitationRow(Owned, Base):
    """`user_id`: somebody known from Slack who gets an account; None for somebody new, who gets `role`."""

    door_grants: ClassVar[frozenset[str]] = frozenset({"select"})
    __tablename__ = "invitations"
    __table_args__ = (UniqueConstraint("token_hash"), owned_by("users", "user_id"), owned_by("users", "invited_by"))
    token_hash: Mapped[str] = mapped_column(Word)
    email_index: Mapped[str] = mapped_column(Word)
    email: Mapped[bytes] = mapped_column(Sealed)
    role: Mapped[str] = mapped_column(Word)
    user_id: Mapped[str | None] = mapped_column(ID)
    invited_by: Mapped[str | None] = mapped_column(ID)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class MailRow(Owned, Base):
    """One e-mail to one person. `key` says what it is about, so that it is written and sent once."""

    door_grants: ClassVar[frozenset[str]] = frozenset({"select"})
    __tablename__ = "mails"
    __table_args__ = (
        UniqueConstraint("tenant_id", "key"),
        Index(None, "state", "due_at"),
        owned_by("accounts", "user_id"),
    )
    key: Mapped[str] = mapped_column(Word)
    user_id: Mapped[str] = mapped_column(ID)
    subject: Mapped[bytes] = mapped_column(Sealed)
    body: Mapped[bytes] = mapped_column(Sealed)
    state: Mapped[str] = mapped_column(Word)
    attempts: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime]
    due_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
