"""Incidents and all that is said, found and proposed about them."""

from datetime import datetime

from sqlalchemy import Float, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from store.database.schema.base import ID, Base, Owned, Sealed, owned_by
from store.database.schema.columns import RedactedText, Word


class ConversationRow(Owned, Base):
    __tablename__ = "conversations"
    __table_args__ = (UniqueConstraint("tenant_id", "channel_id", "thread_ts"),)
    channel_id: Mapped[str] = mapped_column(Word)
    thread_ts: Mapped[str] = mapped_column(Word)
    created_at: Mapped[datetime]


class ChatMessageRow(Owned, Base):
    __tablename__ = "chat_messages"
    __table_args__ = (
        UniqueConstraint("tenant_id", "conversation_id", "slack_ts"),
        owned_by("conversations", "conversation_id"),
    )
    conversation_id: Mapped[str] = mapped_column(ID)
    slack_ts: Mapped[str] = mapped_column(Word)
    slack_user_id: Mapped[str | None] = mapped_column(Word)
    kind: Mapped[str] = mapped_column(Word)
    text: Mapped[bytes] = mapped_column(Sealed)
    recorded_at: Mapped[datetime]


class IncidentRow(Owned, Base):
    __tablename__ = "incidents"
    __table_args__ = (
        UniqueConstraint("tenant_id", "number"),
        Index(None, "tenant_id", "channel_id", "thread_ts"),
        Index(None, "tenant_id", "status"),
        Index(None, "tenant_id", "resolved_at"),
        owned_by("users", "opened_by"),
    )
    number: Mapped[int]
    title: Mapped[bytes] = mapped_column(Sealed)
    status: Mapped[str] = mapped_column(Word)
    service: Mapped[str | None] = mapped_column(RedactedText)
    channel_id: Mapped[str] = mapped_column(Word)
    thread_ts: Mapped[str] = mapped_column(Word)
    opened_at: Mapped[datetime]
    mitigated_at: Mapped[datetime | None]
    resolved_at: Mapped[datetime | None]
    opened_by: Mapped[str | None] = mapped_column(ID)
    ended_by: Mapped[str | None] = mapped_column(Word)
    """The user who ended it, or `alert`."""
    titled_by: Mapped[str | None] = mapped_column(Word)
    """The user whose words the title is; none where it is the question or the alert."""


class InvestigationRow(Owned, Base):
    __tablename__ = "investigations"
    __table_args__ = (
        Index(None, "tenant_id", "incident_id"),
        Index(None, "tenant_id", "status"),
        owned_by("incidents", "incident_id"),
        owned_by("conversations", "conversation_id"),
        owned_by("users", "requested_by"),
        owned_by("users", "stop_requested_by"),
    )
    incident_id: Mapped[str] = mapped_column(ID)
    conversation_id: Mapped[str] = mapped_column(ID)
    attempt: Mapped[int]
    status: Mapped[str] = mapped_column(Word)
    model: Mapped[str | None] = mapped_column(Word)
    question: Mapped[bytes] = mapped_column(Sealed)
    verdict: Mapped[bytes | None] = mapped_column(Sealed)
    requested_by: Mapped[str | None] = mapped_column(ID)
    created_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    stop_requested_at: Mapped[datetime | None]
    stop_requested_by: Mapped[str | None] = mapped_column(ID)
    notes_turn: Mapped[int] = mapped_column(default=-1)
    input_tokens: Mapped[int] = mapped_column(default=0)
    output_tokens: Mapped[int] = mapped_column(default=0)
    cost_usd: Mapped[float] = mapped_column(Float(53), default=0.0)
    tool_calls: Mapped[int] = mapped_column(default=0)
    turns: Mapped[int] = mapped_column(default=0)


class DailySpendRow(Owned, Base):
    """What the models cost a tenant on one UTC day (`YYYY-MM-DD`)."""

    __tablename__ = "daily_spend"
    __table_args__ = (UniqueConstraint("tenant_id", "day"),)
    day: Mapped[str] = mapped_column(Word)
    cost_usd: Mapped[float] = mapped_column(Float(53), default=0.0)


class NoteRow(Owned, Base):
    __tablename__ = "notes"
    __table_args__ = (
        Index(None, "tenant_id", "investigation_id"),
        owned_by("investigations", "investigation_id"),
        owned_by("users", "by_user_id"),
    )
    investigation_id: Mapped[str] = mapped_column(ID)
    text: Mapped[bytes] = mapped_column(Sealed)
    by_user_id: Mapped[str | None] = mapped_column(ID)
    created_at: Mapped[datetime]
    taken_turn: Mapped[int | None]


