"""Who is calling: a Slack identity becomes a person of one tenant, or a refusal with words.

Unknown means external, and external means no: guests, other bots, people of other organisations and channels shared
with them are refused before anything is done. The permission is always the caller's own role, never the installer's.
https://docs.slack.dev/reference/objects/user-object/  https://docs.slack.dev/reference/objects/conversation-object/
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field
from slack_sdk.errors import SlackApiError

from agents.permission import Denied, Person
from handlers.slack.clients import SlackClients
from handlers.slack.inbound.arrival import SlackActor
from handlers.slack.inbound.payload import InstallationOrigin
from store import audit
from store.audit import events
from store.database.session import Database
from store.errors import TenantFrozen, UnknownTenant
from store.ids import TenantId
from store.people import users
from store.people.users import Role
from store.tenancy import tenants

FRESH: Final = timedelta(seconds=30)
"""How long the workspace and its settings are taken from memory: a changed setting holds after this."""
PROFILE_FRESH: Final = timedelta(minutes=5)
"""How long Slack's word on a person or channel is taken from memory. Roles are not: each call reads the store."""
_MOST_REMEMBERED: Final = 20_000

_ANOTHER_APP: Final = Denied("I take requests from people only, not from other apps.")
_OUTSIDER: Final = Denied("I can only help people of this workspace, not of connected organisations.")

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


@dataclass(frozen=True, kw_only=True)
class KnownWorkspace:
    """The tenant behind an installation, and what the front door must know of it."""

    tenant_id: TenantId
    team_id: str
    enterprise_id: str
    bot_user_id: str
    triage_channels: tuple[str, ...]
    open_threads: tuple[str, ...]
    allow_external_channels: bool
    new_member_role: Role


class _EnterpriseUser(BaseModel):
    model_config = ConfigDict(extra="ignore")
    enterprise_id: str = ""


