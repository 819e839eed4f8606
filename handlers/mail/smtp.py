"""One line to the operator's mail server: TLS 1.2 at least, its certificate and name verified, unless it is this host.

https://www.rfc-editor.org/rfc/rfc8314
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Final, Literal

import aiosmtplib

from store.secrets.redaction import Secret

_TIMEOUT_S: Final = 20.0


class MailRefused(Exception):
    """The server will not take this message, now or later."""


class MailUnavailable(Exception):
    """The server cannot be reached, or asks to try again later."""


@dataclass(frozen=True, kw_only=True)
class SmtpLine:
    """`tls`: starttls from plain text, required; tls from the first byte; off for this host alone."""

    host: str
    port: int
    tls: Literal["starttls", "tls", "off"]
    user: str | None = None
    password: Secret | None = None
    ca_file: str | None = None

    async def send(self, message: EmailMessage, *, sender: str, to: str) -> None:
        """Raises MailRefused, MailUnavailable; neither holds what the server said."""
        client = aiosmtplib.SMTP(
            hostname=self.host,
            port=self.port,
            use_tls=self.tls == "tls",
            start_tls=self.tls == "starttls",
            tls_context=None if self.tls == "off" else self._context(),
            username=self.user,
            password=self.password.reveal() if self.password else None,
            timeout=_TIMEOUT_S,
        )
        try:
            async with client:
                await client.send_message(message, sender=sender, recipients=[to])
        except aiosmtplib.SMTPRecipientsRefused as exc:
            raise _fate(exc.recipients[0].code if exc.recipients else 0) from None
        except aiosmtplib.SMTPAuthenticationError:
            raise MailUnavailable("the mail server does not accept AUTOHEAL_SMTP_USER and its password") from None
        except aiosmtplib.SMTPResponseException as exc:
            raise _fate(exc.code) from None
        except (aiosmtplib.SMTPException, OSError, ssl.SSLError) as exc:
            raise MailUnavailable(f"the mail server cannot be used ({type(exc).__name__})") from None

    def _context(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=self.ca_file)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        return context


def _fate(code: int) -> MailRefused | MailUnavailable:
    if 500 <= code < 600:
        return MailRefused(f"the mail server refused a message with {code}")
    return MailUnavailable(f"the mail server answered {code}")
