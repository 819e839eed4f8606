"""The lookout finds a secret in every spelling, across chunk borders, and never by accident."""

import base64
from urllib.parse import quote

import pytest

from bot.verify.canary import Lookout, make_canary

SECRET = "canary/with+signs=" + "k7" * 9


@pytest.mark.parametrize(
    "hidden",
    [
        SECRET.encode(),
        SECRET.encode("utf-16-le"),
        SECRET.encode().hex().encode(),
        SECRET.encode().hex().upper().encode(),
        quote(SECRET, safe="").encode(),
        base64.b64encode(SECRET.encode()),
        base64.b64encode(b"x" + SECRET.encode() + b"yy"),
        base64.b64encode(b"xy" + SECRET.encode()),
        base64.urlsafe_b64encode(b"Bearer " + SECRET.encode()),
    ],
)
def test_every_spelling_is_found_also_across_chunks(hidden: bytes) -> None:
    whole = b"\x00" * 500 + hidden + b"\xff" * 500
    for cut in (0, 505, 500 + len(hidden) - 1):
        lookout = Lookout({"API key": SECRET, "other": make_canary("other")})
        assert lookout.look("file", [whole[:cut], whole[cut:]]) == len(whole)
        assert {(s.canary, s.where) for s in lookout.sightings} == {("API key", "file")}
        assert SECRET not in repr(lookout.sightings)


def test_nothing_is_found_where_nothing_is() -> None:
    lookout = Lookout({"a": make_canary("a"), "b": make_canary("b")})
    lookout.look("file", [make_canary("a").encode() * 100])
    assert lookout.sightings == []
