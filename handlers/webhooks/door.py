"""`POST /webhooks/{provider}/{opaque id}`: who sends is judged on the raw bytes before anything is parsed; what is
accepted is durable before it is acknowledged, and is worked on afterwards.

A body that cannot be read is the sender's mistake and answered with 4xx and one line in the log. The same signed bytes
a second time are acknowledged and do nothing. https://www.standardwebhooks.com
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import logging
import time
from collections import Counter, OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, Protocol
from urllib.parse import parse_qs

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from agents.errors import AgentError
from agents.webhooks import Refusal, Verified, provider
from agents.webhooks.headers import Headers
from handlers.webhooks.refusals import Refusals
from store import inbox
from store.database.session import Database
from store.errors import StoreBusy, TenantFrozen, UnknownTenant
from store.ids import TenantId
from store.inbox.webhooks import KnownWebhook, find_webhook
from store.secrets.redaction import RedactionFailed

log = logging.getLogger("autoheal.webhooks")

PATH: Final = "/webhooks/{provider}/{public_id}"
SOURCE: Final = "webhook"
MOST_BYTES: Final = 5_000_000
BODY_S: Final = 10.0
FRESH_S: Final = 15.0
"""How long a webhook is taken from memory: so long a secret that was taken back may still count."""
_MOST_REMEMBERED: Final = 5_000
_SAME_NEWS_S: Final = 300
VERBATIM: Final = frozenset({"body"})
_KEPT_HEADERS: Final = (
    *("content-type", "x-github-event", "x-github-delivery", "x-gitlab-event", "x-gitlab-event-uuid", "request-id"),
    *("sentry-hook-resource", "x-amz-sns-message-type", "x-atlassian-webhook-identifier", "webhook-id"),
)
Fetch = Callable[[str], Awaitable[bytes]]


class ArrivalKeeper(Protocol):
    """What the door needs of the intake."""

    async def accept(self, tenant: TenantId, arrival: inbox.Arrival) -> inbox.RecordedArrival: ...


class Door:
    """One a process. `arrived` is told of each tenant for whom something new is durable; `fetch` gets a certificate.
    `counts` are totals since the start.
    """

    def __init__(
        self,
        db: Database,
        keeps: ArrivalKeeper,
        refusals: Refusals,
        *,
        arrived: Callable[[TenantId, inbox.RecordedArrival], None],
        fetch: Fetch,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._db, self._keeps, self._refusals = db, keeps, refusals
        self._arrived, self._fetch, self._clock = arrived, fetch, clock
        self._known: OrderedDict[str, tuple[float, KnownWebhook | None]] = OrderedDict()
        self._certificates: dict[str, bytes] = {}
        self.counts: Counter[str] = Counter()

    def forget(self) -> None:
        """After a webhook was made, rotated or deleted in this process."""
        self._known.clear()

    def routes(self) -> list[Route]:
        return [Route(PATH, self.receive, methods=["POST"])]

    async def receive(self, request: Request) -> Response:
        name, public_id = request.path_params["provider"], request.path_params["public_id"]
        try:
            known = await self._find(public_id)
        except StoreBusy:
            return _say(503, "busy")
        if known is None or known.webhook.provider != name:
            self.counts["unknown"] += 1
            return _say(404, "no such webhook")
        raw = await _body(request)
        if isinstance(raw, Response):
            return await self._refuse(known, "too_large" if raw.status_code == 413 else "unreadable", request, raw)
        judged = await self._verify(known, raw, Headers(dict(request.headers)))
        if isinstance(judged, Refusal):
            status = 403 if judged.reason == "other_topic" else 401
            return await self._refuse(known, judged.reason, request, _say(status, "refused"))
        body = _parsed(raw, request.headers.get("content-type", ""))
        if body is None:
            return await self._refuse(known, "unreadable", request, _say(400, "the body is not a JSON document"))
        return await self._keep(known, judged, raw, body, request)

    async def _keep(self, known: KnownWebhook, judged: Verified, raw: bytes, body: str, request: Request) -> Response:
        arrival = inbox.Arrival(
            source=SOURCE,
            external_id=f"{known.webhook.id}:{self._digest(judged, raw)}",
            kind=f"webhook.{known.webhook.provider}",
            payload={
                "webhook": known.webhook.id,
                "provider": known.webhook.provider,
                "headers": {name: request.headers[name] for name in _KEPT_HEADERS if name in request.headers},
                "ip": request.client.host if request.client else "",
                "user_agent": request.headers.get("user-agent", "")[:300],
                "body": body,
            },
            verbatim_keys=VERBATIM,
        )
        try:
            recorded = await self._keeps.accept(known.tenant_id, arrival)
        except (TenantFrozen, UnknownTenant):
            self._known.pop(known.webhook.public_id, None)
            return _say(404, "no such webhook")
        except RedactionFailed:
            return await self._refuse(known, "unredactable", request, _say(422, "it cannot be made safe to store"))
        except StoreBusy:
            return _say(503, "busy")
        self.counts["accepted" if recorded.is_new else "repeated"] += 1
        if recorded.is_new:
            self._arrived(known.tenant_id, recorded)
        return JSONResponse({"status": "accepted" if recorded.is_new else "repeated"}, status_code=202)

    def _digest(self, judged: Verified, raw: bytes) -> str:
        """What is signed happens once, for ever. Where a secret is only sent along, the same bytes are the same news
        for some minutes, as when a sender tries again; after that they say that something still holds.
        """
        signed = judged.signed
        if signed is None:
            signed = str(int(self._clock() // _SAME_NEWS_S)).encode() + b":" + raw
        return hashlib.sha256(signed).hexdigest()[:48]

    async def _find(self, public_id: str) -> KnownWebhook | None:
        """From memory for some seconds, what is unknown too."""
        at, found = self._known.get(public_id, (0.0, None))
        if at and self._clock() - at < FRESH_S:
            return found
        try:
            found = await find_webhook(self._db, public_id)
        except (TenantFrozen, UnknownTenant):
            found = None
        self._known[public_id] = (self._clock(), found)
        self._known.move_to_end(public_id)
        if len(self._known) > _MOST_REMEMBERED:
            self._known.popitem(last=False)
        return found

    async def _verify(self, known: KnownWebhook, raw: bytes, headers: Headers) -> Verified | Refusal:
        judge = provider(known.webhook.provider)
        if judge is None or any(not known.webhook.config.get(name) for name in judge.required):
            return Refusal("no_secret")
        certificates: Mapping[str, bytes] = {}
        if (url := judge.certificate_url(raw)) is not None:
            certificates = await self._certificate(url)
        return judge.verify(
            raw,
            headers,
            secrets=[secret.reveal() for secret in known.secrets],
            now=self._clock(),
            config=known.webhook.config,
            certificates=certificates,
        )

    async def _certificate(self, url: str) -> Mapping[str, bytes]:
        if url not in self._certificates:
            try:
                self._certificates[url] = await self._fetch(url)
            except AgentError as exc:
                log.warning("no certificate", extra={"action": "webhook.no_certificate", "kind": type(exc).__name__})
                return {}
        return {url: self._certificates[url]}

    async def _refuse(self, known: KnownWebhook, reason: str, request: Request, answer: Response) -> Response:
        self.counts[f"refused_{reason}"] += 1
        ip = request.client.host if request.client else ""
        facts = {"action": "webhook.refused", "reason": reason, "webhook": known.webhook.id, "ip": ip}
        log.warning("refused: %s", reason, extra=facts)
        with contextlib.suppress(StoreBusy):  # it stays counted
            await self._refusals.note(known, reason, ip=ip)
        return answer


def _say(status: int, words: str) -> Response:
    return JSONResponse({"error": words}, status_code=status)


async def _body(request: Request) -> bytes | Response:
    """All of it, soon, and no more than is allowed, whatever length was announced."""
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and (len(announced) > 9 or int(announced) > MOST_BYTES):
        return _say(413, f"a delivery has at most {MOST_BYTES} bytes")
    parts, size = [], 0
    try:
        async with asyncio.timeout(BODY_S):
            async for part in request.stream():
                size += len(part)
                if size > MOST_BYTES:
                    return _say(413, f"a delivery has at most {MOST_BYTES} bytes")
                parts.append(part)
    except (TimeoutError, ClientDisconnect):
        return _say(408, "the body did not come in time")
    return b"".join(parts)


def _parsed(raw: bytes, content_type: str) -> str | None:
    """The JSON document as text, if it is one: an object or a list. GitHub can send it in a form."""
    try:
        text = raw.decode("utf-8-sig")
        if content_type.startswith("application/x-www-form-urlencoded"):
            text = next(iter(parse_qs(text).get("payload", [])), "")
        read: Any = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return text if isinstance(read, dict | list) else None
