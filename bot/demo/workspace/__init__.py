"""The local workspace: a Slack-compatible server and its page, for the demo and the tests. Imports nothing of ours."""

from bot.demo.workspace.clock import Clock, ManualClock, SystemClock
from bot.demo.workspace.interactions import Impossible
from bot.demo.workspace.manifest import ManifestError
from bot.demo.workspace.model import Ack, Call, Channel, StoredMessage, StoredView, User, Violation
from bot.demo.workspace.state import UnknownName
from bot.demo.workspace.workspace import Workspace

__all__ = [
    "Ack",
    "Call",
    "Channel",
    "Clock",
    "Impossible",
    "ManifestError",
    "ManualClock",
    "StoredMessage",
    "StoredView",
    "SystemClock",
    "UnknownName",
    "User",
    "Violation",
    "Workspace",
]
