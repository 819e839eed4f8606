"""Keeps one monitor of Datadog, or one group of it, from ringing for a while, by a downtime of exactly that group."""

from __future__ import annotations

from agents.remediation.quieting import AlertToQuiet, Quieting, QuietingWords


class MuteMonitor(Quieting):
    name = "mute_monitor"
    title = "Mute a monitor"
    arguments = AlertToQuiet
    when = (
        "when people are paged again and again by one monitor of Datadog whose cause is known and worked on; it cures "
        "nothing, so it is never the remedy of a cause that another one here can clear"
    )
    ready = "Downtime ready."
    ending = "cancel_downtime"
    words = QuietingWords(noun="downtime", verb="mute", done="muted", over="Cancel the downtime")


REMEDIATION = MuteMonitor()
