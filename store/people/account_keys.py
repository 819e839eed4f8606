"""Keys of signing in, derived from one secret of the deployment that the process keeps wrapped by its key provider.

The blind index of e-mails is keyed by the deployment, not by the tenant's data key: whoever signs in names no tenant,
so the account must be found before a tenant is known, and the index has to outlive rotations of data keys. Without
the secret an index tells nothing; the address itself is sealed under the tenant's key as all else.
"""

import hashlib
import hmac
import unicodedata
from dataclasses import dataclass, field
from typing import Self

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF


@dataclass(frozen=True, kw_only=True)
class AccountKeys:
    """`pepper` goes into password hashes: changing the deployment's secret makes every password unknown."""

    pepper: bytes = field(repr=False)
    index: bytes = field(repr=False)
    links: bytes = field(repr=False)

    @classmethod
    def derived_from(cls, secret: bytes) -> Self:
        """From 32 bytes or more of the deployment's own."""
        return cls(
            pepper=_derive(secret, b"pepper"), index=_derive(secret, b"e-mail index"), links=_derive(secret, b"links")
        )

    def email_index(self, email: str) -> str:
        """The same for the same address in any spelling of case; hexadecimal."""
        return hmac.new(self.index, normal_email(email).encode(), hashlib.sha256).hexdigest()

    def link_code(self, *parts: str) -> str:
        """Proves that a link with these parts is ours; hexadecimal. Compare in constant time."""
        text = "".join(f"{len(part)}:{part}" for part in parts)
        return hmac.new(self.links, text.encode(), hashlib.sha256).hexdigest()


def normal_email(email: str) -> str:
    return unicodedata.normalize("NFC", email.strip()).casefold()


def _derive(secret: bytes, purpose: bytes) -> bytes:
    return HKDF(algorithm=hashes.SHA384(), length=48, salt=None, info=b"autoheal accounts " + purpose).derive(secret)
