"""What an export holds of each table: every column by its meaning, or the reason why it stays here.

A table or a column that is missing here fails a test, so nothing that is added later is forgotten.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from sqlalchemy.orm import class_mapper

from store.database import schema
from store.database.schema import Owned
from store.database.session import TenantSession

Read = Callable[[TenantSession, str, str, str, Any], Any]
"""Session, table, column, row id and stored value to what the export shows."""


def _text(s: TenantSession, table: str, column: str, row_id: str, blob: bytes) -> str:
    return str.__str__(s.open(table, column, row_id, blob))


def _json(s: TenantSession, table: str, column: str, row_id: str, blob: bytes) -> Any:
    return s.open_json(table, column, row_id, blob)


def _personal(s: TenantSession, table: str, column: str, row_id: str, blob: bytes) -> str:
    """Sealed as a secret, though it is none: a person's own data."""
    return s.open_secret(table, column, row_id, blob).reveal()


def _arrival(s: TenantSession, table: str, column: str, row_id: str, blob: bytes) -> Any:
    """What a source needs verbatim, such as an address to answer to, is redacted here."""
    return s.redactor.redact_json(s.open_json(table, column, row_id, blob), frozenset())


def _plain(_s: TenantSession, _table: str, _column: str, _row_id: str, value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.hex()
    return list(value) if isinstance(value, tuple) else value


@dataclass(frozen=True, kw_only=True)
class Exported:
    """One table. `sealed` says how ciphertext is read; `kept_back` why a column is not exported."""

    entity: type[Owned]
    plain: str
    sealed: Mapping[str, Read] = field(default_factory=dict)
    kept_back: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return str(class_mapper(self.entity).local_table.description)

    @property
    def columns(self) -> list[str]:
        """Those of the export, `id` first, in the order of the table."""
        shown = {*self.plain.split(), *self.sealed}
        return ["id", *(one.key for one in class_mapper(self.entity).column_attrs if one.key in shown)]

    def read(self, s: TenantSession, row: Owned) -> dict[str, Any]:
        """Raises CorruptEnvelope: an export that passed over a row would not be one."""
        values: dict[str, Any] = {}
        for column in self.columns:
            stored = getattr(row, column)
            how = self.sealed.get(column, _plain)
            values[column] = None if stored is None else how(s, self.name, column, row.id, stored)
        return values


_VALUE: Final = "a secret: its value never leaves the store"
_DIGEST: Final = "the digest of a secret"
_INDEX: Final = "an index made with a secret of this deployment; the address itself is exported"

TABLES: Final = (
    Exported(
        entity=schema.TenantSettingsRow,
        plain="model autonomy daily_usd_cap allow_external_channels new_member_role triage_channels open_threads "
        "audit_channel contact_details second_look_minutes",
    ),
    Exported(
        entity=schema.AutonomyPolicyRow,
        plain="low medium high hourly_cap automatic_by automatic_at paused_by paused_at paused_until changed_by "
        "changed_at",
    ),
    Exported(entity=schema.UserRow, plain="slack_user_id role created_at role_changed_at deleted_at"),
    Exported(
        entity=schema.AccountRow,
        plain="notify created_at changed_at password_changed_at",
        sealed={"email": _personal, "first_name": _personal, "last_name": _personal},
        kept_back={"email_index": _INDEX, "password_hash": _DIGEST},
    ),
    Exported(
        entity=schema.InvitationRow,
        plain="role user_id invited_by created_at expires_at used_at",
        sealed={"email": _personal},
        kept_back={"token_hash": _DIGEST, "email_index": _INDEX},
    ),
    Exported(
        entity=schema.ApiTokenRow,
        plain="user_id scopes created_at last_used_at expires_at",
        sealed={"name": _personal},
        kept_back={"token_hash": _DIGEST},
    ),
    Exported(
        entity=schema.WebSessionRow,
        plain="user_id created_at last_used_at expires_at",
        sealed={"ip": _personal, "user_agent": _personal},
        kept_back={"token_hash": _DIGEST},
    ),
    Exported(
        entity=schema.MailRow,
        plain="key user_id state attempts created_at due_at ended_at",
        sealed={"subject": _text},
        kept_back={"body": "may hold a personal link that acts without signing in"},
    ),
    Exported(
        entity=schema.SlackInstallRow,
        plain="enterprise_id team_id is_enterprise_install app_id bot_user_id installer_slack_id scopes installed_at "
        "lacking",
        kept_back={"bot_token": _VALUE},
    ),
    Exported(
        entity=schema.ConnectionRow,
        plain="connector label scopes consented_by connected_at checked_at worked_at data_at problem lacks",
        sealed={"config": _json},
        kept_back={"credentials": _VALUE},
    ),
    Exported(
        entity=schema.ServiceRow,
        plain="name state origin evidence same_as environment owners depends_on aliases repository runbook created_at "
        "decided_by decided_at",
    ),
    Exported(entity=schema.ConversationRow, plain="channel_id thread_ts created_at"),
    Exported(
        entity=schema.ChatMessageRow,
        plain="conversation_id slack_ts slack_user_id kind recorded_at",
        sealed={"text": _text},
    ),
    Exported(
        entity=schema.IncidentRow,
        plain="number status service channel_id thread_ts opened_at mitigated_at resolved_at opened_by ended_by "
        "titled_by",
        sealed={"title": _text},
    ),
    Exported(
        entity=schema.InvestigationRow,
        plain="incident_id conversation_id attempt status model requested_by created_at started_at finished_at "
        "stop_requested_at stop_requested_by notes_turn input_tokens output_tokens cost_usd tool_calls turns",
        sealed={"question": _text, "verdict": _json},
    ),
    Exported(
        entity=schema.NoteRow,
        plain="investigation_id by_user_id created_at taken_turn",
        sealed={"text": _text},
    ),
    Exported(
        entity=schema.ModelMessageRow,
        plain="investigation_id seq role created_at",
        sealed={"body": _json},
    ),
    Exported(
        entity=schema.ArtifactRow,
        plain="investigation_id number tool_use_id tool source is_error taken_at",
        sealed={"arguments": _json, "text": _text, "facts": _json},
    ),
    Exported(
        entity=schema.ApprovalRow,
        plain="incident_id investigation_id remediation plan_hash target target_version risk state proposed_at "
        "expires_at preview_read_at decided_by decided_at decision approved_until applied_at finished_at undo_of "
        "message_channel message_ts",
        sealed={"plan": _json, "outcome": _json},
    ),
    Exported(
        entity=schema.ProhibitionRow,
        plain="incident_id remediation service stated_by stated_at lifted_by lifted_at",
        sealed={"words": _text},
    ),
    Exported(entity=schema.FeedbackRow, plain="investigation_id by_user_id positive at", sealed={"remark": _text}),
    Exported(entity=schema.DailySpendRow, plain="day cost_usd"),
    Exported(
        entity=schema.InboxRow,
        plain="source external_id kind state note received_at changed_at",
        sealed={"payload": _arrival},
    ),
    Exported(
        entity=schema.WebhookRow,
        plain="provider label created_by created_at rotated_at accepted_at refused_at refused_reason refused_count "
        "told_at silent_since",
        sealed={"config": _json},
        kept_back={"secrets": _VALUE, "public_id": "whoever knows it may knock at this door"},
    ),
    Exported(
        entity=schema.AlertGroupRow,
        plain="status severity quiet service environment opened_at last_at resolved_at recurrences decision "
        "incident_id channel_id thread_ts merged_into version shown",
        sealed={"facts": _json},
    ),
    Exported(
        entity=schema.AlertRow,
        plain="group_id provider status severity service environment first_at fired_at last_at resolved_at "
        "occurrences turns",
        sealed={"facts": _json},
    ),
    Exported(
        entity=schema.ChangeRow,
        plain="provider kind service environment occurred_at received_at",
        sealed={"facts": _json},
    ),
    Exported(entity=schema.AlertPolicyRow, plain="changed_at changed_by", sealed={"policy": _json}),
    Exported(entity=schema.DeliveryRow, plain="key channel_id ts state body_hash claimed_at completed_at"),
    Exported(entity=schema.FenceRow, plain="key effect entered_at finished_at outcome"),
    Exported(
        entity=schema.AuditRow,
        plain="sequence at actor_type actor_id action target hash",
        sealed={"details": _json},
    ),
    Exported(
        entity=schema.TenantHeadRow,
        plain="status incident_number connections_version audit_sequence audit_hash event_sequence audit_base_sequence "
        "audit_base_hash",
        kept_back={"secrets_version": "a counter of this process' memory; it says nothing about the tenant"},
    ),
)
"""In the order of the export."""

ELSEWHERE: Final[Mapping[type[Owned], str]] = {
    schema.EventOutboxRow: "exported as `events`, together with those that left the outbox",
}
"""Tables that have no file of their own."""


def kept_back(tables: Iterable[Exported] = TABLES) -> dict[str, str]:
    """`table.column` to the reason: part of every export."""
    return {f"{table.name}.{column}": why for table in tables for column, why in table.kept_back.items()}
