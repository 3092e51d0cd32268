"""No Retry-After is longer than OpenAI's clients believe, wherever in the gateway it comes from."""

import re
from pathlib import Path

import pytest

import spillway.gateway
from spillway.gateway.errors import LONGEST_RETRY_AFTER_SECONDS, Unavailable, come_back

SOURCE = Path(spillway.gateway.__file__).parent


@pytest.mark.parametrize(
    ("seconds", "headers"),
    [
        (0.2, {b"retry-after": b"1"}),
        (59.1, {b"retry-after": b"60"}),
        (60, {b"retry-after": b"60"}),
        (60.5, {b"retry-after": b"60", b"x-spillway-ready-in": b"61"}),
        (2_678_400, {b"retry-after": b"60", b"x-spillway-ready-in": b"2678400"}),
    ],
)
def test_what_is_longer_is_said_beside_it(seconds: float, headers: dict[bytes, bytes]) -> None:
    assert dict(come_back(seconds)) == headers


def test_what_is_longer_is_said_in_words_too() -> None:
    assert Unavailable("asleep", code="asleep", retry_after_seconds=61).message == "asleep (ready in about 61 s)"
    assert Unavailable("asleep", code="asleep", retry_after_seconds=60).message == "asleep"


def test_nothing_else_writes_the_header() -> None:
    writers = [
        path.relative_to(SOURCE).as_posix()
        for path in SOURCE.rglob("*.py")
        if re.search(rb"b\"retry-after\"", path.read_bytes(), re.IGNORECASE)
    ]
    assert writers == ["errors.py"]
    assert LONGEST_RETRY_AFTER_SECONDS == 60
