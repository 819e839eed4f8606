"""What the engine's database may hold: ids and closed words, as JSON under the engine's own key.

Content stays in the store. DBOS' own serializer is pickle: plain text, and code execution for whoever can write to the
database.
"""

from __future__ import annotations

import base64
import json
import os
import re
from typing import Any, Final

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from dbos._serialization import Serializer

from agents.workflow import StepFailed

_WORD_MAX: Final = 200
_WORD: Final = re.compile(rf"[\w:.+-]{{0,{_WORD_MAX}}}")  # ids and closed words have no blanks; sentences do


class SealedWords(Serializer):
    """JSON of short strings under AES-256-GCM. Refuses anything that is not an id, a word or a failed step."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)

    def serialize(self, data: Any) -> str:
        nonce = os.urandom(12)
        sealed = self._cipher.encrypt(nonce, json.dumps(_plain(data)).encode(), b"AH-ENGINE-1")
        return base64.b64encode(nonce + sealed).decode()

    def deserialize(self, serialized_data: str) -> Any:
        raw = base64.b64decode(serialized_data)
        return _revive(json.loads(self._cipher.decrypt(raw[:12], raw[12:], b"AH-ENGINE-1")))

    def name(self) -> str:
        return "autoheal_sealed_words"


def closed_word(value: object) -> str:
    """`value` as an id or a closed word. Raises TypeError, which does not repeat it."""
    if not isinstance(value, str) or not _WORD.fullmatch(value):
        raise TypeError(f"a workflow may carry ids and words only, not this {type(value).__name__}")
    return value


def _plain(data: Any) -> Any:
    if data is None or isinstance(data, bool | int | float):
        return data
    if isinstance(data, str):
        if len(data) > _WORD_MAX:
            raise TypeError("a workflow may carry ids and words only; content belongs in the store")
        return data
    if isinstance(data, list | tuple):
        return [_plain(item) for item in data]
    if isinstance(data, dict):
        return {str(key): _plain(value) for key, value in data.items()}
    if isinstance(data, StepFailed):
        return {"__failed__": [data.kind, data.reference]}
    if isinstance(data, BaseException):
        return {"__failed__": [type(data).__name__, "engine"]}
    raise TypeError(f"a workflow may carry ids and words only, not {type(data).__name__}")


def _revive(data: Any) -> Any:
    if isinstance(data, dict) and "__failed__" in data:
        return StepFailed(*data["__failed__"])
    if isinstance(data, dict):
        return {key: _revive(value) for key, value in data.items()}
    if isinstance(data, list):
        return [_revive(item) for item in data]
    return data
