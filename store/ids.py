"""Identifiers: who and what a row is.

All ids are made by the client, before the insert, so that ciphertext can be bound to its row (see `vault.py`).
New ids are UUIDv7 in canonical text: they sort by time and index well. `stable_id` gives the same id for the same
parts, for work that may be started twice.
"""

import uuid
from typing import NewType

import uuid6

TenantId = NewType("TenantId", str)
UserId = NewType("UserId", str)
ConnectionId = NewType("ConnectionId", str)
ServiceId = NewType("ServiceId", str)
ConversationId = NewType("ConversationId", str)
IncidentId = NewType("IncidentId", str)
InvestigationId = NewType("InvestigationId", str)
NoteId = NewType("NoteId", str)
ArtifactId = NewType("ArtifactId", str)
ApprovalId = NewType("ApprovalId", str)
InboxId = NewType("InboxId", str)
WebhookId = NewType("WebhookId", str)
AlertGroupId = NewType("AlertGroupId", str)

_NAMESPACE = uuid.UUID("6f1c2d0e-8f0b-5b7a-9a41-0d5e6b7c8a90")


def new_id() -> str:
    return str(uuid6.uuid7())


def stable_id(*parts: str) -> str:
    """The same UUIDv5 for the same parts, in every process and release. Parts are length-prefixed."""
    return str(uuid.uuid5(_NAMESPACE, "".join(f"{len(part)}:{part}" for part in parts)))
