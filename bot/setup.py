"""`autoheal setup`: the link that creates the Slack app from the manifest, and the steps from there to a first answer.

Slack opens the manifest for review when it comes in the link, so nothing has to be typed over.
https://docs.slack.dev/app-manifests/configuring-apps-with-app-manifests#sharing-manifests
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from bot.manifest import load_manifest

_NEW_APP: Final = "https://api.slack.com/apps?new_app=1&manifest_json="

_MARK: Final = "autoheal-shred-mark.json"
_FOR_EXAMPLE: Final = f"/mnt/elsewhere/{_MARK}"
_QUESTION: Final = (
    "A folder on another disk or host, in which it is kept how many keys of closed workspaces were destroyed (empty: "
    "later): "
)

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
5. Promise that a closed workspace stays closed: say where the mark of destroyed keys is kept, a file on another disk or
   host than the data folder, so that an old copy of the folder is refused:
     export AUTOHEAL_SHRED_MARK={mark}
6. In Slack, in your incident channel:
     /invite @{bot}
7. Test all of it; each problem comes with what to do next:
     autoheal doctor
8. Start, and mention the bot in that channel (for example "@{bot} checkout is failing since 02:40"):
     autoheal serve
"""


_STEPS_MANY: Final = """\
Create the Slack app for several workspaces: open this link, choose the workspace that owns the app, review, "Create".

{link}

Then:

1. Settings > Basic Information > App Credentials. Copy what Slack calls Client ID, Client Secret and Signing Secret:
     export SLACK_CLIENT_ID=...
     export SLACK_CLIENT_SECRET=...
     export SLACK_SIGNING_SECRET=...
2. Say where it is reached, behind a proxy that does TLS or with a certificate of its own (docs/operating.md):
     export AUTOHEAL_MODE=http
     export AUTOHEAL_PUBLIC_URL={url}
3. Name the workspaces or organisations that may install it; a token of any other one is revoked at once:
     export AUTOHEAL_SLACK_WORKSPACES=T0123456789,T9876543210
4. Settings > Manage Distribution > "Activate Public Distribution", if workspaces other than the app's own shall install
   it. Leave token rotation off.
5. Optional: let Claude investigate. Without a key the offline investigator works alone and nothing goes to a model:
     export ANTHROPIC_API_KEY=...
6. Promise that a closed workspace stays closed: say where the mark of destroyed keys is kept, a file on another disk or
   host than the data folder, so that an old copy of the folder is refused:
     export AUTOHEAL_SHRED_MARK={mark}
7. Test all of it; each problem comes with what to do next:
     autoheal doctor
8. Start:
     autoheal serve
9. Whoever administers a workspace opens this address; the page after it says what to do next:
     {url}/slack/install
"""


def manifest_for(public_url: str) -> dict[str, Any]:
    """The app's manifest for signed HTTP at this address, installable by OAuth."""
    manifest = load_manifest()
    events = f"{public_url}/slack/events"
    manifest["oauth_config"]["redirect_urls"] = [f"{public_url}/slack/oauth_redirect"]
    manifest["settings"]["socket_mode_enabled"] = False
    manifest["settings"]["event_subscriptions"]["request_url"] = events
    manifest["settings"]["interactivity"]["request_url"] = events
    for command in manifest["features"]["slash_commands"]:
        command["url"] = events
    return manifest


def app_link(manifest: Mapping[str, Any]) -> str:
    """The page of Slack that creates an app from this manifest."""
    return _NEW_APP + quote(json.dumps(manifest, separators=(",", ":")), safe="")


def print_setup(ask: Callable[[str], str] | None = None, *, public_url: str | None = None) -> int:
    """Needs no settings and reaches nothing. `ask` puts a question to the person, where there is one. With a
    `public_url` the app is for several workspaces, over signed HTTP.
    """
    manifest = load_manifest() if public_url is None else manifest_for(public_url)
    mark = _FOR_EXAMPLE if ask is None else _asked(ask)
    steps = _STEPS if public_url is None else _STEPS_MANY
    bot = manifest["features"]["bot_user"]["display_name"]
    print(steps.format(link=app_link(manifest), bot=bot, mark=mark, url=public_url), end="")
    return 0


def _asked(ask: Callable[[str], str]) -> str:
    """A file in a folder that is there and can be written; an empty answer leaves the example."""
    while answer := ask(_QUESTION).strip():
        folder = Path(answer).expanduser().absolute()
        if not folder.is_dir():
            print(f"There is no folder {folder}.")
        elif not os.access(folder, os.W_OK | os.X_OK):
            print(f"This user cannot write {folder}.")
        else:
            if folder.stat().st_dev == Path.cwd().stat().st_dev:
                print("That is on the same disk as this folder: a copy of the whole disk would hold both.")
            return str(folder / _MARK)
    return _FOR_EXAMPLE
