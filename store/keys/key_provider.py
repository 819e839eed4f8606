"""Who wraps data keys: one protocol, and the providers that one keyring has known.

The store reaches no network: key services are filled in from above. A keyring that moves from one provider to another
unwraps each data key with the provider that its row names, and wraps with the current one.
"""

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

from store.errors import WrongMasterKey


class KeyProvider(Protocol):
    """Wraps data keys under a master key that never leaves it. `context` is authenticated, not secret.

    Raises WrongMasterKey, KeyAccessDenied or KeyServiceUnreachable; each message says what to do.
    """

    @property
    def name(self) -> str: ...

    async def wrap(self, data_key: bytes, *, context: Mapping[str, str]) -> bytes: ...

    async def unwrap(self, wrapped: bytes, *, context: Mapping[str, str]) -> bytes: ...


@runtime_checkable
class Rotates(Protocol):
    """A provider that can make a new version of its master key by itself."""

    async def rotate(self) -> str:
        """From now on the new version wraps; earlier ones still unwrap. Says in a sentence what was made."""


@runtime_checkable
class KnowsItsAge(Protocol):
    """A provider that can tell whether something was wrapped by the newest version of its master key."""

    async def is_current(self, wrapped: bytes) -> bool: ...


class MasterKeys:
    """A KeyProvider itself: `current` wraps; those that wrapped before still unwrap what names them."""

    def __init__(self, current: KeyProvider, *former: KeyProvider) -> None:
        self.current = current
        self._by_name = {provider.name: provider for provider in (*former, current)}

    @property
    def name(self) -> str:
        return self.current.name

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._by_name)

    async def wrap(self, data_key: bytes, *, context: Mapping[str, str]) -> bytes:
        return await self.current.wrap(data_key, context=context)

    async def unwrap(self, wrapped: bytes, *, context: Mapping[str, str]) -> bytes:
        return await self.current.unwrap(wrapped, context=context)

    def named(self, name: str) -> KeyProvider:
        """Raises WrongMasterKey for a provider that is not configured here."""
        found = self._by_name.get(name)
        if found is None:
            raise WrongMasterKey(
                f"a data key was wrapped by {name!r}, which is not configured here (configured: "
                f"{', '.join(self._by_name)}): set that provider's variables too, then run `autoheal keys rewrap`"
            )
        return found

    async def is_current(self, provider: str, wrapped: bytes) -> bool:
        """Whether the current provider's newest key wrapped it; True where the provider cannot tell."""
        if provider != self.current.name:
            return False
        return not isinstance(self.current, KnowsItsAge) or await self.current.is_current(wrapped)
