"""The tables. Rows stay inside the store: its functions return dataclasses."""

from store.database.schema.accounts import AccountRow, ApiTokenRow, InvitationRow, MailRow, WebSessionRow
from store.database.schema.alerts import AlertGroupRow, AlertPolicyRow, AlertRow, ChangeRow, WebhookRow
from store.database.schema.base import Base, Owned
from store.database.schema.incidents import (
    ApprovalRow,
    ArtifactRow,
    ChatMessageRow,
    ConversationRow,
    DailySpendRow,
    FeedbackRow,
    IncidentRow,
    InvestigationRow,
    ModelMessageRow,
    NoteRow,
    ProhibitionRow,
)
from store.database.schema.records import AuditRow, DeliveryRow, EventOutboxRow, FenceRow, InboxRow
from store.database.schema.tenancy import (
    AutonomyPolicyRow,
    ConnectionRow,
    ServiceRow,
    SlackInstallRow,
    TenantHeadRow,
    TenantRow,
    TenantSettingsRow,
    UserRow,
)

__all__ = [
    "AccountRow",
    "AlertGroupRow",
    "AlertPolicyRow",
    "AlertRow",
    "ApiTokenRow",
    "ApprovalRow",
    "ArtifactRow",
    "AuditRow",
    "AutonomyPolicyRow",
    "Base",
    "ChangeRow",
    "ChatMessageRow",
    "ConnectionRow",
    "ConversationRow",
    "DailySpendRow",
    "DeliveryRow",
    "EventOutboxRow",
    "FeedbackRow",
    "FenceRow",
    "InboxRow",
    "IncidentRow",
    "InvestigationRow",
    "InvitationRow",
    "MailRow",
    "ModelMessageRow",
    "NoteRow",
    "Owned",
    "ProhibitionRow",
    "ServiceRow",
    "SlackInstallRow",
    "TenantHeadRow",
    "TenantRow",
    "TenantSettingsRow",
    "UserRow",
    "WebSessionRow",
    "WebhookRow",
]
