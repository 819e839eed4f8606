"""Providers are found by their folder."""

from agents.webhooks import discover_providers, provider


def test_a_provider_is_found_by_its_name() -> None:
    assert provider("github") is discover_providers()["github"]
    assert provider("nobody") is None
