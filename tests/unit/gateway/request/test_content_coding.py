"""Packed bodies: unpacked within the limit, or refused by name."""

import gzip
import tracemalloc
from collections.abc import Sequence

import pytest

from spillway.domain.errors import InvalidRequest, Rejected
from spillway.gateway.concurrency.deadlines import Deadlines
from spillway.gateway.request.content_coding import UnsupportedCoding, unpacking
from spillway.gateway.request.exchange import BODY_LIMIT_BYTES, Exchange, Message
from spillway.http_errors import TooLarge

PLAIN = b'{"model": "support-llama", "input": "' + bytes(range(32, 127)) * 40 + b'"}'
PACKED = gzip.compress(PLAIN, mtime=0)


async def read(parts: Sequence[bytes], *codings: bytes) -> bytes:
    """Return the body as the gateway reads it of a request whose body comes in these parts."""
    waiting = list(parts)

    async def receive() -> Message:
        return {"type": "http.request", "body": waiting.pop(0), "more_body": bool(waiting)}

    async def send(message: Message) -> None:
        raise AssertionError(message)

    headers = [(b"content-encoding", coding) for coding in codings]
    return await Exchange(unpacking(headers, receive), send, "one").read_body(headers, Deadlines())


@pytest.mark.parametrize("coding", [b"gzip", b" GZip "])
@pytest.mark.parametrize("size", [1, 7, len(PACKED)])
async def test_gzip_is_unpacked_however_it_is_cut(coding: bytes, size: int) -> None:
    parts = [PACKED[at : at + size] for at in range(0, len(PACKED), size)]
    assert await read(parts, coding) == PLAIN
    assert await read([*parts, b""], coding) == PLAIN


@pytest.mark.parametrize("codings", [(), (b"identity",)])
async def test_what_is_not_packed_stays_as_it_is(codings: Sequence[bytes]) -> None:
    assert await read([PLAIN], *codings) == PLAIN


@pytest.mark.parametrize("codings", [(b"br",), (b"deflate",), (b"gzip, gzip",), (b"gzip", b"gzip"), (b"",), (b"\xff",)])
async def test_any_other_coding_is_named_with_what_is_allowed(codings: Sequence[bytes]) -> None:
    with pytest.raises(UnsupportedCoding) as refused:
        await read([PACKED], *codings)
    err = refused.value
    assert (err.status, err.param, err.allowed) == (415, "content-encoding", ("gzip", "identity"))
    assert f"'{b', '.join(codings).decode('latin-1')}'" in err.message


@pytest.mark.parametrize(
    "parts",
    [[PLAIN], [b""], [PACKED[:-1]], [PACKED[:-9], b""], [PACKED + b"x"], [PACKED, b"x"], [PACKED[:-4] + b"\0\0\0\0"]],
    ids=["plain", "empty", "cut", "cut in its data", "more after it", "a part after it", "a wrong length"],
)
async def test_what_is_not_gzip_to_its_end_is_a_400(parts: Sequence[bytes]) -> None:
    with pytest.raises(InvalidRequest) as refused:
        await read(parts, b"gzip")
    assert (refused.value.status, refused.value.param) == (400, "content-encoding")


async def test_the_limit_is_the_unpacked_bodys() -> None:
    at_most = gzip.compress(bytes(BODY_LIMIT_BYTES), mtime=0)
    assert len(await read([at_most], b"gzip")) == BODY_LIMIT_BYTES
    for size in (1, 100_000):
        with pytest.raises(TooLarge):
            await read([gzip.compress(bytes(BODY_LIMIT_BYTES + size), mtime=0)], b"gzip")


async def test_a_bomb_is_not_unpacked() -> None:
    bomb = gzip.compress(bytes(20 * BODY_LIMIT_BYTES), mtime=0)
    tracemalloc.start()
    try:
        with pytest.raises(Rejected):
            await read([bomb], b"gzip")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 3 * BODY_LIMIT_BYTES
