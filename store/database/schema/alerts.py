"""What other systems send: where they may send it, alerts and their groups, changes, and what is done about alerts."""

from datetime import datetime
from typing import ClassVar

from sqlalchemy import Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from store.database.schema.base import ID, Base, Owned, Sealed, owned_by
from store.database.schema.columns import RedactedText, Word


class WebhookRow(Owned, Base):
    """`public_id` stands in the address and finds the tenant: unique over all of them. `secrets` holds the one that
    counts and, for a while after a rotation, the one before.
    """

    door_grants: ClassVar[frozenset[str]] = frozenset({"select"})
    __tablename__ = "webhooks"
    __table_args__ = (UniqueConstraint("public_id"), owned_by("users", "created_by"))
    public_id: Mapped[str] = mapped_column(Word)
    provider: Mapped[str] = mapped_column(Word)
    label: Mapped[str] = mapped_column(RedactedText)
    secrets: Mapped[bytes] = mapped_column(Sealed)
    config: Mapped[bytes] = mapped_column(Sealed)
    created_by: Mapped[str | None] = mapped_column(ID)
    created_at: Mapped[datetime]
    rotated_at: Mapped[datetime | None]
    accepted_at: Mapped[datetime | None]
    refused_at: Mapped[datetime | None]
    refused_reason: Mapped[str | None] = mapped_column(Word)
    refused_count: Mapped[int] = mapped_column(default=0)
    told_at: Mapped[datetime | None]
    silent_since: Mapped[datetime | None]


class AlertGroupRow(Owned, Base):
    """Alerts of one cause, told in one message. `version` rises with each change, `shown` is the one that people see.

    `quiet`: alerts of low severity that belong to nothing else. `decision`: what the tenant's rules said.
    """

    door_grants: ClassVar[frozenset[str]] = frozenset({"select"})
    __tablename__ = "alert_groups"
    __table_args__ = (
        Index(None, "tenant_id", "status"),
        Index(None, "tenant_id", "last_at"),
        Index(None, "tenant_id", "incident_id"),
        owned_by("incidents", "incident_id"),
    )
    status: Mapped[str] = mapped_column(Word)
    severity: Mapped[str] = mapped_column(Word)
    quiet: Mapped[bool]
    service: Mapped[str | None] = mapped_column(RedactedText)
    environment: Mapped[str | None] = mapped_column(RedactedText)
    facts: Mapped[bytes] = mapped_column(Sealed)
    opened_at: Mapped[datetime]
    last_at: Mapped[datetime]
    resolved_at: Mapped[datetime | None]
    recurrences: Mapped[int] = mapped_column(default=0)
    decision: Mapped[str | None] = mapped_column(Word)
    incident_id: Mapped[str | None] = mapped_column(ID)
    channel_id: Mapped[str | None] = mapped_column(Word)
    thread_ts: Mapped[str | None] = mapped_column(Word)
    merged_into: Mapped[str | None] = mapped_column(ID)
    version: Mapped[int] = mapped_column(default=1)
    shown: Mapped[int] = mapped_column(default=0)


class AlertRow(Owned, Base):
    """One alert of one source, however often it was sent. `turns`: how often it began to fire."""

    __tablename__ = "alerts"
    __table_args__ = (
        Index(None, "tenant_id", "group_id"),
        Index(None, "tenant_id", "last_at"),
        owned_by("alert_groups", "group_id"),
    )
    group_id: Mapped[str] = mapped_column(ID)
    provider: Mapped[str] = mapped_column(Word)
    status: Mapped[str] = mapped_column(Word)
    severity: Mapped[str] = mapped_column(Word)
    service: Mapped[str | None] = mapped_column(RedactedText)
    environment: Mapped[str | None] = mapped_column(RedactedText)
    facts: Mapped[bytes] = mapped_column(Sealed)
    first_at: Mapped[datetime]
    fired_at: Mapped[datetime]
    last_at: Mapped[datetime]
    resolved_at: Mapped[datetime | None]
    occurrences: Mapped[int] = mapped_column(default=1)
    turns: Mapped[int] = mapped_column(default=1)


class ChangeRow(Owned, Base):
    """A deployment, merge, release, flag or the like that a source told of."""

    door_grants: ClassVar[frozenset[str]] = frozenset({"select"})
    __tablename__ = "changes"
    __table_args__ = (Index(None, "tenant_id", "occurred_at"),)
    provider: Mapped[str] = mapped_column(Word)
    kind: Mapped[str] = mapped_column(Word)
    service: Mapped[str | None] = mapped_column(RedactedText)
    environment: Mapped[str | None] = mapped_column(RedactedText)
    facts: Mapped[bytes] = mapped_column(Sealed)
    occurred_at: Mapped[datetime]
    received_at: Mapped[datetime]


class AlertPolicyRow(Owned, Base):
    """What a tenant wants done about its alerts; one row a tenant."""

    __tablename__ = "alert_policies"
    __table_args__ = (owned_by("users", "changed_by"),)
    policy: Mapped[bytes] = mapped_column(Sealed)
    changed_at: Mapped[datetime]
    changed_by: Mapped[str | None] = mapped_column(ID)