class ModelMessageRow(Owned, Base):
    __tablename__ = "model_messages"
    __table_args__ = (
        UniqueConstraint("tenant_id", "investigation_id", "seq"),
        owned_by("investigations", "investigation_id"),
    )
    investigation_id: Mapped[str] = mapped_column(ID)
    seq: Mapped[int]
    role: Mapped[str] = mapped_column(Word)
    body: Mapped[bytes] = mapped_column(Sealed)
    created_at: Mapped[datetime]


class ArtifactRow(Owned, Base):
    __tablename__ = "artifacts"
    __table_args__ = (
        UniqueConstraint("tenant_id", "investigation_id", "tool_use_id"),
        UniqueConstraint("tenant_id", "investigation_id", "number"),
        owned_by("investigations", "investigation_id"),
    )
    investigation_id: Mapped[str] = mapped_column(ID)
    number: Mapped[int]
    tool_use_id: Mapped[str] = mapped_column(Word)
    tool: Mapped[str] = mapped_column(Word)
    source: Mapped[str] = mapped_column(RedactedText)
    is_error: Mapped[bool]
    taken_at: Mapped[datetime]
    arguments: Mapped[bytes] = mapped_column(Sealed)
    text: Mapped[bytes] = mapped_column(Sealed)
    facts: Mapped[bytes] = mapped_column(Sealed)


class ApprovalRow(Owned, Base):
    __tablename__ = "approvals"
    __table_args__ = (
        Index(None, "tenant_id", "state"),
        Index(None, "tenant_id", "incident_id"),
        owned_by("incidents", "incident_id"),
        owned_by("investigations", "investigation_id"),
        owned_by("users", "decided_by"),
        owned_by("approvals", "undo_of"),
    )
    incident_id: Mapped[str] = mapped_column(ID)
    investigation_id: Mapped[str | None] = mapped_column(ID)
    remediation: Mapped[str] = mapped_column(Word)
    plan: Mapped[bytes] = mapped_column(Sealed)
    plan_hash: Mapped[str] = mapped_column(Word)
    target: Mapped[str] = mapped_column(RedactedText)
    target_version: Mapped[str | None] = mapped_column(RedactedText)
    risk: Mapped[str] = mapped_column(Word)
    state: Mapped[str] = mapped_column(Word)
    proposed_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    preview_read_at: Mapped[datetime]
    decided_by: Mapped[str | None] = mapped_column(ID)
    decided_at: Mapped[datetime | None]
    decision: Mapped[str | None] = mapped_column(Word)
    approved_until: Mapped[datetime | None]
    applied_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    outcome: Mapped[bytes | None] = mapped_column(Sealed)
    undo_of: Mapped[str | None] = mapped_column(ID)
    message_channel: Mapped[str | None] = mapped_column(Word)
    message_ts: Mapped[str | None] = mapped_column(Word)


class ProhibitionRow(Owned, Base):
    """A kind of remedy that somebody ruled out in an incident's thread, and who allowed it again when."""

    __tablename__ = "prohibitions"
    __table_args__ = (
        Index(None, "tenant_id", "incident_id"),
        owned_by("incidents", "incident_id"),
        owned_by("users", "stated_by"),
        owned_by("users", "lifted_by"),
    )
    incident_id: Mapped[str] = mapped_column(ID)
    remediation: Mapped[str] = mapped_column(Word)
    service: Mapped[str | None] = mapped_column(RedactedText)
    words: Mapped[bytes] = mapped_column(Sealed)
    stated_by: Mapped[str | None] = mapped_column(ID)
    stated_at: Mapped[datetime]
    lifted_by: Mapped[str | None] = mapped_column(ID)
    lifted_at: Mapped[datetime | None]


class FeedbackRow(Owned, Base):
    __tablename__ = "feedback"
    __table_args__ = (
        UniqueConstraint("tenant_id", "investigation_id", "by_user_id"),
        owned_by("investigations", "investigation_id"),
        owned_by("users", "by_user_id"),
    )
    investigation_id: Mapped[str] = mapped_column(ID)
    by_user_id: Mapped[str] = mapped_column(ID)
    positive: Mapped[bool]
    at: Mapped[datetime]
    remark: Mapped[bytes | None] = mapped_column(Sealed)
