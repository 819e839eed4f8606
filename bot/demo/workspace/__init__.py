"""The local workspace: a Slack-compatible server and its page, for the demo and the tests. Imports nothing of ours."""

from bot.demo.workspace.clock import Clock, ManualClock, SystemClock
from bot.demo.workspace.interactions import ImpossibleInSlack
from bot.demo.workspace.manifest import ManifestError
from bot.demo.workspace.model import Ack, Channel, StoredMessage, StoredView, Violation, WebApiCall, WorkspaceUser
from bot.demo.workspace.state import UnknownName
from bot.demo.workspace.workspace import Workspace

__all__ = [
    "Ack",
    "Channel",
    "Clock",
    "ImpossibleInSlack",
    "ManifestError",
    "ManualClock",
    "StoredMessage",
    "StoredView",
    "SystemClock",
    "UnknownName",
    "Violation",
    "WebApiCall",
    "Workspace",
    "WorkspaceUser",
]
