"""What people do with the app: clicks, slash commands, modals; and the `response_url` that comes with them.

Shapes: https://docs.slack.dev/reference/interaction-payloads and https://docs.slack.dev/interactivity/handling-user-interaction
Slack never retries these: what is not acknowledged in 3 s is an error that the person sees.
"""

import json
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from bot.demo.workspace.delivery import EventDelivery
from bot.demo.workspace.method import ApiError, Args, Context
from bot.demo.workspace.methods.chat import apply_content, need_text, read_content
from bot.demo.workspace.methods.views import store_view
from bot.demo.workspace.model import Ack, Channel, Json, StoredMessage, StoredView, WorkspaceUser
from bot.demo.workspace.seed import APP_ID, TEAM_DOMAIN, TEAM_ID
from bot.demo.workspace.state import WorkspaceState
from bot.demo.workspace.validation import check_view

RESPONSE_USES = 5
RESPONSE_LIFETIME_S = 30 * 60.0
RESPONSE_FIELDS = {
    "text",
    "blocks",
    "attachments",
    "metadata",
    "mrkdwn",
    "response_type",
    "replace_original",
    "delete_original",
    "thread_ts",
    "unfurl_links",
    "unfurl_media",
}


class ImpossibleInSlack(Exception):
    """Nobody could do this in Slack: no such button now, not a member, an unknown command. The text says why."""


@dataclass(kw_only=True)
class ResponseUrl:
    channel: str
    user: str
    message_ts: str | None
    expires_at: float
    uses: int = 0


def elements_of(blocks: list[Json]) -> Iterator[tuple[Json, Json]]:
    """Each block's interactive elements, with their block."""
    for block in blocks:
        for element in [*block.get("elements", []), block.get("accessory"), block.get("element")]:
            if isinstance(element, dict) and "action_id" in element:
                yield block, element


