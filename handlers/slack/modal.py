"""What a modal is: one file under `modals/`, found by its `MODAL` name, which is also its callback id.

A modal is opened with a click's trigger and submitted later, perhaps by somebody whose role has changed: the receiver
checks the permission again. Its metadata passed through the person's client, so it holds opaque ids and nothing else.
https://docs.slack.dev/surfaces/modals/
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, ClassVar

from pydantic import BaseModel, ConfigDict, ValidationError

from agents.permission import Permission, Person
from handlers.slack import modals
from store.secrets.redaction import Secret

if TYPE_CHECKING:
    from handlers.slack.context import HandlerContext, Reply


class Metadata(BaseModel):
    """What a modal remembers: the subject's id, and where its answer belongs."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    subject: str
    channel_id: str | None = None
    thread_ts: str | None = None
    fingerprint: str = ""
    """What the person saw, such as the plan's hash."""


@dataclass(frozen=True, kw_only=True)
class Submission:
    """A modal handed in by somebody who may. `values` by action id; `secrets` are those of its secret fields."""

    person: Person
    metadata: Metadata
    values: Mapping[str, str]
    reply: Reply
    source_id: str
    secrets: Mapping[str, Secret] = field(default_factory=dict)


class Modal:
    """Base of all modals; stateless."""

    name: ClassVar[str]
    permission: ClassVar[Permission]

    def view(self, metadata: Metadata, *, title: str, submit: str, blocks: Sequence[object]) -> dict[str, object]:
        """The form, for `views.open`. `title` and `submit` have at most 24 characters."""
        return {
            "type": "modal",
            "callback_id": self.name,
            "private_metadata": metadata.model_dump_json(),
            "title": {"type": "plain_text", "text": title},
            "submit": {"type": "plain_text", "text": submit},
            "close": {"type": "plain_text", "text": "Cancel"},
            "blocks": list(blocks),
        }

    async def submit(self, submission: Submission, context: HandlerContext) -> None:
        """Do it, and answer somebody. May run again after a crash."""
        raise NotImplementedError


@cache
def discover_modals() -> dict[str, Modal]:
    """All modals by name. Raises TypeError for a module without `MODAL` or with a foreign name."""
    found: dict[str, Modal] = {}
    for module_info in pkgutil.iter_modules(modals.__path__):
        module = importlib.import_module(f"{modals.__name__}.{module_info.name}")
        modal: Modal | None = getattr(module, "MODAL", None)
        if modal is None or modal.name != module_info.name:
            raise TypeError(f"{module.__name__} must set MODAL to a Modal named {module_info.name!r}")
        found[modal.name] = modal
    return found


def read_metadata(raw: str) -> Metadata | None:
    """None for metadata that we did not write."""
    try:
        return Metadata.model_validate_json(raw)
    except ValidationError:
        return None
