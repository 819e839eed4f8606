"""What came in, what went out, what must happen once, and what happened."""

from datetime import datetime
from typing import ClassVar

from sqlalchemy import Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from store.database.schema.base import Base, Owned, Sealed
from store.database.schema.columns import RedactedText, Word


class InboxRow(Owned, Base):
    door_grants: ClassVar[frozenset[str]] = frozenset({"select"})
    __tablename__ = "inbox"
    __table_args__ = (UniqueConstraint("tenant_id", "source", "external_id"), Index(None, "state", "received_at"))
    source: Mapped[str] = mapped_column(Word)
    external_id: Mapped[str] = mapped_column(Word)
    kind: Mapped[str] = mapped_column(Word)
    payload: Mapped[bytes] = mapped_column(Sealed)
    state: Mapped[str] = mapped_column(Word)
    note: Mapped[str | None] = mapped_column(RedactedText)
    received_at: Mapped[datetime]
    changed_at: Mapped[datetime]


class DeliveryRow(Owned, Base):
    __tablename__ = "deliveries"
    __table_args__ = (UniqueConstraint("tenant_id", "key"),)
    key: Mapped[str] = mapped_column(Word)
    channel_id: Mapped[str] = mapped_column(Word)
    ts: Mapped[str | None] = mapped_column(Word)
    state: Mapped[str] = mapped_column(Word)
    body_hash: Mapped[str | None] = mapped_column(Word)
    claimed_at: Mapped[datetime]
    completed_at: Mapped[datetime | None]


class FenceRow(Owned, Base):
    __tablename__ = "fences"
    __table_args__ = (UniqueConstraint("tenant_id", "key"),)
    key: Mapped[str] = mapped_column(Word)
    effect: Mapped[str] = mapped_column(Word)
    entered_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    outcome: Mapped[str | None] = mapped_column(Word)


class AuditRow(Owned, Base):
    append_only: ClassVar[bool] = True
    __tablename__ = "audit"
    __table_args__ = (UniqueConstraint("tenant_id", "sequence"), Index(None, "tenant_id", "target"))
    sequence: Mapped[int]
    at: Mapped[datetime]
    actor_type: Mapped[str] = mapped_column(Word)
    actor_id: Mapped[str] = mapped_column(Word)
    action: Mapped[str] = mapped_column(Word)
    target: Mapped[str] = mapped_column(Word)
    details: Mapped[bytes] = mapped_column(Sealed)
    hash: Mapped[bytes]


class EventOutboxRow(Owned, Base):
    """An event on its way from the action's transaction to its day (`store/audit/event_days`). The relay moves the rows
    of all tenants through the door, ciphertext as it is; `data` is sealed for the table `events`, wherever it lies.
    """

    door_grants: ClassVar[frozenset[str]] = frozenset({"select", "delete"})
    keeps_its_seal: ClassVar[bool] = True
    __tablename__ = "event_outbox"
    __table_args__ = (UniqueConstraint("tenant_id", "sequence"), Index(None, "time"))
    sequence: Mapped[int]
    time: Mapped[datetime]
    type: Mapped[str] = mapped_column(Word)
    subject: Mapped[str] = mapped_column(Word)
    actor_type: Mapped[str | None] = mapped_column(Word)
    actor_id: Mapped[str | None] = mapped_column(Word)
    data: Mapped[bytes] = mapped_column(Sealed)
