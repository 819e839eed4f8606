"""The JSON API as an ASGI application: all resources behind the guard, their OpenAPI description, security headers.

Served under `/api`. The description is at `/api/openapi.json`; no page of documentation is served, for it would load
scripts from elsewhere.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send

from agents.permission import Permission
from handlers.web.api_guard import guarded, say
from handlers.web.api_resource import PUBLIC, ApiContext, Operation, Problem, Resource, discover_resources

SECURITY_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
HSTS: Final = "max-age=31536000; includeSubDomains"
_REFUSALS: Final[dict[int | str, dict[str, Any]]] = {
    "4XX": {
        "description": "Refused: a closed word, a sentence and a reference id.",
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "properties": {
                        "error": {
                            "type": "object",
                            "properties": {name: {"type": "string"} for name in ("code", "message", "reference")},
                            "required": ["code", "message", "reference"],
                        }
                    },
                    "required": ["error"],
                }
            }
        },
    }
}


def build_api(context: ApiContext) -> ASGIApp:
    """Mount it at `/api`."""
    app = FastAPI(
        title="Autoheal",
        summary="People, their rights and their data.",
        version="1",
        docs_url=None,
        redoc_url=None,
        swagger_ui_oauth2_redirect_url=None,
        exception_handlers={HTTPException: _refuse},
    )
    app.state.context = context
    for resource in discover_resources().values():
        for operation in resource.operations:
            _register(app, resource, operation)
    is_https = context.public_url is not None and context.public_url.startswith("https://")
    return SecurityHeaders(app, SECURITY_HEADERS | ({"Strict-Transport-Security": HSTS} if is_https else {}))


def _register(app: FastAPI, resource: Resource, operation: Operation) -> None:
    name = operation.run.__name__.strip("_")
    who = "Anybody." if operation.access == PUBLIC else f"Permission: {Permission(operation.access).value}."
    how = " In a browser only." if operation.in_browser_only else ""
    app.router.routes.append(
        guarded(operation)(
            operation.path,
            operation.run,
            methods=[operation.method],
            status_code=operation.status,
            response_model=operation.answer,
            tags=[resource.name],
            name=name,
            operation_id=f"{resource.name}.{name}",
            summary=name.replace("_", " ").capitalize(),
            description=f"{(operation.run.__doc__ or '').strip()}\n\n{who}{how}".strip(),
            responses=_REFUSALS,
        )
    )


async def _refuse(_request: Request, exc: Exception) -> JSONResponse:
    """A path or a method that is not there."""
    status = exc.status_code if isinstance(exc, HTTPException) else 500
    code, message = {
        404: ("no_such_address", "There is nothing at this address."),
        405: ("method", "This address does not do that."),
    }.get(status, ("refused", "The request cannot be answered."))
    return say(Problem(status, code, message))


class SecurityHeaders:
    """Sets headers on every answer; what an operation set itself stays."""

    def __init__(self, app: ASGIApp, headers: dict[str, str]) -> None:
        self._app = app
        self._headers = headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def sending(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, sending)
