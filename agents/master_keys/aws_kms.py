"""AWS KMS as the master key: data keys are encrypted there, under a key that never leaves it.

Tenant and key id are the encryption context: AWS authenticates it and writes it to CloudTrail. What is wrapped names
the ARN of its key; only ARNs that the operator configured are asked, so a row that was tampered with leads nowhere.
https://docs.aws.amazon.com/kms/latest/APIReference/API_Encrypt.html (at most 4,096 bytes; ours have 32)
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import Any, Final
from urllib.parse import urlsplit

from aiobotocore.config import AioConfig  # type: ignore[import-untyped] # publishes no types
from aiobotocore.session import get_session  # type: ignore[import-untyped] # publishes no types
from botocore.exceptions import (  # type: ignore[import-untyped] # publishes no types
    BotoCoreError,
    ClientError,
    NoCredentialsError,
    PartialCredentialsError,
)

from store.errors import KeyAccessDenied, KeyServiceUnreachable, StoreError, WrongMasterKey

_WRONG: Final = frozenset({"IncorrectKeyException", "InvalidCiphertextException", "NotFoundException"})
_BUSY: Final = frozenset(
    {
        "ThrottlingException",
        "DependencyTimeoutException",
        "KMSInternalException",
        "InternalFailure",
        "ServiceUnavailable",
    }
)
_OFF: Final = frozenset({"DisabledException", "KMSInvalidStateException"})


class AwsKmsKeys:
    """`key_arn` wraps; `former_arns` still unwrap, until `autoheal keys rewrap` was run. Credentials are AWS's usual
    ones: environment, profile, or the role of the instance. Close it at the end.
    """

    name = "aws-kms"

    def __init__(
        self,
        *,
        key_arn: str,
        former_arns: tuple[str, ...] = (),
        region: str | None = None,
        endpoint_url: str | None = None,
        timeout_s: float = 5.0,
        attempts: int = 3,
    ) -> None:
        self._arn = key_arn
        self._arns = frozenset({key_arn, *former_arns})
        self._region = region or key_arn.split(":")[3]
        self._endpoint_url = endpoint_url
        self._timeout_s = timeout_s
        self._attempts = attempts
        self._opened = AsyncExitStack()
        self._opening = asyncio.Lock()
        self._client: Any = None

    async def wrap(self, data_key: bytes, *, context: Mapping[str, str]) -> bytes:
        answer = await self._ask("Encrypt", self._arn, Plaintext=data_key, EncryptionContext=dict(context))
        return self._arn.encode() + b"\n" + bytes(answer["CiphertextBlob"])

    async def unwrap(self, wrapped: bytes, *, context: Mapping[str, str]) -> bytes:
        prefix, _, blob = wrapped.partition(b"\n")
        arn = prefix.decode("ascii", "replace")
        if arn not in self._arns:
            raise WrongMasterKey(
                f"a data key was wrapped by {arn[:200]!r}: add that ARN to AUTOHEAL_KMS_FORMER_KEY_ARNS if it was yours"
            )
        answer = await self._ask("Decrypt", arn, CiphertextBlob=blob, EncryptionContext=dict(context))
        return bytes(answer["Plaintext"])

    async def is_current(self, wrapped: bytes) -> bool:
        """Whether the configured key wrapped it. AWS's own yearly rotation needs no new wrapping."""
        return wrapped.partition(b"\n")[0] == self._arn.encode()

    async def close(self) -> None:
        self._client = None
        await self._opened.aclose()

    async def _ask(self, operation: str, arn: str, **arguments: Any) -> dict[str, Any]:
        try:
            client = await self._open()
            method = client.encrypt if operation == "Encrypt" else client.decrypt
            answer: dict[str, Any] = await method(KeyId=arn, **arguments)
        except ClientError as exc:
            raise _translated(str(exc.response.get("Error", {}).get("Code", "")), operation, arn) from exc
        except (NoCredentialsError, PartialCredentialsError) as exc:
            raise KeyAccessDenied(
                "AWS KMS: this process has no AWS credentials: give it a role, or set AWS_ACCESS_KEY_ID and "
                "AWS_SECRET_ACCESS_KEY"
            ) from exc
        except (BotoCoreError, TimeoutError, OSError) as exc:
            raise KeyServiceUnreachable(
                f"AWS KMS cannot be reached in {self._region} ({type(exc).__name__}): check the network, the region "
                "and AUTOHEAL_KMS_ENDPOINT. Nothing was lost"
            ) from exc
        return answer

    async def _open(self) -> Any:
        async with self._opening:
            if self._client is None:
                client = await self._opened.enter_async_context(
                    get_session().create_client(
                        "kms",
                        region_name=self._region,
                        endpoint_url=self._endpoint_url,
                        config=AioConfig(
                            connect_timeout=self._timeout_s,
                            read_timeout=self._timeout_s,
                            retries={"mode": "standard", "max_attempts": self._attempts},
                        ),
                    )
                )
                own = urlsplit(client.meta.endpoint_url)[:2]

                def stay(request: Any, **_: Any) -> None:
                    if urlsplit(request.url)[:2] != own:
                        raise KeyAccessDenied("the client of AWS KMS may only reach its own endpoint")

                client.meta.events.register("before-send.kms", stay)
                self._client = client
            return self._client


def _translated(code: str, operation: str, arn: str) -> StoreError:
    if code in _WRONG:
        return WrongMasterKey(
            f"AWS KMS: the key {arn} does not open this keyring ({code}): set AUTOHEAL_KMS_KEY_ARN to the key that it "
            "was wrapped with; nothing was changed"
        )
    if code in _BUSY:
        return KeyServiceUnreachable(f"AWS KMS is busy ({code}): it is tried again by itself. Nothing was lost")
    if code in _OFF:
        return KeyAccessDenied(
            f"AWS KMS: the key {arn} is disabled or waits for its deletion: enable it again ({code})"
        )
    return KeyAccessDenied(f"AWS KMS refused ({code}): allow kms:{operation} on {arn} to this process's role")
