"""What may be chosen, and how it is kept."""

import asyncio

import pytest

from store.errors import StoreBusy
from store.people.passwords import COST, Passwords, refuse_password
from store.secrets.redaction import Secret
from tests.store.accounts import GOOD, cheap_passwords

WORDS = ("Mia", "Jones", "mia.jones@acme.example", "Acme Corp")


@pytest.mark.parametrize(
    "password",
    [
        "short",
        "a" * 257,
        "aaaaaaaaaaaaaaaaaa",
        "abcabcabcabcabcabc",
        "passwordpassword1",
        "P@ssw0rdP@ssw0rd",
        "Correct Horse Battery Staple",
        "qwertyuiopasdfghjkl",
        "1234567890123456",
        "AcmeMiaJones2026",
        "mia.jones@acme.example",
        " " * 20,
    ],
)
def test_what_is_guessed_first_is_refused_with_a_reason_that_does_not_repeat_it(password: str) -> None:
    reason = refuse_password(password, WORDS)
    assert reason is not None
    assert password not in reason


@pytest.mark.parametrize(
    "password",
    [
        "tulip-window-gravel-9",
        "Zwölf Boxkämpfer jagen",
        "x7Kp2mQv9sLd4nRt",
        "one wheel of nine turns slowly while " * 5,
        "🦊🦝🐻🦁🐯🐨🐼🐸🐵🐔🐧🐦🦆🦅🦉",
    ],
)
def test_length_is_enough_and_no_kind_of_character_is_asked_for(password: str) -> None:
    assert refuse_password(password, WORDS) is None


async def test_a_password_fits_its_hash_alone_in_every_spelling_of_its_characters() -> None:
    passwords = cheap_passwords()
    hashed = await passwords.hash(Secret("Zwölf Boxkämpfer jagen"))
    assert await passwords.matches(Secret("Zwo\u0308lf Boxka\u0308mpfer jagen"), hashed)
    assert not await passwords.matches(GOOD, hashed)
    assert not await passwords.matches(Secret("Zwölf Boxkämpfer jagen"), None)
    assert not await Passwords(b"another pepper", cost=4).matches(Secret("Zwölf Boxkämpfer jagen"), hashed)


async def test_bytes_beyond_what_bcrypt_reads_still_count() -> None:
    passwords = cheap_passwords()
    hashed = await passwords.hash(Secret("x" * 100 + "\0one"))
    assert not await passwords.matches(Secret("x" * 100 + "\0two"), hashed)


async def test_the_default_cost_is_twelve() -> None:
    assert (await Passwords(b"p").hash(GOOD)).reveal().startswith(f"$2b${COST}$")


async def test_a_crowd_is_turned_away_instead_of_queued_for_ever() -> None:
    passwords = cheap_passwords()
    results = await asyncio.gather(*(passwords.hash(GOOD) for _ in range(60)), return_exceptions=True)
    assert any(isinstance(result, StoreBusy) for result in results)
    assert await passwords.hash(GOOD)
