"""Asks AWS by aiobotocore, which signs and parses; what leaves does so through the one way out.

botocore asks whoever listens to `before-send` first, and takes an answer that it gets there: so every request is sent
by `Outbound`, with its checked addresses, hosts, sizes and times, and the library's own HTTP client sends none. Only
the identity of this process is looked up as AWS' libraries do. The credentials of an assumed role are kept by the
connection that assumed it, and renewed before their hour is over.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from aiobotocore.awsrequest import AioAWSResponse  # type: ignore[import-untyped] # publishes no types
from aiobotocore.config import AioConfig  # type: ignore[import-untyped] # publishes no types
from aiobotocore.session import get_session  # type: ignore[import-untyped] # publishes no types
from botocore.exceptions import (  # type: ignore[import-untyped] # publishes no types
    BotoCoreError,
    ClientError,
    NoCredentialsError,
    ParamValidationError,
    PartialCredentialsError,
)

from agents.connecting.connector import ConnectorContext
from agents.connecting.connectors.aws.settings import AwsConfig
from agents.errors import AgentError, BadArguments, NeedsReauthorisation, Unavailable

_RENEW_BEFORE: Final = timedelta(minutes=5)
_ANY: Final = frozenset(range(300, 600))  # what they mean is read from the body
_MOST_BYTES: Final = 16_000_000
_TIMEOUT_S: Final = 15.0
_DENIED: Final = ("AccessDenied", "Unauthorized", "NotAuthorized")
_EXPIRED: Final = frozenset(
    {"ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId", "UnrecognizedClientException"}
)
_UNSIGNED: Final = frozenset({"SignatureDoesNotMatch", "InvalidSignatureException", "MissingAuthenticationToken"})
_BUSY: Final = ("Throttl", "TooManyRequests", "RequestLimitExceeded", "LimitExceeded", "ServiceUnavailable", "Internal")


@dataclass(frozen=True, kw_only=True)
class _Keys:
    """As a client takes them. `ends` is None for those that do not end."""

    arguments: Mapping[str, str]
    ends: datetime | None


class _Body:
    """What aiobotocore reads an answer's body from."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    async def read(self) -> bytes:
        return self._body


@dataclass(frozen=True, kw_only=True)
class AwsPages:
    """Items of the pages that were read; `more` where there are further ones."""

    items: list[Any]
    more: bool = False


