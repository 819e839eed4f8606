"""Tenants, their settings, and the Slack workspace that routes to each."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal, TypedDict, Unpack

from sqlalchemy import and_, or_, select
from sqlalchemy.exc import IntegrityError

from store.audit import EMPTY_CHAIN
from store.database.schema import SlackInstallRow, TenantHeadRow, TenantRow, TenantSettingsRow
from store.database.session import Database, TenantSession
from store.errors import InstalledElsewhere, NotFound
from store.ids import TenantId, new_id
from store.people.users import Role
from store.secrets.redaction import ContactDetails, Redactor, Secret

ModelChoice = Literal["claude", "offline", "none"]
Autonomy = Literal["suggest", "approve"]
LEAST_SECOND_LOOK: Final = 5
MOST_SECOND_LOOK: Final = 24 * 60
Status = Literal["active", "frozen", "closing", "closed"]


@dataclass(frozen=True, kw_only=True)
class Tenant:
    """Slack was uninstalled at `frozen_at`; from `closes_at` on the data is deleted; at `closed_at` it was gone."""

    id: TenantId
    name: str
    created_at: datetime
    status: Status = "active"
    frozen_at: datetime | None = None
    closes_at: datetime | None = None
    closed_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class SlackInstall:
    """`team_id` is None for an installation on a whole enterprise."""

    enterprise_id: str | None
    team_id: str | None
    is_enterprise_install: bool
    app_id: str
    bot_user_id: str
    bot_token: Secret
    installer_slack_id: str
    scopes: tuple[str, ...]
    installed_at: datetime


@dataclass(frozen=True, kw_only=True)
class TenantSettings:
    """`open_threads`: channels where a thread is answered without a mention. `audit_channel`: where the signed head
    of the audit log is posted each day.

    `contact_details`: whether e-mail addresses and telephone numbers are redacted in what a model reads (threads keep
    them), also in what is stored, or nowhere.

    `autonomy`: suggest names a remedy without a button, approve offers it behind one.

    `second_look_minutes`: how long after a remedy healed it is measured again; 0 for never.
    """

    model: ModelChoice
    autonomy: Autonomy
    daily_usd_cap: float
    allow_external_channels: bool
    new_member_role: Role
    triage_channels: tuple[str, ...]
    open_threads: tuple[str, ...]
    audit_channel: str | None
    contact_details: ContactDetails
    second_look_minutes: int


class SettingsChange(TypedDict, total=False):
    model: ModelChoice
    autonomy: Autonomy
    daily_usd_cap: float
    allow_external_channels: bool
    new_member_role: Role
    triage_channels: Sequence[str]
    open_threads: Sequence[str]
    audit_channel: str | None
    contact_details: ContactDetails
    second_look_minutes: int


async def create_tenant(db: Database, *, name: str) -> TenantId:
    """The data key comes first: a crash in between leaves a key without a tenant, which hurts nobody."""
    tenant_id = TenantId(new_id())
    await db.keyring.create(tenant_id)
    async with db.across_tenants("create a tenant") as session:
        session.add(TenantRow(id=tenant_id, name=Redactor().redact(name), created_at=db.now()))
        await session.flush()
        session.add(TenantHeadRow(tenant_id=tenant_id, id=tenant_id, audit_hash=EMPTY_CHAIN))
        session.add(
            TenantSettingsRow(
                tenant_id=tenant_id,
                id=tenant_id,
                model="claude",
                autonomy="approve",
                daily_usd_cap=20.0,
                allow_external_channels=False,
                new_member_role=Role.MEMBER,
                triage_channels=(),
                open_threads=(),
            )
        )
    return tenant_id


async def list_tenants(db: Database, *statuses: Status) -> list[Tenant]:
    """Those with one of these statuses; without any, the active ones, which alone may be worked for."""
    async with db.across_tenants("list tenants", readonly=True) as session:
        rows = await session.scalars(
            select(TenantRow)
            .where(TenantRow.status.in_(statuses or ("active",)))
            .order_by(TenantRow.created_at, TenantRow.id)
        )
        return [_tenant(row) for row in rows]


async def find_tenant(db: Database, tenant_id: str) -> Tenant | None:
    """Whatever its status; None for what was never a tenant."""
    try:
        wanted = str(uuid.UUID(tenant_id))
    except ValueError:
        return None
    async with db.across_tenants("look up a tenant", readonly=True) as session:
        row = await session.get(TenantRow, wanted)
        return None if row is None else _tenant(row)


async def tenant_for_slack(
    db: Database, *, enterprise_id: str | None, team_id: str | None, frozen_too: bool = False
) -> TenantId | None:
    """The tenant of a workspace: its own installation first, then one on its whole enterprise. Frozen and closing ones
    have none, unless they are asked for.
    """
    by_team = and_(
        SlackInstallRow.team_id == (team_id or ""),
        SlackInstallRow.team_id != "",
        SlackInstallRow.is_enterprise_install.is_(False),
    )
    by_enterprise = and_(
        SlackInstallRow.enterprise_id == (enterprise_id or ""),
        SlackInstallRow.enterprise_id != "",
        SlackInstallRow.is_enterprise_install.is_(True),
    )
    async with db.across_tenants("route a Slack request", readonly=True) as session:
        found = await session.scalar(
            select(SlackInstallRow.tenant_id)
            .join(TenantRow, TenantRow.id == SlackInstallRow.tenant_id)
            .where(or_(by_team, by_enterprise), *([] if frozen_too else [TenantRow.status == "active"]))
            .order_by(SlackInstallRow.is_enterprise_install)
            .limit(1)
        )
    return None if found is None else TenantId(found)


async def save_install(s: TenantSession, install: SlackInstall) -> None:
    """Replaces the installation of the same workspace. Raises InstalledElsewhere when another tenant has it."""
    key = (install.enterprise_id or "", install.team_id or "", install.is_enterprise_install)
    row = await s.one(
        SlackInstallRow,
        SlackInstallRow.enterprise_id == key[0],
        SlackInstallRow.team_id == key[1],
        SlackInstallRow.is_enterprise_install.is_(key[2]),
    )
    row_id = new_id() if row is None else row.id
    values: dict[str, Any] = {
        "app_id": install.app_id,
        "bot_user_id": install.bot_user_id,
        "bot_token": s.seal_secret("slack_installs", "bot_token", row_id, install.bot_token),
        "installer_slack_id": install.installer_slack_id,
        "scopes": install.scopes,
        "installed_at": install.installed_at,
        "lacking": (),
    }
    if row is None:
        try:
            await s.insert(
                SlackInstallRow(id=row_id, enterprise_id=key[0], team_id=key[1], is_enterprise_install=key[2], **values)
            )
        except IntegrityError as exc:
            raise InstalledElsewhere("this Slack workspace is connected to another tenant") from exc
    else:
        await s.update(SlackInstallRow, SlackInstallRow.id == row_id, values=values)
    await s.secrets_changed()


async def destroy_tokens(s: TenantSession) -> int:
    """Takes the token and its scopes out of every installation, which stays to know the workspace by. Returns how many
    there were.
    """
    destroyed = 0
    for row in await s.all(select(SlackInstallRow)):
        token = s.credential("slack_installs", "bot_token", row.id, row.bot_token)
        if token is None or token.reveal():
            row.bot_token = s.seal_secret("slack_installs", "bot_token", row.id, Secret(""))
            row.scopes = ()
            destroyed += 1
    if destroyed:
        await s.save()
        await s.secrets_changed()
    return destroyed


async def load_install(s: TenantSession) -> SlackInstall | None:
    """The newest installation."""
    rows = await s.all(select(SlackInstallRow).order_by(SlackInstallRow.installed_at.desc()).limit(1))
    return _install(s, rows[0]) if rows else None


async def settings(s: TenantSession) -> TenantSettings:
    row = await s.one(TenantSettingsRow)
    if row is None:
        raise NotFound("this tenant has no settings")
    return TenantSettings(
        model=_model_choice(row.model),
        autonomy=_autonomy(row.autonomy),
        daily_usd_cap=row.daily_usd_cap,
        allow_external_channels=row.allow_external_channels,
        new_member_role=Role(row.new_member_role),
        triage_channels=row.triage_channels,
        open_threads=row.open_threads,
        audit_channel=row.audit_channel or None,
        contact_details=_contact_details(row.contact_details),
        second_look_minutes=row.second_look_minutes,
    )


async def update_settings(s: TenantSession, **changes: Unpack[SettingsChange]) -> TenantSettings:
    """Raises ValueError for a value out of its set, TypeError for an unknown setting."""
    unknown = changes.keys() - TenantSettings.__dataclass_fields__.keys()
    if unknown:
        raise TypeError(f"unknown settings: {', '.join(sorted(unknown))}")
    values: dict[str, Any] = dict(changes)
    if "model" in changes:
        values["model"] = _model_choice(changes["model"])
    if "autonomy" in changes:
        values["autonomy"] = _autonomy(changes["autonomy"])
    if "contact_details" in changes:
        values["contact_details"] = _contact_details(changes["contact_details"])
    if "new_member_role" in changes:
        values["new_member_role"] = _new_member_role(changes["new_member_role"])
    if "daily_usd_cap" in changes:
        values["daily_usd_cap"] = _cap(changes["daily_usd_cap"])
    if "second_look_minutes" in changes:
        values["second_look_minutes"] = _second_look(changes["second_look_minutes"])
    if values:
        await s.update(TenantSettingsRow, TenantSettingsRow.id == s.tenant_id, values=values)
    if "contact_details" in values:
        await s.secrets_changed()
    return await settings(s)


def _tenant(row: TenantRow) -> Tenant:
    return Tenant(
        id=TenantId(row.id),
        name=row.name,
        created_at=row.created_at,
        status=_status(row.status),
        frozen_at=row.frozen_at,
        closes_at=row.closes_at,
        closed_at=row.closed_at,
    )


def _status(value: str) -> Status:
    match value:
        case "active" | "frozen" | "closing" | "closed":
            return value
        case _:
            raise ValueError(f"unknown status {value!r} of a tenant")


def _new_member_role(value: str) -> Role:
    role = Role(value)
    if role is Role.ADMIN:
        raise ValueError("new people are viewers or members: whoever writes first would be an admin")
    return role


def _cap(value: float) -> float:
    cap = float(value)
    if not 0 <= cap < float("inf"):
        raise ValueError("the daily cap is an amount of dollars, zero or more")
    return cap


def _second_look(value: int) -> int:
    if value != 0 and not LEAST_SECOND_LOOK <= value <= MOST_SECOND_LOOK:
        limits = f"{LEAST_SECOND_LOOK} to {MOST_SECOND_LOOK}"
        raise ValueError(f"second_look_minutes is a number of minutes from {limits}, or 0 for no second look")
    return value


def _model_choice(value: str) -> ModelChoice:
    match value:
        case "claude" | "offline" | "none":
            return value
        case _:
            raise ValueError("the model is one of claude, offline, none")


def _contact_details(value: str) -> ContactDetails:
    match value:
        case "hide_from_model" | "hide_everywhere" | "keep":
            return value
        case _:
            raise ValueError("contact_details is one of hide_from_model, hide_everywhere, keep")


def _autonomy(value: str) -> Autonomy:
    match value:
        case "suggest" | "approve":
            return value
        case _:
            raise ValueError("autonomy is one of suggest, approve")


def _install(s: TenantSession, row: SlackInstallRow) -> SlackInstall:
    """A token that cannot be opened is as good as none: the app must be installed again."""
    token = s.credential("slack_installs", "bot_token", row.id, row.bot_token)
    return SlackInstall(
        enterprise_id=row.enterprise_id or None,
        team_id=row.team_id or None,
        is_enterprise_install=row.is_enterprise_install,
        app_id=row.app_id,
        bot_user_id=row.bot_user_id,
        bot_token=Secret("") if token is None else token,
        installer_slack_id=row.installer_slack_id,
        scopes=row.scopes,
        installed_at=row.installed_at,
    )
