"""Certificates of servers that a company's own authority signed: what the form asks, and the trust that it makes."""

from __future__ import annotations

import re
import ssl
from typing import Final

from agents.connecting.connector import ConnectorContext
from agents.connecting.fields import Field
from agents.connecting.outbound import Outbound
from agents.errors import BadArguments

_CERTIFICATE: Final = re.compile(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)
IS_CERTIFICATE: Final = r".*-----BEGIN CERTIFICATE-----.+-----END CERTIFICATE-----.*"
OWN_AUTHORITY: Final = Field(
    name="certificate_authority",
    label="CA certificate",
    help="Whole, from BEGIN CERTIFICATE to END CERTIFICATE, where an authority of your own signed the server's.",
    long=True,
    pattern=IS_CERTIFICATE,
)


def trusting(authority: str) -> ssl.SSLContext:
    """Only what these authorities signed. Raises BadArguments where no certificate can be read."""
    certificates = _CERTIFICATE.findall(authority)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(cadata="\n".join(certificates))
    except (ssl.SSLError, ValueError) as exc:
        raise BadArguments(
            "the CA certificate cannot be read: paste it whole, from BEGIN CERTIFICATE to END CERTIFICATE"
        ) from exc
    return context


def own_way_out(context: ConnectorContext, authority: str) -> Outbound | None:
    """A way out that trusts this authority only; None where there is none, and the context's serves. Close it."""
    return context.outbound.trusting(trusting(authority)) if authority else None
