"""`autoheal account`: the way to the first admin, as the operator runs it."""

import re
from pathlib import Path

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from agents.connecting.connecting import Connecting
from agents.connecting.disconnecting import Disconnecting
from agents.connecting.outbound import EgressPolicy
from agents.connecting.toolboxes import Toolboxes
from bot.cli import main
from bot.web_side import NobodySees
from handlers.web.api_app import build_api
from handlers.web.api_resource import ApiContext
from store import audit
from store.database.migrations import migrate, migrate_keyring
from store.database.session import Database
from store.ids import TenantId
from store.keys.local_keys import LocalFileKeys
from store.people.account_keys import AccountKeys
from store.people.passwords import Passwords
from store.people.sign_in import SignIn
from store.people.throttle import Throttle
from store.tenancy.tenants import create_tenant
from tests.handlers.web.api.api import OWN_PAGE, URL, NoDays

NEW = {"first_name": "Ada", "last_name": "Obi", "password": "nine-lamps-over-harbour"}


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "data"
    folder.mkdir(mode=0o700)
    monkeypatch.setenv("AUTOHEAL_DATA", str(folder))
    return folder


async def _open(data: Path) -> Database:
    urls = [f"sqlite:///{data}/{name}.db" for name in ("autoheal", "keyring")]
    await migrate(urls[0])
    await migrate_keyring(urls[1])
    return await Database.open(urls[0], keyring_url=urls[1], keys=LocalFileKeys(data / "master.key"))


async def _add(data: Path, *names: str) -> list[TenantId]:
    db = await _open(data)
    try:
        return [await create_tenant(db, name=name) for name in names]
    finally:
        await db.close()


async def _accept(data: Path, token: str) -> list[int]:
    """Statuses of accepting, signing in, and what an admin may."""
    import asyncio

    from bot.settings import Settings
    from bot.web_side import open_account_keys
    from store.keys.key_provider import MasterKeys

    db = await _open(data)
    settings = Settings(data=data)
    keys: AccountKeys = await open_account_keys(settings, MasterKeys(LocalFileKeys(data / "master.key")))
    passwords = Passwords(keys.pepper, cost=4)
    context = ApiContext(
        db=db,
        days=NoDays(),  # type: ignore[arg-type] # no event is read
        keys=keys,
        passwords=passwords,
        sign_in=SignIn(db=db, keys=keys, passwords=passwords, throttle=Throttle(db.now)),
        connecting=Connecting(db, Toolboxes(db, now=db.now), now=db.now),
        toolbox_for=Toolboxes(db, now=db.now).of,
        disconnecting=Disconnecting(db=db, egress_of=lambda _tenant, _label: EgressPolicy(), now=db.now),
        sees=NobodySees(),
        public_url=URL,
    )
    transport = httpx2.ASGITransport(app=Starlette(routes=[Mount("/api", build_api(context))]))
    async with httpx2.AsyncClient(transport=transport, base_url=f"{URL}/api", headers=OWN_PAGE) as client:
        statuses = [(await client.post("/invitations/accept", json={**NEW, "token": token})).status_code]
        signed_in = await client.post("/session", json={"email": "ada@acme.example", "password": NEW["password"]})
        statuses += [signed_in.status_code, (await client.get("/people")).status_code]
    await asyncio.wait_for(db.close(), 10)
    return statuses


def test_the_first_admin_comes_in_by_a_printed_token(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import asyncio

    (tenant,) = asyncio.run(_add(data, "Acme"))
    assert main(["account", "invite", "Ada@acme.example", "--role", "admin"]) == 0
    said = capsys.readouterr().out
    token = re.findall(r"Invitation token: (\S+)", said)[0]
    assert (data / "accounts.key").stat().st_mode & 0o077 == 0
    assert asyncio.run(_accept(data, token)) == [201, 200, 200]
    assert main(["account", "forget", "ada@acme.example"]) == 0
    assert "--user" in capsys.readouterr().out

    async def actions() -> list[str]:
        db = await _open(data)
        async with db.tenant(tenant, readonly=True) as s:
            found = [entry.action for entry in await audit.trail(s)]
        await db.close()
        return found

    assert asyncio.run(actions())[-4:] == [
        "operator.invitation.created",
        "web.invitation.accepted",
        "web.login.succeeded",
        "operator.account.deleted",
    ]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["invite", "no address"], "not an e-mail address"),
        (["invite", "ada@acme.example"], "name the organisation"),
        (["invite", "ada@acme.example", "--tenant", "elsewhere"], "there is no tenant elsewhere"),
        (["forget", "ada@acme.example"], "name the organisation"),
    ],
)
def test_what_cannot_be_done_is_said(
    data: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], says: str
) -> None:
    import asyncio

    asyncio.run(_add(data, "Acme", "Globex"))
    assert main(["account", *arguments]) == 2
    assert says in capsys.readouterr().err
