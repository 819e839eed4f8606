"""Passwords: bcrypt over a keyed prehash, off the event loop, a few at a time.

    bcrypt(base64(HMAC-SHA384(pepper, NFC(password))))

The prehash is 64 bytes without a NUL, so bcrypt's limit of 72 bytes never cuts a password. An unknown account costs as
much as a known one. What may be chosen: length and a list of what is guessed first, no rules of composition.
https://pages.nist.gov/800-63-4/sp800-63b.html
"""

import asyncio
import base64
import hashlib
import hmac
import itertools
import re
import unicodedata
from collections.abc import Callable, Iterable
from typing import Final, TypeVar

import bcrypt

from store.errors import StoreBusy
from store.secrets.redaction import Secret

COST: Final = 12
SHORTEST: Final = 15
LONGEST: Final = 256
_AT_ONCE: Final = 2
_MOST_WAITING: Final = 32
_OWN_PART: Final = 8
"""So many characters must remain of a password once the words that others know of the person are taken out."""

_GUESSED_FIRST: Final = """
    passwordpassword password password1 passw0rd letmein letmeinletmein welcome welcome1 changeme changemechangeme
    administrator administratoradministrator iloveyou iloveyouiloveyou trustno1 opensesame opensesameopensesame
    correcthorsebatterystaple correcthorsebattery thisisapassword thisismypassword mypassword mysecretpassword
    supersecretpassword secretpassword averylongpassword thequickbrownfox thequickbrownfoxjumps
    thequickbrownfoxjumpsoverthelazydog maytheforcebewithyou tobeornottobe tobeornottobethatisthequestion
    neverguessthis nobodywillguess summer winter spring autumn monday january qwertyuiop asdfghjkl zxcvbnm
    qwertyuiopasdfghjkl qwertyuiopasdfghjklzxcvbnm onetwothreefour dragon football baseball princess sunshine monkey
    abcdefghijklmnop defaultpassword temporarypassword pleasechangeme incidentresponse sitereliability kubernetes
"""
_GUESSES: Final = frozenset(_GUESSED_FIRST.split())
_ROWS: Final = (
    "abcdefghijklmnopqrstuvwxyz",
    "01234567890123456789",
    "qwertyuiop",
    "asdfghjkl",
    "zxcvbnm",
    "qazwsxedcrfvtgbyhnujmikolp",
    "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9ol0p",
)
_LEET: Final = str.maketrans("013457@$!", "oieastasi")
_CHUNK: Final = 4
T = TypeVar("T")


class Passwords:
    """`cost` is bcrypt's: 12 takes about a quarter of a second. One per process."""

    def __init__(self, pepper: bytes, *, cost: int = COST) -> None:
        self._pepper = pepper
        self._cost = cost
        self._gate = asyncio.Semaphore(_AT_ONCE)
        self._waiting = 0
        self._nobodys = bcrypt.hashpw(self._prehash("nobody's"), bcrypt.gensalt(cost))

    async def hash(self, password: Secret) -> Secret:
        """For the store. Raises StoreBusy when too many wait."""
        prehash = self._prehash(password.reveal())
        return Secret((await self._run(lambda: bcrypt.hashpw(prehash, bcrypt.gensalt(self._cost)))).decode())

    async def matches(self, password: Secret, hashed: Secret | None) -> bool:
        """Without a hash it takes as long, and is False. Raises StoreBusy when too many wait."""
        prehash = self._prehash(password.reveal())
        against = self._nobodys if hashed is None else hashed.reveal().encode()
        same = await self._run(lambda: bcrypt.checkpw(prehash, against))
        return same and hashed is not None

    async def _run(self, work: Callable[[], T]) -> T:
        if self._waiting >= _MOST_WAITING:
            raise StoreBusy("too many people sign in at once")
        self._waiting += 1
        try:
            async with self._gate:
                return await asyncio.to_thread(work)
        finally:
            self._waiting -= 1

    def _prehash(self, password: str) -> bytes:
        normal = unicodedata.normalize("NFC", password).encode("utf-8", "surrogatepass")
        return base64.b64encode(hmac.new(self._pepper, normal, hashlib.sha384).digest())


def refuse_password(password: str, known_words: Iterable[str] = ()) -> str | None:
    """Why this password cannot be chosen, as a sentence; None when it can. `known_words`: the person's names, address
    and organisation. The sentence never repeats the password.
    """
    length = len(unicodedata.normalize("NFC", password))
    if length < SHORTEST:
        return f"Choose at least {SHORTEST} characters; a few words that do not belong together are fine."
    if length > LONGEST:
        return f"Choose at most {LONGEST} characters."
    words = [*known_words, "autoheal"]
    for plain in (_plain(password), _plain(password.casefold().translate(_LEET))):
        own = _without(plain, words)
        if len(own) < _OWN_PART and len(own) < len(plain):
            return "This password is made of your name, address or organisation."
        if _is_guessable(plain) or _is_guessable(own):
            return "This password is among those that are guessed first."
    return None


def _plain(text: str) -> str:
    """Case and signs do not make a known password another one."""
    return re.sub(r"[\W_]", "", unicodedata.normalize("NFKC", text).casefold()) or text


def _without(plain: str, words: Iterable[str]) -> str:
    parts = {_plain(part) for word in words for part in (word, *re.split(r"[\W_]+", word))}
    for part in sorted((part for part in parts if len(part) >= 3), key=len, reverse=True):
        plain = plain.replace(part, "")
    return plain


def _is_guessable(plain: str) -> bool:
    words = re.sub(r"\d+$", "", plain)
    return (
        len(set(plain)) <= _CHUNK
        or _unit(plain) in _GUESSES
        or _unit(words) in _GUESSES
        or len(_unit(plain)) <= _CHUNK
        or _in_rows(plain)
    )


def _unit(plain: str) -> str:
    """The shortest part that repeated makes the whole, its last repetition cut or not."""
    for size in range(1, len(plain) // 2 + 1):
        if (plain[:size] * (len(plain) // size + 1))[: len(plain)] == plain:
            return plain[:size]
    return plain


def _in_rows(plain: str) -> bool:
    """Nothing but runs along the alphabet, the digits or the keyboard."""
    rows = [row[::step] for row, step in itertools.product(_ROWS, (1, -1))]
    chunks = [plain[at : at + _CHUNK] for at in range(0, len(plain), _CHUNK)]
    return all(any(chunk in row for row in rows) for chunk in chunks)
