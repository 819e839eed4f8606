"""`/api/METHOD`: who asks, whether they may, what they get. Refuses at least what Slack refuses."""

import json
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from bot.demo.workspace import methods  # noqa: F401  importing registers the methods
from bot.demo.workspace.faults import Faults
from bot.demo.workspace.method import METHODS, ApiError, Args, Context, Method
from bot.demo.workspace.model import Json, WebApiCall
from bot.demo.workspace.state import WorkspaceState

_EVERYWHERE = {"team_id"}  # slack_bolt adds it to every request
_UNRECORDED = {"not_authed", "invalid_auth", "token_revoked"}


class WebApi:
    def __init__(self, context: Context, faults: Faults) -> None:
        self._context = context
        self._faults = faults

    @property
    def _state(self) -> WorkspaceState:
        return self._context.state

    async def handle(self, request: web.Request) -> web.Response:
        name = request.match_info["method"]
        values, token = await _read(request)
        fault = self._faults.take(name)
        if delay := self._faults.delay(name):
            await self._state.clock.sleep(delay)
        if fault and not fault.lose_response:
            self._log(name, values, fault.error)
            return self._injected(fault.error, fault.retry_after)
        answer = self._answer(name, values, token)
        if fault and request.transport:
            request.transport.abort()
        headers = {"x-oauth-scopes": ",".join(self._state.app.scopes), "x-slack-req-id": self._state.new_ts()}
        return web.json_response(answer, headers=headers)

    def _injected(self, error: str, retry_after: int | None) -> web.Response:
        body = {"ok": False, "error": error}
        if retry_after is None:
            return web.json_response(body)
        return web.json_response(body, status=429, headers={"Retry-After": str(retry_after)})

    def _answer(self, name: str, values: Mapping[str, Any], token: str) -> Json:
        try:
            method = self._admit(name, values, token)
            answer = {"ok": True, **method.handler(self._context, Args(values))}
        except ApiError as refusal:
            return self._refusal(name, values, refusal)
        self._log(name, values, None)
        return answer

    def _admit(self, name: str, values: Mapping[str, Any], token: str) -> Method:
        method = METHODS.get(name)
        if method is None:
            raise ApiError("unknown_method", req_method=name)
        if not token:
            raise ApiError("not_authed")
        if token not in (self._state.bot_token, self._state.app_token):
            raise ApiError("invalid_auth")
        if not self._state.installed:
            raise ApiError("token_revoked")
        if (token == self._state.app_token) != method.needs_app_token:
            raise ApiError("not_allowed_token_type")
        if method.scope:
            self._context.need_scope(method.scope)
        if unknown := sorted(set(values) - method.arguments - _EVERYWHERE):
            raise ApiError("invalid_arguments", [f"[ERROR] unknown argument: {one}" for one in unknown])
        return method

    def _refusal(self, name: str, values: Mapping[str, Any], refusal: ApiError) -> Json:
        self._log(name, values, refusal.code)
        if refusal.code not in _UNRECORDED:
            needed = [f"needed: {refusal.extra['needed']}"] if "needed" in refusal.extra else []
            self._state.refuse(name, refusal.code, (*needed, *refusal.messages))
        answer: Json = {"ok": False, "error": refusal.code, **refusal.extra}
        if refusal.messages:
            answer["response_metadata"] = {"messages": refusal.messages}
            answer["errors"] = refusal.messages
        return answer

    def _log(self, name: str, values: Mapping[str, Any], error: str | None) -> None:
        self._state.calls.append(WebApiCall(method=name, args=dict(values), error=error, at=self._state.clock.time()))
        self._state.announce("call", {"method": name, "error": error})


async def _read(request: web.Request) -> tuple[dict[str, Any], str]:
    """Arguments from the query, a form or a JSON body, and the token from the header or among them."""
    values: dict[str, Any] = dict(request.query)
    if request.content_type == "application/json":
        body = await request.text()
        try:
            parsed = json.loads(body) if body else {}
        except ValueError:
            parsed = {}
        values |= parsed if isinstance(parsed, dict) else {}
    elif request.can_read_body:
        values |= {key: str(value) for key, value in (await request.post()).items()}
    in_body = str(values.pop("token", ""))
    scheme, _, in_header = request.headers.get("Authorization", "").partition(" ")
    return values, in_header.strip() if scheme == "Bearer" else in_body
