"""Alerts of other systems: what a message or payload tells, whatever tool wrote it. Pure; for Slack and webhooks."""

from agents.language.alerts.shape import Alert, Kind, identity_of, read_alert, service_of

__all__ = ["Alert", "Kind", "identity_of", "read_alert", "service_of"]
