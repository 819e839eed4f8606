"""Tenants, their people, and what they connected."""

from datetime import datetime
from typing import ClassVar

from sqlalchemy import Float, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from store.database.schema.base import ID, Base, Owned, Sealed, owned_by
from store.database.schema.columns import RedactedText, Word, Words


class TenantRow(Base):
    door_grants: ClassVar[frozenset[str]] = frozenset({"select", "insert", "update"})
    __tablename__ = "tenants"
    id: Mapped[str] = mapped_column(ID, primary_key=True)
    name: Mapped[str] = mapped_column(RedactedText)
    created_at: Mapped[datetime]
    status: Mapped[str] = mapped_column(Word, default="active", server_default="active")
    frozen_at: Mapped[datetime | None]
    closes_at: Mapped[datetime | None]
    closed_at: Mapped[datetime | None]


class TenantHeadRow(Owned, Base):
    """One row a tenant: its counters. Locked for a moment by whoever takes the next number.

    `audit_base_*`: the last audit entry that retention removed, where the chain now begins.
    """

    door_grants: ClassVar[frozenset[str]] = frozenset({"select", "insert"})
    __tablename__ = "tenant_heads"
    incident_number: Mapped[int] = mapped_column(default=0)
    status: Mapped[str] = mapped_column(Word, default="active", server_default="active")
    secrets_version: Mapped[int] = mapped_column(default=0)
    connections_version: Mapped[int] = mapped_column(default=0, server_default="0")
    audit_sequence: Mapped[int] = mapped_column(default=0)
    audit_hash: Mapped[bytes]
    event_sequence: Mapped[int] = mapped_column(default=0)
    audit_base_sequence: Mapped[int] = mapped_column(default=0, server_default="0")
    audit_base_hash: Mapped[bytes | None]


class TenantSettingsRow(Owned, Base):
    door_grants: ClassVar[frozenset[str]] = frozenset({"insert"})
    __tablename__ = "tenant_settings"
    model: Mapped[str] = mapped_column(Word)
    autonomy: Mapped[str] = mapped_column(Word)
    daily_usd_cap: Mapped[float] = mapped_column(Float(53))
    allow_external_channels: Mapped[bool]
    new_member_role: Mapped[str] = mapped_column(Word)
    triage_channels: Mapped[tuple[str, ...]] = mapped_column(Words)
    open_threads: Mapped[tuple[str, ...]] = mapped_column(Words)
    audit_channel: Mapped[str | None] = mapped_column(Word)
    contact_details: Mapped[str] = mapped_column(Word, default="hide_from_model", server_default="hide_from_model")
    second_look_minutes: Mapped[int] = mapped_column(default=30, server_default="30")


class AutonomyPolicyRow(Owned, Base):
    """What may be done without a click, by risk class; one row a tenant. `automatic_by` opted in, `paused_until` is
    None for a pause without an end.
    """

    __tablename__ = "autonomy_policies"
    __table_args__ = (
        owned_by("users", "automatic_by"),
        owned_by("users", "paused_by"),
        owned_by("users", "changed_by"),
    )
    low: Mapped[str] = mapped_column(Word)
    medium: Mapped[str] = mapped_column(Word)
    high: Mapped[str] = mapped_column(Word)
    hourly_cap: Mapped[int]
    automatic_by: Mapped[str | None] = mapped_column(ID)
    automatic_at: Mapped[datetime | None]
    paused_by: Mapped[str | None] = mapped_column(ID)
    paused_at: Mapped[datetime | None]
    paused_until: Mapped[datetime | None]
    changed_by: Mapped[str | None] = mapped_column(ID)
    changed_at: Mapped[datetime]


class UserRow(Owned, Base):
    __tablename__ = "users"
    __table_args__ = (UniqueConstraint("tenant_id", "slack_user_id"),)
    slack_user_id: Mapped[str] = mapped_column(Word)
    role: Mapped[str] = mapped_column(Word)
    created_at: Mapped[datetime]
    role_changed_at: Mapped[datetime]
    deleted_at: Mapped[datetime | None]


class SlackInstallRow(Owned, Base):
    """Unique over all tenants: a workspace routes to exactly one. Absent Slack ids are empty, so that they compare."""

    door_grants: ClassVar[frozenset[str]] = frozenset({"select"})
    __tablename__ = "slack_installs"
    __table_args__ = (UniqueConstraint("enterprise_id", "team_id", "is_enterprise_install"), Index(None, "team_id"))
    enterprise_id: Mapped[str] = mapped_column(Word)
    team_id: Mapped[str] = mapped_column(Word)
    is_enterprise_install: Mapped[bool]
    app_id: Mapped[str] = mapped_column(Word)
    bot_user_id: Mapped[str] = mapped_column(Word)
    bot_token: Mapped[bytes] = mapped_column(Sealed)
    installer_slack_id: Mapped[str] = mapped_column(Word)
    scopes: Mapped[tuple[str, ...]] = mapped_column(Words)
    installed_at: Mapped[datetime]
    lacking: Mapped[tuple[str, ...]] = mapped_column(Words, default=(), server_default="[]")
    """What it turned out to lack (store/tenancy/lacking.py)."""


class ConnectionRow(Owned, Base):
    __tablename__ = "connections"
    __table_args__ = (owned_by("users", "consented_by"),)
    connector: Mapped[str] = mapped_column(Word)
    config: Mapped[bytes] = mapped_column(Sealed)
    credentials: Mapped[bytes] = mapped_column(Sealed)
    scopes: Mapped[tuple[str, ...]] = mapped_column(Words)
    consented_by: Mapped[str | None] = mapped_column(ID)
    connected_at: Mapped[datetime]
    label: Mapped[str] = mapped_column(Word, default="", server_default="")
    checked_at: Mapped[datetime | None]
    worked_at: Mapped[datetime | None]
    data_at: Mapped[datetime | None]
    problem: Mapped[str | None] = mapped_column(RedactedText)
    lacks: Mapped[str | None] = mapped_column(RedactedText)


class ServiceRow(Owned, Base):
    """One of the team's services. `aliases` are the names that sources have for it, each perhaps after its kind as in
    `pod:checkout-*`. `origin` says who told of it, `evidence` by which connection or investigation.
    """

    __tablename__ = "services"
    __table_args__ = (UniqueConstraint("tenant_id", "name"), owned_by("users", "decided_by"))
    name: Mapped[str] = mapped_column(Word)
    state: Mapped[str] = mapped_column(Word)
    origin: Mapped[str] = mapped_column(Word)
    evidence: Mapped[str | None] = mapped_column(Word)
    same_as: Mapped[str | None] = mapped_column(Word)
    environment: Mapped[str] = mapped_column(Word)
    owners: Mapped[tuple[str, ...]] = mapped_column(Words)
    depends_on: Mapped[tuple[str, ...]] = mapped_column(Words)
    aliases: Mapped[tuple[str, ...]] = mapped_column(Words)
    repository: Mapped[str | None] = mapped_column(Word)
    runbook: Mapped[str | None] = mapped_column(Word)
    created_at: Mapped[datetime]
    decided_by: Mapped[str | None] = mapped_column(ID)
    decided_at: Mapped[datetime | None]
