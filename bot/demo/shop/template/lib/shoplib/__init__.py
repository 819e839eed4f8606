"""What the shop's services share: HTTP, metrics, logs, database pool, calls to peers, journal."""

from shoplib.client import PeerError
from shoplib.journal import Journal
from shoplib.service import HttpError, Request, Service

__all__ = ["HttpError", "Journal", "PeerError", "Request", "Service"]
