"""What connecting PagerDuty asks of people."""

from __future__ import annotations

from typing import Final, Literal

from pydantic import HttpUrl, field_validator

from agents.connecting.connector import ConnectorConfig
from agents.connecting.fields import Field as Asked
from agents.connecting.fields import Form, Scope, Way

_ADDRESSES: Final = {"us": "https://api.pagerduty.com", "eu": "https://api.eu.pagerduty.com"}


class PagerDutyConfig(ConnectorConfig):
    """`region` is that of the account; `api` replaces its address, for a gateway before it. `acts_as` is the e-mail
    address of the user of PagerDuty in whose name incidents are changed: without one nothing is.
    """

    region: Literal["us", "eu"] = "us"
    api: HttpUrl | None = None
    acts_as: str = ""

    @field_validator("acts_as")
    @classmethod
    def _address(cls, address: str) -> str:
        name, _, host = address.partition("@")
        if address and not (
            name and "." in host and address.isascii() and address.isprintable() and " " not in address
        ):
            raise ValueError("is no e-mail address")
        return address

    @property
    def base(self) -> str:
        return str(self.api or _ADDRESSES[self.region]).rstrip("/")


FORM: Final = Form(
    fields=(
        Asked(
            name="token",
            label="API key",
            help="PagerDuty: Integrations, API Access Keys, Create New API Key; a read-only one is enough to read.",
            secret=True,
            pattern=r"[A-Za-z0-9_+=/.-]{16,200}",
        ),
        Asked(
            name="region",
            label="Region",
            help="us or eu: eu where the address of your PagerDuty ends with eu.pagerduty.com. Empty: us.",
            example="eu",
            pattern=r"us|eu",
        ),
        Asked(
            name="acts_as",
            label="Acts as",
            help="E-mail address of the PagerDuty user in whose name incidents are acknowledged and resolved, once "
            "somebody approved it; the key must be one that may write. Empty: only reading.",
            example="autoheal@example.com",
            pattern=r"\S+@\S+",
        ),
    ),
    ways=(Way(title="API key", fields=("token",)),),
)
SCOPES: Final = (
    Scope(name="services.read", without="which services there are is not known, so nothing else is"),
    Scope(name="incidents.read", without="incidents, their alerts and their notes are not seen"),
    Scope(name="oncalls.read", without="who is on call is not known"),
    Scope(name="change_events.read", without="changes that were told to PagerDuty are not seen"),
    Scope(name="incidents.write", without="no incident can be acknowledged or resolved; everything else works"),
)
