"""The line to a mail server: encrypted and verified, or nothing is said."""

import ssl
from email.message import EmailMessage
from pathlib import Path
from typing import Any, Literal

import pytest

from handlers.mail.smtp import MailRefused, MailUnavailable, SmtpLine
from store.secrets.redaction import Secret
from tests.fakes.certificate import make_certificate
from tests.fakes.smtp_server import SmtpServer, mail_server, server_context

FROM, TO = "autoheal@acme.example", "mia@acme.example"


def message() -> EmailMessage:
    made = EmailMessage()
    made["From"], made["To"], made["Subject"] = FROM, TO, "checkout: cut pool"
    made.set_content("Zwölf\n.\nlines\n")
    return made


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    return make_certificate(tmp_path)


def line(server: SmtpServer, tls: Literal["starttls", "tls", "off"], **more: Any) -> SmtpLine:
    return SmtpLine(host="localhost", port=server.port, tls=tls, **more)


@pytest.mark.parametrize("tls", ["starttls", "tls"])
async def test_a_message_goes_out_encrypted_after_signing_in(
    files: tuple[Path, Path], tls: Literal["starttls", "tls"]
) -> None:
    context = server_context(*files)
    async with mail_server(
        SmtpServer(certificate=context, implicit=tls == "tls", login=("autoheal", "planted"))
    ) as server:
        password = Secret("planted")
        await line(server, tls, ca_file=str(files[0]), user="autoheal", password=password).send(
            message(), sender=FROM, to=TO
        )
    ((sender, to, taken),) = server.taken
    assert (sender, to, taken["Subject"]) == (FROM, TO, "checkout: cut pool")
    assert taken.get_content().splitlines() == ["Zwölf", ".", "lines"]
    assert server.violations == []
    assert not any(word.startswith(("AUTH", "MAIL")) for word in server.seen_in_clear)


async def test_a_server_that_cannot_encrypt_hears_nothing(files: tuple[Path, Path]) -> None:
    async with mail_server(SmtpServer(certificate=None)) as server:
        with pytest.raises(MailUnavailable):
            await line(server, "starttls", ca_file=str(files[0])).send(message(), sender=FROM, to=TO)
    assert server.taken == []
    assert not any(word.startswith(("AUTH", "MAIL")) for word in server.seen_in_clear)


@pytest.mark.parametrize("wrong", ["unknown", "another name"])
async def test_a_server_that_is_another_hears_nothing(tmp_path: Path, files: tuple[Path, Path], wrong: str) -> None:
    chain, key = files if wrong == "unknown" else make_certificate(tmp_path, "other.example")
    async with mail_server(SmtpServer(certificate=server_context(chain, key))) as server:
        trusted = None if wrong == "unknown" else str(chain)
        with pytest.raises(MailUnavailable):
            await line(server, "starttls", ca_file=trusted).send(message(), sender=FROM, to=TO)
    assert server.taken == []


async def test_an_old_tls_is_not_spoken(files: tuple[Path, Path]) -> None:
    context = server_context(*files)
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="deprecated"):
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    async with mail_server(SmtpServer(certificate=context)) as server:
        with pytest.raises(MailUnavailable):
            await line(server, "starttls", ca_file=str(files[0])).send(message(), sender=FROM, to=TO)
    assert server.taken == []


@pytest.mark.parametrize(
    ("answer", "fate"), [("550 5.1.1 no such user", MailRefused), ("450 4.2.1 later", MailUnavailable)]
)
async def test_a_servers_no_is_for_ever_or_for_now(
    files: tuple[Path, Path], answer: str, fate: type[Exception]
) -> None:
    async with mail_server(SmtpServer(certificate=server_context(*files), answers=[answer])) as server:
        with pytest.raises(fate) as refused:
            await line(server, "starttls", ca_file=str(files[0])).send(message(), sender=FROM, to=TO)
    assert "user" not in str(refused.value)


async def test_a_wrong_password_and_a_server_that_is_away_are_said(files: tuple[Path, Path]) -> None:
    server = SmtpServer(certificate=server_context(*files), login=("autoheal", "planted"))
    async with mail_server(server):
        with pytest.raises(MailUnavailable, match="AUTOHEAL_SMTP_USER"):
            await line(server, "starttls", ca_file=str(files[0]), user="autoheal", password=Secret("wrong")).send(
                message(), sender=FROM, to=TO
            )
    with pytest.raises(MailUnavailable):
        await line(server, "off").send(message(), sender=FROM, to=TO)
