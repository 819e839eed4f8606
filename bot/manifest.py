"""The Slack app's manifest as data: from the wheel, where it lies beside this module, or from the checkout's root."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Any

import yaml


def load_manifest() -> dict[str, Any]:
    """What `manifest.yml` says. Raises FileNotFoundError when the installation lacks it."""
    packaged = resources.files("bot").joinpath("manifest.yml")
    text = packaged.read_text() if packaged.is_file() else (Path(__file__).parents[1] / "manifest.yml").read_text()
    loaded: dict[str, Any] = yaml.safe_load(text)
    return loaded


def bot_scopes(manifest: dict[str, Any]) -> frozenset[str]:
    """The scopes that the app asks for."""
    return frozenset(manifest["oauth_config"]["scopes"]["bot"])