@dataclass(kw_only=True)
class Interactions:
    context: Context
    delivery: EventDelivery
    _urls: dict[str, ResponseUrl] = field(default_factory=dict)

    @property
    def state(self) -> WorkspaceState:
        return self.context.state

    async def click(
        self, user: WorkspaceUser, target: StoredMessage | StoredView, action_id: str, value: str | None
    ) -> Ack:
        """Use a button, select or feedback button. `value` chooses among equal ones or names the option."""
        self._need_interactivity()
        blocks = target.view["blocks"] if isinstance(target, StoredView) else _message_blocks(target)
        block, action = _pick(blocks, action_id, value)
        payload = self._common("block_actions", user) | {
            "actions": [{"block_id": block.get("block_id", ""), "action_ts": self.state.new_ts(), **action}],
            "state": {"values": target.values if isinstance(target, StoredView) else {}},
        }
        if isinstance(target, StoredView):
            container: Json = {"type": "view", "view_id": target.id}
            return await self._send(user, payload | {"container": container, "view": self.state.api_view(target)})
        channel = self._need_member(user, self.state.channels[target.channel])
        if target.ephemeral_for not in (None, user.id):
            raise ImpossibleInSlack(f"{user.name} cannot see that message")
        container = {
            "type": "message",
            "message_ts": target.ts,
            "channel_id": channel.id,
            "is_ephemeral": bool(target.ephemeral_for),
        }
        if target.thread_ts:
            container["thread_ts"] = target.thread_ts
        payload |= {
            "container": container,
            "channel": {"id": channel.id, "name": "directmessage" if channel.is_im else channel.name},
            "response_url": self._response_url(channel.id, user.id, target.ts),
        }
        if not target.ephemeral_for:
            payload["message"] = self.state.api_message(target)
        return await self._send(user, payload, where=target)

    async def slash(self, user: WorkspaceUser, channel: Channel, text: str) -> Ack:
        name, _, rest = text.strip().partition(" ")
        if name not in self.state.app.commands:
            raise ImpossibleInSlack(
                f"{name} is not a command of this app; its manifest names {list(self.state.app.commands)}"
            )
        self._need_member(user, channel)
        payload: Json = {
            "token": "local",
            "team_id": user.team_id,
            "team_domain": TEAM_DOMAIN,
            "channel_id": channel.id,
            "channel_name": "directmessage" if channel.is_im else channel.name,
            "user_id": user.id,
            "user_name": user.name,
            "command": name,
            "text": self._escaped(rest.strip()) if self.state.app.commands[name].should_escape else rest.strip(),
            "api_app_id": APP_ID,
            "is_enterprise_install": "false",
            "response_url": self._response_url(channel.id, user.id, None),
            "trigger_id": self.state.new_trigger(user.id),
        }
        ack = await self.delivery.send("slash_commands", payload)
        if not ack.acked:
            self._failed(user, channel.id, None, name, ack)
        elif ack.payload:
            self._answer("ack", channel.id, user.id, None, ack.payload)
        return ack

    def _escaped(self, text: str) -> str:
        for user in self.state.users.values():
            text = text.replace(f"@{user.name}", f"<@{user.id}|{user.name}>")
        return text

    async def submit(self, user: WorkspaceUser, view: StoredView, values: Mapping[str, Any]) -> Ack:
        """Submit a modal. `values` maps action_id to what was entered; chosen options are named by their value."""
        self._need_interactivity()
        if "submit" not in view.view:
            raise ImpossibleInSlack("this modal has no submit button")
        view.values, view.errors = read_values(view.view["blocks"], values), {}
        payload = self._common("view_submission", user) | {"view": self.state.api_view(view), "response_urls": []}
        ack = await self._send(user, payload)
        if ack.acked:
            self._after_submission(view, ack.payload)
        return ack

    async def close(self, user: WorkspaceUser, view: StoredView) -> Ack:
        """Close a modal by its cancel button; the app hears of it when the view asks for that."""
        self._forget(view)
        if not view.view.get("notify_on_close"):
            return Ack(acked=True)
        payload = self._common("view_closed", user) | {"view": self.state.api_view(view), "is_cleared": False}
        return await self._send(user, payload)

    async def respond(self, request: web.Request) -> web.Response:
        """A POST to a `response_url`: at most 5 within 30 minutes."""
        url = self._urls.get(request.match_info["key"])
        error = "invalid_url" if url is None else None
        if url and self.state.clock.time() > url.expires_at:
            error = "expired_url"
        elif url and url.uses >= RESPONSE_USES:
            error = "used_url"
        if url is None or error:
            self.state.refuse("response_url", str(error))
            return web.json_response({"ok": False, "error": error}, status=404)
        url.uses += 1
        try:
            body = json.loads(await request.text())
        except ValueError:
            body = None
        if not isinstance(body, dict):
            self.state.refuse("response_url", "invalid_payload")
            return web.json_response({"ok": False, "error": "invalid_payload"}, status=400)
        if error := self._answer("response_url", url.channel, url.user, url.message_ts, body):
            return web.json_response({"ok": False, "error": error}, status=400)
        return web.Response(text="ok")

    def _answer(self, where: str, channel: str, user: str, message_ts: str | None, body: Json) -> str | None:
        """Do what an app asks in an acknowledgement or through a response_url. The error code, None when done."""
        try:
            self._carry_out(channel, user, message_ts, body)
        except ApiError as refusal:
            self.state.refuse(where, refusal.code, tuple(refusal.messages))
            return refusal.code
        return None

    def _carry_out(self, channel: str, user: str, message_ts: str | None, body: Json) -> None:
        original = self.state.find(channel, message_ts) if message_ts else None
        if unknown := sorted(set(body) - RESPONSE_FIELDS):
            raise ApiError("invalid_payload", [f"[ERROR] unknown field: {one}" for one in unknown])
        if body.get("delete_original"):
            if original is None:
                raise ApiError("message_not_found")
            self.state.remove(original)
            return
        content = read_content(Args(body))
        if body.get("replace_original") and original:
            apply_content(self.context, original, content)
            return
        self.context.need_thread(self.state.channels[channel], body.get("thread_ts"))
        message = self.state.bot_message(channel, need_text(content), body.get("thread_ts"))
        message.blocks, message.attachments = content.blocks or [], content.attachments or []
        if body.get("response_type") == "in_channel":
            message.notified = True
            self.state.add_from_app(message)
            self.context.events.message_posted(message)
        else:
            message.ephemeral_for = user
            self.state.add(message)

    def _after_submission(self, view: StoredView, answer: Json | None) -> None:
        match (answer or {}).get("response_action"):
            case "errors":
                errors = (answer or {}).get("errors", {})
                known = {block["block_id"] for block in view.view["blocks"] if block["type"] == "input"}
                if not errors or set(errors) - known:
                    self.state.refuse("ack", "invalid_errors", tuple(sorted(set(errors) - known)))
                view.errors = errors
                self.state.announce("view", {"view": view})
            case "update":
                self._replace(view, (answer or {}).get("view"))
            case "clear" | None:
                self._forget(view)
            case other:
                self.state.refuse("ack", "invalid_response_action", (str(other),))
                self._forget(view)

    def _replace(self, view: StoredView, new: Any) -> None:
        if problems := check_view(new, "modal"):
            self.state.refuse("ack", "invalid_view", tuple(problems))
            self._forget(view)
            return
        view.values = {}
        store_view(self.state, view.user, new, replacing=view)

    def _forget(self, view: StoredView) -> None:
        self.state.views.pop(view.id, None)
        self.state.announce("view_closed", {"id": view.id})

    def _need_interactivity(self) -> None:
        if not self.state.app.interactivity:
            raise ImpossibleInSlack("settings.interactivity.is_enabled is off in the manifest")

    def _need_member(self, user: WorkspaceUser, channel: Channel) -> Channel:
        if user.id not in channel.members:
            raise ImpossibleInSlack(f"{user.name} is not a member of {channel.name}")
        return channel

    def _common(self, kind: str, user: WorkspaceUser) -> Json:
        return {
            "type": kind,
            "token": "local",
            "api_app_id": APP_ID,
            "team": {"id": TEAM_ID, "domain": TEAM_DOMAIN},
            "user": {"id": user.id, "username": user.name, "name": user.name, "team_id": user.team_id},
            "enterprise": None,
            "is_enterprise_install": False,
            "trigger_id": self.state.new_trigger(user.id),
        }

    def _response_url(self, channel: str, user: str, message_ts: str | None) -> str:
        key = secrets.token_urlsafe(24)
        expires_at = self.state.clock.time() + RESPONSE_LIFETIME_S
        self._urls[key] = ResponseUrl(channel=channel, user=user, message_ts=message_ts, expires_at=expires_at)
        return f"{self.state.origin}/response/{key}"

    async def _send(self, user: WorkspaceUser, payload: Json, *, where: StoredMessage | None = None) -> Ack:
        ack = await self.delivery.send("interactive", payload)
        if not ack.acked:
            self._failed(user, where.channel if where else None, where, payload["type"], ack)
        return ack

    def _failed(
        self, user: WorkspaceUser, channel: str | None, near: StoredMessage | None, what: str, ack: Ack
    ) -> None:
        self.state.refuse("delivery", "operation_timeout", (what, ack.error))
        self.state.announce(
            "failed",
            {
                "user": user.id,
                "channel": channel,
                "thread_ts": near.thread_ts if near else None,
                "text": f"{self.state.app.name} did not answer {what} in time ({ack.error}).",
            },
        )


