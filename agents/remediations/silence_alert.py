"""Keeps one alert of an Alertmanager from ringing for a while, by a silence of exactly its labels."""

from __future__ import annotations

from agents.remediation.quieting import AlertToQuiet, Quieting, QuietingWords


class SilenceAlert(Quieting):
    name = "silence_alert"
    title = "Silence an alert"
    arguments = AlertToQuiet
    when = (
        "when people are paged again and again by one alert whose cause is known and worked on; it cures nothing, so "
        "it is never the remedy of a cause that another one here can clear"
    )
    ready = "Silence ready."
    ending = "expire_silence"
    words = QuietingWords(noun="silence", verb="silence", done="silenced", over="End the silence")


REMEDIATION = SilenceAlert()