class SlackProfile(BaseModel):
    """What `users.info` says of a person, as far as it decides."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    id: str
    team_id: str = ""
    tz: str | None = ""
    deleted: bool = False
    is_bot: bool = False
    is_app_user: bool = False
    is_restricted: bool = False
    is_ultra_restricted: bool = False
    is_stranger: bool = False
    enterprise_user: _EnterpriseUser = Field(default_factory=_EnterpriseUser)


class _Channel(BaseModel):
    model_config = ConfigDict(extra="ignore")
    is_ext_shared: bool = False
    is_pending_ext_shared: bool = False


class Caller:
    """Finds workspaces and people; caches what Slack says. One per process."""

    def __init__(self, *, db: Database, clients: SlackClients, clock: Callable[[], datetime]) -> None:
        self._db = db
        self._clients = clients
        self._workspaces: _Remembered[InstallationOrigin, KnownWorkspace | None] = _Remembered(FRESH, clock)
        self._lookups: dict[InstallationOrigin, asyncio.Task[KnownWorkspace | None]] = {}
        self._profiles: _Remembered[tuple[TenantId, str], SlackProfile | None] = _Remembered(PROFILE_FRESH, clock)
        self._shared: _Remembered[tuple[TenantId, str], bool | None] = _Remembered(PROFILE_FRESH, clock)

    async def workspace(self, origin: InstallationOrigin) -> KnownWorkspace | None:
        """The installed workspace that Slack speaks of; None for one that is not (or no longer) installed here."""
        if (known := self._workspaces.get(origin)) is not None:
            return known[0]
        lookup = self._lookups.get(origin)
        if lookup is None:  # one lookup for all that wait for the same answer
            lookup = self._lookups[origin] = asyncio.create_task(self._find_workspace(origin))
            lookup.add_done_callback(lambda _: self._lookups.pop(origin, None))
        found = await asyncio.shield(lookup)
        self._workspaces.put(origin, found)
        return found

    async def workspace_of(self, tenant: TenantId) -> KnownWorkspace | None:
        """Read from the store. None once it is uninstalled."""
        try:
            async with self._db.tenant(tenant, readonly=True) as s:
                install, settings = await tenants.load_install(s), await tenants.settings(s)
        except (TenantFrozen, UnknownTenant):
            return None
        if install is None or not install.bot_token.reveal():
            return None
        return KnownWorkspace(
            tenant_id=tenant,
            team_id=install.team_id or "",
            enterprise_id=install.enterprise_id or "",
            bot_user_id=install.bot_user_id,
            triage_channels=settings.triage_channels,
            open_threads=settings.open_threads,
            allow_external_channels=settings.allow_external_channels,
            new_member_role=settings.new_member_role,
        )

    async def _find_workspace(self, origin: InstallationOrigin) -> KnownWorkspace | None:
        tenant = await tenants.tenant_for_slack(
            self._db, enterprise_id=origin.enterprise_id or None, team_id=origin.team_id or None
        )
        return None if tenant is None else await self.workspace_of(tenant)

    def forget(self) -> None:
        """After an installation or a setting changed."""
        self._workspaces.clear()

    async def person(
        self, workspace: KnownWorkspace, actor: SlackActor, channel_id: str | None, *, ask_slack: bool = False
    ) -> Person | Denied:
        """The caller inside the tenant. First contact makes a full member a user with the tenant's role for new people;
        the installer becomes an admin, and who was deleted before a viewer.

        What Slack said of somebody is remembered for some minutes; `ask_slack` asks anew, for whoever decides: the
        account may just have been deactivated.

        Raises what Slack's client raises when Slack cannot be asked, so that the work is tried again rather than
        refused.
        """
        if ask_slack:
            self._profiles.drop((workspace.tenant_id, actor.user_id))
        refusal = await self._refuse_identity(workspace, actor) or await self._refuse_channel(
            workspace, actor, channel_id
        )
        if refusal is not None:
            return refusal
        return await self._known_user(workspace.tenant_id, actor.user_id, workspace.new_member_role)

    async def alert_source(self, workspace: KnownWorkspace) -> Person:
        """Who asks when an alert in a triage channel does: Autoheal itself, as a member. Admins chose the channel;
        the run may investigate, and whatever it proposes waits for a person.
        """
        return await self._known_user(workspace.tenant_id, workspace.bot_user_id, Role.MEMBER)

    async def _known_user(self, tenant: TenantId, slack_user_id: str, role: Role) -> Person:
        async with self._db.tenant(tenant, readonly=True) as s:
            user = await users.user_by_slack(s, slack_user_id)
        if user is None:
            async with self._db.tenant(tenant) as s:
                install = await tenants.load_install(s)  # not from memory: a deleted installer is none any more
                if install is not None and install.installer_slack_id == slack_user_id:
                    role = Role.ADMIN
                is_new = await users.user_by_slack(s, slack_user_id) is None
                user = await users.ensure_user(s, slack_user_id=slack_user_id, role=role)
                if is_new:
                    words = {"role": user.role.value}
                    await events.emit(s, "ai.autoheal.user.added.v1", user.id, words, actor=audit.SYSTEM)
                    await audit.record(s, actor=audit.SYSTEM, action="slack.user.added", target=user.id, details=words)
        known = self._profiles.get((tenant, slack_user_id))
        profile = known[0] if known else None
        return Person(
            tenant_id=tenant,
            user_id=user.id,
            slack_user_id=user.slack_user_id,
            role=user.role,
            timezone=(profile.tz if profile else "") or "",
        )

    async def _refuse_identity(self, workspace: KnownWorkspace, actor: SlackActor) -> Denied | None:
        if actor.bot_id or not actor.user_id:
            return _ANOTHER_APP
        if actor.team_id and not _is_own_team(workspace, actor.team_id):
            return _OUTSIDER
        profile = await self._profile(workspace.tenant_id, actor.user_id)
        return refuse_profile(workspace, profile)

    async def _refuse_channel(
        self, workspace: KnownWorkspace, actor: SlackActor, channel_id: str | None
    ) -> Denied | None:
        if workspace.allow_external_channels or channel_id is None or channel_id.startswith("D"):
            return None
        shared = actor.shared_outside or await self._is_shared(workspace.tenant_id, channel_id)
        if shared is None:
            return Denied("I am not in this channel. Invite me with `/invite @autoheal`, then ask again.")
        if shared:
            return Denied(
                "This channel is shared with another organisation, so I stay silent here. "
                "An admin of Autoheal can allow shared channels."
            )
        return None

    async def _profile(self, tenant: TenantId, user_id: str) -> SlackProfile | None:
        if (known := self._profiles.get((tenant, user_id))) is not None:
            return known[0]
        client = await self._clients.client_for(tenant)
        try:
            answer = await client.users_info(user=user_id)
            found: SlackProfile | None = SlackProfile.model_validate(answer["user"])
        except SlackApiError as exc:
            if exc.response.get("error") not in ("user_not_found", "user_not_visible"):
                raise
            found = None
        self._profiles.put((tenant, user_id), found)
        return found

    async def _is_shared(self, tenant: TenantId, channel_id: str) -> bool | None:
        """None for a channel that the bot cannot see; that is not remembered, for an invitation changes it."""
        if (known := self._shared.get((tenant, channel_id))) is not None:
            return known[0]
        client = await self._clients.client_for(tenant)
        try:
            answer = await client.conversations_info(channel=channel_id)
        except SlackApiError as exc:
            if exc.response.get("error") not in ("channel_not_found", "not_in_channel"):
                raise
            return None
        channel = _Channel.model_validate(answer["channel"])
        shared = channel.is_ext_shared or channel.is_pending_ext_shared
        self._shared.put((tenant, channel_id), shared)
        return shared


def refuse_profile(workspace: KnownWorkspace, profile: SlackProfile | None) -> Denied | None:
    """Whether Slack's word on somebody keeps them out. Pure."""
    if profile is None or profile.deleted:
        return Denied("Slack does not know you as a member of this workspace, so I cannot help here.")
    if profile.is_bot or profile.is_app_user:
        return _ANOTHER_APP
    if profile.is_restricted or profile.is_ultra_restricted:
        return Denied("Guests cannot use Autoheal. Please ask a full member of this workspace.")
    own_enterprise = bool(workspace.enterprise_id) and profile.enterprise_user.enterprise_id == workspace.enterprise_id
    if profile.is_stranger or not (own_enterprise or _is_own_team(workspace, profile.team_id)):
        return _OUTSIDER
    return None


def _is_own_team(workspace: KnownWorkspace, team_id: str) -> bool:
    return team_id in (workspace.team_id, workspace.enterprise_id) and bool(team_id)


class _Remembered(Generic[Key, Value]):
    """A bounded memory whose entries age. `get` answers a one-tuple, so that a remembered None is told from nothing."""

    def __init__(self, fresh: timedelta, clock: Callable[[], datetime]) -> None:
        self._fresh = fresh
        self._clock = clock
        self._entries: OrderedDict[Key, tuple[datetime, Value]] = OrderedDict()

    def get(self, key: Key) -> tuple[Value] | None:
        entry = self._entries.get(key)
        if entry is None or self._clock() - entry[0] >= self._fresh:
            return None
        return (entry[1],)

    def put(self, key: Key, value: Value) -> None:
        self._entries[key] = (self._clock(), value)
        self._entries.move_to_end(key)
        if len(self._entries) > _MOST_REMEMBERED:
            self._entries.popitem(last=False)

    def drop(self, key: Key) -> None:
        self._entries.pop(key, None)

    def clear(self) -> None:
        self._entries.clear()
