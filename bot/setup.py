"""`autoheal setup`: the link that creates the Slack app from the manifest, and the steps from there to a first answer.

Slack opens the manifest for review when it comes in the link, so nothing has to be typed over.
https://docs.slack.dev/app-manifests/configuring-apps-with-app-manifests#sharing-manifests
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

from bot.manifest import load_manifest

_NEW_APP: Final = "https://api.slack.com/apps?new_app=1&manifest_json="

_STEPS: Final = """\
Create the Slack app: open this link, choose your workspace, review, "Create".

{link}

Then:

1. Settings > Install App > "Install to Workspace". Copy the Bot User OAuth Token:
     export SLACK_BOT_TOKEN=xoxb-...
2. Settings > Basic Information > App-Level Tokens > "Generate Token and Scopes", add connections:write. Copy the token
   (Socket Mode needs it; then no address of yours has to be reachable from outside):
     export SLACK_APP_TOKEN=xapp-...
3. Optional: let Claude investigate. Without a key the offline investigator works alone and nothing goes to a model:
     export ANTHROPIC_API_KEY=...
4. Say what it may read and run, in a file of your own; docs/operating.md shows every connector by example. It can
   wait: without it Autoheal answers, but has nothing to look at:
     export AUTOHEAL_OPERATOR_FILE=/etc/autoheal.toml
5. In Slack, in your incident channel:
     /invite @{bot}
6. Test all of it; each problem comes with what to do next:
     autoheal doctor
7. Start, and mention the bot in that channel (for example "@{bot} checkout is failing since 02:40"):
     autoheal serve
"""


def app_link(manifest: Mapping[str, Any]) -> str:
    """The page of Slack that creates an app from this manifest."""
    return _NEW_APP + quote(json.dumps(manifest, separators=(",", ":")), safe="")


def print_setup() -> int:
    """Needs no settings and reaches nothing."""
    manifest = load_manifest()
    print(_STEPS.format(link=app_link(manifest), bot=manifest["features"]["bot_user"]["display_name"]), end="")
    return 0