class AwsSession:
    """Of one connection. Close it at the end."""

    def __init__(self, config: AwsConfig, context: ConnectorContext) -> None:
        self._config, self._context = config, context
        self._session = get_session()
        self._opened = AsyncExitStack()
        self._opening = asyncio.Lock()
        self._clients: dict[str, Any] = {}
        self._keys: _Keys | None = None

    async def call(self, service: str, operation: str, /, *, what: str, **arguments: Any) -> dict[str, Any]:
        """One question. `operation` as the client's method is called; `what` names it for people. Raises AgentError."""
        try:
            client = await self._client(service)
            answer: dict[str, Any] = await getattr(client, operation)(**arguments)
        except ClientError as exc:
            raise await self._translated(exc, service, what) from exc
        except ParamValidationError as exc:
            raise BadArguments(f"AWS does not take that question for {what}") from exc
        except (NoCredentialsError, PartialCredentialsError) as exc:
            raise NeedsReauthorisation(
                "this process has no AWS identity that could assume the role: give its host or container a role"
            ) from exc
        except BotoCoreError as exc:
            raise Unavailable(f"AWS answered {what} in a form that is not understood ({type(exc).__name__})") from exc
        return answer

    async def pages(
        self,
        service: str,
        operation: str,
        key: str,
        /,
        *,
        what: str,
        most_pages: int = 5,
        **more: Any,
    ) -> AwsPages:
        """Items under `key` of the first pages."""
        items: list[Any] = []
        following: dict[str, str] = {}
        for _ in range(most_pages):
            answer = await self.call(service, operation, what=what, **more, **following)
            items += answer.get(key) or []
            following = {name: answer[name] for name in ("nextToken", "NextToken") if answer.get(name)}
            if not following:
                return AwsPages(items=items)
        return AwsPages(items=items, more=True)

    async def close(self) -> None:
        self._clients.clear()
        await self._opened.aclose()

    async def _client(self, service: str) -> Any:
        async with self._opening:
            ends = self._keys.ends if self._keys is not None else None
            if ends is not None and ends - self._context.now() < _RENEW_BEFORE:
                await self.close()
                self._opened, self._keys = AsyncExitStack(), None
            if self._keys is None:
                self._keys = await self._identified()
            if service not in self._clients:
                self._clients[service] = await self._open(service, self._keys.arguments)
            return self._clients[service]

    async def _identified(self) -> _Keys:
        """Of the role, or the keys that were given. Raises as `call`."""
        secrets = self._context.credentials
        if "access_key_id" in secrets:
            return _Keys(
                arguments={
                    "aws_access_key_id": secrets["access_key_id"].reveal(),
                    "aws_secret_access_key": secrets["secret_access_key"].reveal(),
                },
                ends=None,
            )
        sts = await self._open("sts", {})
        answer = await sts.assume_role(
            RoleArn=self._config.role_arn,
            RoleSessionName="autoheal",
            ExternalId=secrets["external_id"].reveal(),
        )
        given = answer["Credentials"]
        return _Keys(
            arguments={
                "aws_access_key_id": given["AccessKeyId"],
                "aws_secret_access_key": given["SecretAccessKey"],
                "aws_session_token": given["SessionToken"],
            },
            ends=given["Expiration"],
        )

    async def _open(self, service: str, keys: Mapping[str, str]) -> Any:
        client = await self._opened.enter_async_context(
            self._session.create_client(
                service,
                region_name=self._config.region,
                endpoint_url=self._config.endpoint_url,
                config=AioConfig(
                    retries={"mode": "standard", "total_max_attempts": 2},
                    ignore_configured_endpoint_urls=True,
                    warm_up_loader_caches=True,
                ),
                **keys,
            )
        )
        client.meta.events.register("before-send", self._send)
        return client

    async def _send(self, request: Any, **_: Any) -> Any:
        headers = {
            name: value.decode() if isinstance(value, bytes) else value for name, value in request.headers.items()
        }
        body = request.body
        answer = await self._context.outbound.request(
            request.method,
            request.url,
            headers={**headers, "Accept-Encoding": "identity"},
            content=body.encode() if isinstance(body, str) else body,
            timeout_s=_TIMEOUT_S,
            max_bytes=_MOST_BYTES,
            accept=_ANY,
        )
        if answer.status < 300 and "x-amz-target" in {name.lower() for name in headers}:
            answer.json()  # botocore takes a page of a proxy for an answer without contents
        return AioAWSResponse(request.url, answer.status, dict(answer.headers), _Body(answer.body))

    async def _translated(self, exc: ClientError, service: str, what: str) -> AgentError:
        error = exc.response.get("Error", {})
        code, status = str(error.get("Code", "")), exc.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        if any(word in code for word in _DENIED):
            if exc.operation_name == "AssumeRole":
                return NeedsReauthorisation(
                    "AWS does not let Autoheal assume the role: its trust policy must name Autoheal's identity and "
                    "this external id"
                )
            prefix = {"monitoring": "cloudwatch"}.get(service, service)
            return NeedsReauthorisation(f"the role may not read {what}: allow {prefix}:{exc.operation_name}")
        if code in _EXPIRED or code in _UNSIGNED:
            return NeedsReauthorisation(f"AWS does not accept the credentials ({code})")
        if any(word in code for word in _BUSY) or status >= 500:
            return Unavailable(f"AWS is busy ({code}); {what} could not be read")
        said = await self._context.clean(str(error.get("Message", "")))
        return BadArguments(f"AWS refused the question for {what} ({code}): {said[:300]}")
