"""Which master keys this process has: the chosen provider wraps; the others that are configured still unwrap.

So a keyring moves from a file to a key service: set the new provider, keep the old one, `autoheal keys rewrap`.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final

from bot.damage import require_master_key
from bot.settings import Settings
from store.keys.key_provider import KeyProvider, MasterKeys
from store.keys.local_keys import LocalFileKeys
from store.secrets.redaction import Secret
from store.whole_file import create_whole, replace_whole

log = logging.getLogger("autoheal.keys")

UNFIT: Final = "the master key is a file: fit for a trial, not for production, where AUTOHEAL_KEYS is aws-kms or vault"


def warn_if_unfit(keys: MasterKeys) -> None:
    """In the log of a start."""
    if keys.name == LocalFileKeys.name:
        log.warning(UNFIT, extra={"action": "keys.local"})


WRAPPED_FILES: Final = {"engine.key": "engine", "audit.key": "engine", "accounts.key": "accounts"}
"""Keys of the data folder beside the master key, each wrapped by it, and for what."""


@asynccontextmanager
async def open_master_keys(settings: Settings) -> AsyncIterator[MasterKeys]:
    """Asks no service yet. Raises SettingsError for a missing variable, UnsafeKeyFile, DamagedFolder."""
    settings.require_keys()
    await asyncio.to_thread(require_master_key, settings)
    async with AsyncExitStack() as stack:
        known: dict[str, KeyProvider] = {}
        path = settings.data / "master.key"
        if settings.keys == "local" or path.exists():
            known["local"] = LocalFileKeys(path)
        if settings.kms_key_arn:
            from agents.master_keys.aws_kms import AwsKmsKeys  # noqa: PLC0415 -- a second of imports, only here

            kms = AwsKmsKeys(
                key_arn=settings.kms_key_arn,
                former_arns=settings.former_key_arns,
                region=settings.kms_region,
                endpoint_url=settings.kms_endpoint,
            )
            stack.push_async_callback(kms.close)
            known["aws-kms"] = kms
        if settings.vault_address and settings.vault_key and settings.vault_token:
            from agents.master_keys.vault_transit import VaultTransitKeys, vault_outbound  # noqa: PLC0415 -- as above

            vault = VaultTransitKeys(
                vault_outbound(settings.vault_address),
                address=settings.vault_address,
                key=settings.vault_key,
                token=Secret(settings.vault_token.get_secret_value()),
                mount=settings.vault_mount,
                namespace=settings.vault_namespace,
            )
            stack.push_async_callback(vault.close)
            known["vault"] = vault
        current = known.pop(settings.keys)
        yield MasterKeys(current, *known.values())


async def keep_engine_key(keys: MasterKeys, path: Path, key: bytes, *, purpose: str = "engine") -> None:
    """Replaces the file in one move. Its first line names the provider, unless that is the local file."""
    await asyncio.to_thread(replace_whole, path, await _wrapped(keys, key, purpose))


async def account_secret(keys: MasterKeys, path: Path) -> bytes:
    """What password hashes and the index of e-mails are keyed by; made at the first use, by one of several who try.

    Whoever loses the file loses every password and finds no account any more: back it up with the databases.
    """
    if not await asyncio.to_thread(path.exists):
        content = await _wrapped(keys, secrets.token_bytes(32), "accounts")
        await asyncio.to_thread(create_whole, path, content)
    return await read_engine_key(keys, path, purpose="accounts")


async def rewrap_files(keys: MasterKeys, folder: Path) -> int:
    """The wrapped keys of the data folder, under the newest master key. Returns how many there are. Safe to repeat."""
    found = 0
    for name, purpose in WRAPPED_FILES.items():
        path = folder / name
        if await asyncio.to_thread(path.exists):
            secret = await read_engine_key(keys, path, purpose=purpose)
            await keep_engine_key(keys, path, secret, purpose=purpose)
            found += 1
    return found


async def _wrapped(keys: MasterKeys, key: bytes, purpose: str) -> bytes:
    wrapped = await keys.wrap(key, context={"purpose": purpose})
    named = b"" if keys.name == LocalFileKeys.name else keys.name.encode() + b"\n"
    return named + wrapped


async def read_engine_key(keys: MasterKeys, path: Path, *, purpose: str = "engine") -> bytes:
    """Raises WrongMasterKey and what key services raise."""
    content = await asyncio.to_thread(path.read_bytes)
    first, _, rest = content.partition(b"\n")
    name = first.decode("ascii", "replace")
    if name in _SERVICES:
        return await keys.named(name).unwrap(rest, context={"purpose": purpose})
    return await keys.named(LocalFileKeys.name).unwrap(content, context={"purpose": purpose})


_SERVICES: Final = frozenset({"aws-kms", "vault"})
