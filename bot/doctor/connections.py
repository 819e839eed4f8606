"""What people connected: each stored connection is tested now, as `/autoheal integrations` does."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

from sqlalchemy.exc import SQLAlchemyError

from agents.connecting.connecting import Connecting, ConnectionHealth
from agents.connecting.operator_file import OperatorFile, OperatorFileError, load
from agents.connecting.toolboxes import Toolboxes
from bot.doctor.finding import DoctorFinding, note, ok, problem
from bot.master_keys import open_master_keys
from bot.opening import now, tenant_of_file
from bot.settings import Settings, SettingsError
from handlers.slack.installation import install_link, lacking_words, reinstall_words
from store.database.session import Database
from store.errors import StoreError
from store.tenancy.lacking import read_lacking
from store.tenancy.tenants import Tenant, list_tenants, load_install


async def check_connections(settings: Settings) -> AsyncIterator[DoctorFinding]:
    """Nothing where there is no store yet, or where it cannot be opened: that is told with the databases."""
    if not _is_there(settings):
        return
    async with AsyncExitStack() as stack:
        try:
            keys = await stack.enter_async_context(open_master_keys(settings))
            db = await Database.open(
                settings.content_url, keyring_url=settings.keys_url, keys=keys, ledger=settings.ledger, clock=now
            )
            stack.push_async_callback(db.close)
            tenants = await list_tenants(db, "active")
        except (StoreError, SettingsError, SQLAlchemyError, OSError):
            return
        file = _file(settings)
        host = None if file is None else await tenant_of_file(db, file)
        toolboxes = Toolboxes(db, file=file, bound=lambda one: one == host, now=now)
        stack.push_async_callback(toolboxes.close)
        for tenant in tenants:
            yield await _installation(db, tenant, settings, name=len(tenants) > 1)
            for found in await Connecting(db, toolboxes, now=now).test(tenant.id):
                async with db.tenant(tenant.id, readonly=True) as s:
                    said = str(s.redactor.redact(found.problem or (found.check.detail if found.check else "")))
                yield _finding(found, said, tenant if len(tenants) > 1 else None)


async def _installation(db: Database, tenant: Tenant, settings: Settings, *, name: bool) -> DoctorFinding:
    """What Slack told while it was used: of events it says so only then."""
    subject = f"Slack installation of {tenant.name}" if name else "Slack in use"
    async with db.tenant(tenant.id, readonly=True) as s:
        install, lacking = await load_install(s), lacking_words(await read_lacking(s))
    if install is None:
        return note(subject, "the app is not installed")
    if not lacking:
        return ok(subject, "nothing was found to be missing so far")
    link = install_link(install.app_id, settings.install_url if settings.many_workspaces else None)
    return problem(subject, lacking, reinstall_words(f"install it again: {link}"))


def _is_there(settings: Settings) -> bool:
    """Opening would make a file that is missing."""
    needed = {
        "autoheal.db": settings.database_url is None,
        "keyring.db": settings.keyring_url is None,
        "master.key": settings.keys == "local",
    }
    return all((settings.data / name).exists() for name, is_needed in needed.items() if is_needed)


def _finding(found: ConnectionHealth, said: str, tenant: Tenant | None) -> DoctorFinding:
    label = found.connection.label
    subject = found.title if label == found.connection.connector else f"{found.title} ({label})"
    if tenant is not None:
        subject = f"{subject} of {tenant.name}"
    if found.works:
        return ok(subject, said)
    return problem(
        subject, said, "`/autoheal integrations` in Slack shows it; who may connect tools can connect it anew"
    )


def _file(settings: Settings) -> OperatorFile | None:
    """What may be reached depends on it; that it cannot be read is told by its own check."""
    try:
        return None if settings.operator_file is None else load(settings.operator_file)
    except OperatorFileError:
        return None
