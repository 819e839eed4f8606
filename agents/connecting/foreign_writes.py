"""What a connection can change with tools of others: each call is proposed, and done once a person approved it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Protocol, runtime_checkable

from agents.connecting.connector import Actuator

CALL_TOOL: Final = "call_tool"


@runtime_checkable
class ForeignWriter(Actuator, Protocol):
    """An actuator whose one action is to call a named tool. Its parameters are `tool` and `arguments`, a JSON text."""

    @property
    def key(self) -> str: ...

    def write_tools(self) -> Mapping[str, str]:
        """Those that an admin named, by the name that proposals use; and what each says of itself, which is foreign
        text.
        """

    async def accepted_state(self, tool: str, arguments: str) -> str:
        """What the tool is bound to, as it is offered now. Raises AgentError where it is not as it was accepted, and
        for arguments that it does not take.
        """