def _message_blocks(message: StoredMessage) -> list[Json]:
    in_attachments = [block for attachment in message.attachments for block in attachment.get("blocks", [])]
    return [*message.all_blocks, *in_attachments]


def _pick(blocks: list[Json], action_id: str, value: str | None) -> tuple[Json, Json]:
    """The block, and the action as it stands in the payload's `actions`."""
    found = [(block, element) for block, element in elements_of(blocks) if element["action_id"] == action_id]
    for block, element in found:
        action = _action(element, value)
        if action is not None:
            return block, {"action_id": action_id, "type": element["type"], **action}
    present = sorted({element["action_id"] for _, element in elements_of(blocks)})
    raise ImpossibleInSlack(f"there is no {action_id!r} with value {value!r} now; there is {present}")


def _action(element: Json, value: str | None) -> Json | None:
    """What the element adds to its action, None when it has no such value."""
    match element["type"]:
        case "button" | "icon_button":
            if value is not None and element.get("value") != value:
                return None
            return {key: element[key] for key in ("text", "value", "style") if key in element}
        case "feedback_buttons":
            for name in ("positive_button", "negative_button"):
                button = element[name]
                if value in (None, button["value"]):
                    return {"text": button["text"], "value": button["value"]}
            return None
    try:
        return read_value(element, value)
    except ImpossibleInSlack:
        return None


def read_values(blocks: list[Json], values: Mapping[str, Any]) -> dict[str, dict[str, Json]]:
    """`view.state.values` from what a person entered. Raises ImpossibleInSlack for a missing or unknown field."""
    state: dict[str, dict[str, Json]] = {}
    left = dict(values)
    for block in blocks:
        element = block.get("element") if block["type"] == "input" else None
        if element is None:
            continue
        name = element.get("action_id", block["block_id"])
        entered = left.pop(name, left.pop(block["block_id"], _initial(element)))
        if entered in (None, "", []) and not block.get("optional"):
            raise ImpossibleInSlack(f"please complete the required field {name}")
        state[block["block_id"]] = {name: {"type": element["type"], **read_value(element, entered)}}
    if left:
        raise ImpossibleInSlack(f"the modal has no field {sorted(left)}")
    return state


def _initial(element: Json) -> Any:
    for name in ("initial_value", "initial_date", "initial_user"):
        if name in element:
            return element[name]
    if "initial_option" in element:
        return element["initial_option"]["value"]
    return [option["value"] for option in element.get("initial_options", [])] or None


def read_value(element: Json, entered: Any) -> Json:
    """One field of `view.state.values`, by the kind of its element."""
    match element["type"]:
        case "static_select" | "radio_buttons" | "overflow":
            return {"selected_option": None if entered in (None, "") else _option(element, entered)}
        case "multi_static_select" | "checkboxes":
            return {"selected_options": [_option(element, one) for one in entered or []]}
        case "users_select":
            return {"selected_user": entered}
        case "datepicker":
            return {"selected_date": entered}
    text = None if entered is None else str(entered)
    if text is not None and len(text) > element.get("max_length", 3000):
        raise ImpossibleInSlack(f"at most {element.get('max_length', 3000)} characters fit there")
    return {"value": text}


def _option(element: Json, value: Any) -> Json:
    for option in element["options"]:
        if option["value"] == value:
            return dict(option)
    raise ImpossibleInSlack(f"there is no option {value!r}")
