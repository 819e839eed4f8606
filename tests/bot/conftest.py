"""The workspace fixtures of the handlers' tests serve here too."""

from tests.handlers.conftest import slack, toolbox

__all__ = ["slack", "toolbox"]
