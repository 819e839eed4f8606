"""Signing in with e-mail and password: throttled, one password check whoever asks, a new session each time.

Wrong address, wrong password and wrong organisation end the same way, and no sooner than a fixed time after the try.
Who belongs to several organisations names the one; without a name the oldest account of the address is meant.
"""

import asyncio
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from store import audit
from store.audit import Actor, events
from store.database.session import Database
from store.errors import TenantFrozen, UnknownTenant
from store.ids import TenantId, UserId
from store.people import accounts, web_sessions
from store.people.account_keys import AccountKeys
from store.people.accounts import Candidate
from store.people.passwords import Passwords
from store.people.throttle import Throttle
from store.people.web_sessions import WebSession
from store.secrets.redaction import Secret

REFUSED_AFTER: Final = timedelta(seconds=0.6)
"""More than looking up, checking and writing down take, so that the time tells nothing."""


@dataclass(frozen=True, kw_only=True)
class SignedIn:
    """`token` is for the cookie, and is nowhere else."""

    tenant_id: TenantId
    user_id: UserId
    token: Secret
    session: WebSession


@dataclass(frozen=True, kw_only=True)
class Refused:
    """`wait`: how long until the next try is looked at; zero when this one was, and did not fit."""

    wait: timedelta = timedelta(0)


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Where a person comes from; sealed where it is stored."""

    ip: str
    user_agent: str


class SignIn:
    """One per process."""

    def __init__(
        self,
        *,
        db: Database,
        keys: AccountKeys,
        passwords: Passwords,
        throttle: Throttle,
        refused_after: timedelta = REFUSED_AFTER,
    ) -> None:
        self._refused_after = refused_after
        self._db = db
        self._keys = keys
        self._passwords = passwords
        self._throttle = throttle

    async def sign_in(
        self, *, email: str, password: Secret, origin: Origin, tenant_id: TenantId | None = None
    ) -> SignedIn | Refused:
        """Raises StoreBusy when too many sign in at once."""
        started = time.monotonic()
        index = self._keys.email_index(email)
        wait = self._throttle.admit(index, origin.ip)
        if wait > timedelta(0):
            return Refused(wait=wait)
        candidate = await accounts.find_candidate(self._db, self._keys, email, tenant_id=tenant_id)
        hashed, changed_at = (None, None) if candidate is None else await self._hash(candidate)
        fits = await self._passwords.matches(password, hashed)
        signed_in = await self._start(candidate, origin, changed_at) if fits and candidate is not None else None
        if signed_in is not None:
            self._throttle.succeeded(index, origin.ip)
            return signed_in
        if candidate is not None and hashed is not None:
            await self._record_refusal(candidate)
        await asyncio.sleep(max(0.0, self._refused_after.total_seconds() - (time.monotonic() - started)))
        return Refused()

    async def confirm(self, tenant_id: TenantId, user_id: UserId, password: Secret, origin: Origin) -> bool | Refused:
        """Whether a signed-in person knows the password still. Slowed down like signing in."""
        key = f"confirm {tenant_id} {user_id}"
        wait = self._throttle.admit(key, origin.ip)
        if wait > timedelta(0):
            return Refused(wait=wait)
        async with self._db.tenant(tenant_id, readonly=True) as s:
            hashed = await accounts.password_hash(s, user_id)
        fits = await self._passwords.matches(password, hashed)
        if fits:
            self._throttle.succeeded(key, origin.ip)
        elif hashed is not None:
            await self._record_refusal(Candidate(tenant_id=tenant_id, user_id=user_id))
        return fits

    async def _hash(self, candidate: Candidate) -> tuple[Secret | None, datetime | None]:
        try:
            async with self._db.tenant(candidate.tenant_id, readonly=True) as s:
                found = await accounts.account(s, candidate.user_id)
                if found is None:
                    return None, None
                return await accounts.password_hash(s, candidate.user_id), found.password_changed_at
        except (UnknownTenant, TenantFrozen):
            return None, None

    async def _start(self, candidate: Candidate, origin: Origin, changed_at: datetime | None) -> SignedIn | None:
        actor = Actor(type="user", id=candidate.user_id)
        async with self._db.tenant(candidate.tenant_id) as s:
            started = await web_sessions.start_session(
                s, candidate.user_id, ip=origin.ip, user_agent=origin.user_agent, password_changed_at=changed_at
            )
            if started is None:
                return None
            token, session = started
            await events.emit(s, "ai.autoheal.login.succeeded.v1", candidate.user_id, actor=actor)
            details = {"session": session.id}
            await audit.record(s, actor=actor, action="web.login.succeeded", target=candidate.user_id, details=details)
        return SignedIn(tenant_id=candidate.tenant_id, user_id=candidate.user_id, token=token, session=session)

    async def _record_refusal(self, candidate: Candidate) -> None:
        actor = Actor(type="system", id="autoheal")
        async with self._db.tenant(candidate.tenant_id) as s:
            await events.emit(s, "ai.autoheal.login.refused.v1", candidate.user_id, {"reason": "password"}, actor=actor)
            await audit.record(
                s, actor=actor, action="web.login.refused", target=candidate.user_id, details={"reason": "password"}
            )
