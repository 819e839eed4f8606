"""What the tests of accounts share: cheap passwords, and people with accounts."""

from datetime import timedelta
from typing import Final

from store.database.session import Database
from store.ids import TenantId
from store.people.account_keys import AccountKeys
from store.people.accounts import Account
from store.people.invitations import accept, invite
from store.people.passwords import Passwords
from store.people.sign_in import Origin, SignIn
from store.people.throttle import Throttle
from store.people.users import Role
from store.secrets.redaction import Secret

KEYS: Final = AccountKeys.derived_from(b"k" * 32)
GOOD: Final = Secret("tulip-window-gravel-9")
HERE: Final = Origin(ip="203.0.113.7", user_agent="Firefox")
EMAIL: Final = "mia@acme.example"


def cheap_passwords() -> Passwords:
    return Passwords(KEYS.pepper, cost=4)


def sign_in_over(db: Database) -> SignIn:
    return SignIn(db=db, keys=KEYS, passwords=cheap_passwords(), throttle=Throttle(db.now), refused_after=timedelta(0))


async def make_account(
    db: Database, tenant: TenantId, *, email: str = EMAIL, role: Role = Role.MEMBER, password: Secret = GOOD
) -> Account:
    """Somebody new, by an invitation of the operator."""
    hashed = await cheap_passwords().hash(password)
    async with db.tenant(tenant) as s:
        _, invitation = await invite(s, KEYS, email=email, role=role, invited_by=None)
        account = await accept(s, KEYS, invitation.id, first_name="Mia", last_name="Jones", password_hash=hashed)
    assert account is not None
    return account
