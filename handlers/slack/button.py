"""What an interactive button is: one file under `buttons/`, found by its `BUTTON` name, which is also its action id.

Slack wants action ids unique within a message, so `approve:2` is the button `approve` too. A button's value passed
through the person's client: it is an opaque id that is looked up inside the person's tenant, never a fact. Every
click is answered.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, ClassVar, Final

from agents.permission import Permission, Person
from handlers.slack import buttons
from handlers.slack.context import open_modal

if TYPE_CHECKING:
    from handlers.slack.context import HandlerContext, Reply

LINK_PREFIX = "link"
"""Buttons that only open a web page; Slack reports the click, and there is nothing to answer."""


@dataclass(frozen=True, kw_only=True)
class Click:
    """A click by somebody who may click. `trigger_id` opens a modal within three seconds of the click."""

    person: Person
    value: str
    reply: Reply
    trigger_id: str | None
    source_id: str
    """The same for the same click, however often it is delivered."""


_VALUE: Final = re.compile(r"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})(?::([A-Za-z0-9_-]{1,64}))?")


def read_value(value: str) -> tuple[str, str] | None:
    """The row id and the part after the colon, if any. None for what is not in the shape of our own values."""
    found = _VALUE.fullmatch(value)
    return (found[1], found[2] or "") if found else None


TOO_LATE: Final = "That took too long for Slack to open the form. Please click again."


async def show_form(click: Click, view: dict[str, object], context: HandlerContext) -> None:
    """Opens a modal, or says that the click is older than Slack allows."""
    client = await context.clients.client_for(click.person.tenant_id)
    if not await open_modal(client, click.trigger_id, view):
        await click.reply.privately(TOO_LATE)


class Button:
    """Base of all buttons; stateless."""

    name: ClassVar[str]
    permission: ClassVar[Permission]

    async def press(self, click: Click, context: HandlerContext) -> None:
        """Do it, and answer somebody. May run again after a crash."""
        raise NotImplementedError


@cache
def discover_buttons() -> dict[str, Button]:
    """All buttons by name. Raises TypeError for a module without `BUTTON` or with a foreign name."""
    found: dict[str, Button] = {}
    for module_info in pkgutil.iter_modules(buttons.__path__):
        module = importlib.import_module(f"{buttons.__name__}.{module_info.name}")
        button: Button | None = getattr(module, "BUTTON", None)
        if button is None or button.name != module_info.name:
            raise TypeError(f"{module.__name__} must set BUTTON to a Button named {module_info.name!r}")
        found[button.name] = button
    return found


def find_button(action_id: str) -> Button | None:
    return discover_buttons().get(action_id.partition(":")[0])
