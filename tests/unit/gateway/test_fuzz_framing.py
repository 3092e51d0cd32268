"""Broken and hostile HTTP on a real server: an answer or a 400, and the connection ends.

On the plain server's door, which strangers reach; on Lambda the web adapter alone speaks to ours.
"""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest
import uvicorn

from spillway.gateway.__main__ import _HEAD_BYTES
from spillway.gateway.concurrency.connection_guard import GuardedConnection
from spillway.gateway.timeouts import BODY_SECONDS
from tests.unit.gateway.doubles import BODY, CONTEXT, World
from tests.unit.gateway.fuzzing import TARGETS, a_world_on
from tests.waiting import advance, until

RAW = json.dumps(BODY).encode()
OWN = b"host: x\r\nx-amzn-request-context: %b\r\n" % json.dumps(CONTEXT).encode()
POST = b"POST /v1/chat/completions HTTP/1.1\r\n" + OWN
WHOLE = POST + b"content-length: %d\r\n\r\n" % len(RAW) + RAW
SMUGGLED = b"GET /v1/models HTTP/1.1\r\n" + OWN + b"\r\n"


class Client:
    """Sends bytes as they are."""

    def __init__(self, port: int, world: World) -> None:
        self.world = world
        self._port = port

    async def send(self, raw: bytes) -> tuple[bytes, bool]:
        """Return what comes back until nothing more does, and whether the server has ended the connection."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        answer, ended = b"", False
        try:
            writer.write(raw)
            while not ended:
                reading = asyncio.create_task(reader.read(65_536))
                if answer and not await _comes(reading):
                    return answer, False
                part = await reading
                answer, ended = answer + part, not part
        except ConnectionResetError:
            return answer, True
        finally:
            writer.close()
        return answer, ended

    async def go_away_after(self, raw: bytes) -> None:
        """Send a part of a request."""
        _, writer = await asyncio.open_connection("127.0.0.1", self._port)
        writer.write(raw)
        writer.close()
        await writer.wait_closed()

    async def ask(self, raw: bytes) -> list[int]:
        """Return the statuses of the answers."""
        return statuses((await self.send(raw))[0])

    async def send_for_ever(self, raw: bytes, more: bytes, pause_seconds: float = 0.0) -> bytes:
        """Send, and go on sending until the server ends the connection, with pauses that take no time."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)

        async def drip() -> None:
            while True:
                writer.write(more)
                await asyncio.sleep(0.01)
                advance(pause_seconds)

        writer.write(raw)
        dripping = asyncio.create_task(drip())
        answer = b""
        try:
            # A server that ends a connection before it has read everything resets it: what came until then counts.
            with suppress(ConnectionResetError):
                while part := await reader.read(65_536):
                    answer += part
            return answer
        finally:
            dripping.cancel()
            writer.close()


async def _comes(reading: asyncio.Task[bytes]) -> bool:
    """Whether something comes in some turns of the loop, on which the server is too: however long a turn takes."""
    for _ in range(50):
        await asyncio.sleep(0.002)
        if reading.done():
            return True
    return not reading.cancel()


@asynccontextmanager
async def served() -> AsyncIterator[Client]:
    world = a_world_on(TARGETS["fleet"])
    config = uvicorn.Config(
        world.gateway,
        port=0,
        lifespan="off",
        log_level="critical",
        http=GuardedConnection,
        ws="none",
        h11_max_incomplete_event_size=_HEAD_BYTES,
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    await until(lambda: server.started)
    try:
        yield Client(server.servers[0].sockets[0].getsockname()[1], world)
    finally:
        server.should_exit = True
        await serving


def statuses(answers: bytes) -> list[int]:
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3})", answers)]


CHUNKED = POST + b"transfer-encoding: chunked\r\n\r\n"
BROKEN: dict[str, bytes] = {
    "two lengths": POST + b"content-length: 5\r\ncontent-length: 6\r\n\r\n" + RAW,
    "two lengths in one": POST + b"content-length: 5, 6\r\n\r\n" + RAW,
    "a negative length": POST + b"content-length: -1\r\n\r\n" + RAW,
    "a length with a sign": POST + b"content-length: +5\r\n\r\n" + RAW,
    "a length in hex": POST + b"content-length: 0x10\r\n\r\n" + RAW,
    "no number for a length": POST + b"content-length: x\r\n\r\n" + RAW,
    "an encoding that is none": POST + b"transfer-encoding: xchunked\r\n\r\n" + RAW,
    "two encodings": POST + b"transfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "chunked twice": POST + b"transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "a chunk without a size": CHUNKED + b"\r\n{}\r\n0\r\n\r\n",
    "a chunk of a negative size": CHUNKED + b"-1\r\n{}\r\n0\r\n\r\n",
    "a chunk of a size with 0x": CHUNKED + b"0x2\r\n{}\r\n0\r\n\r\n",
    "a chunk of an absurd size": CHUNKED + b"f" * 40 + b"\r\n{}\r\n0\r\n\r\n",
    "a chunk that is longer than it says": CHUNKED + b"1\r\n{}\r\n0\r\n\r\n",
    "a space before the colon": POST.replace(b"host:", b"host :") + b"\r\n",
    "a folded first header": b"POST /v1/chat/completions HTTP/1.1\r\n host: x\r\n\r\n",
    "a NUL in a name": POST + b"x\x00y: 1\r\n\r\n",
    "a NUL in a value": POST + b"x-y: 1\x002\r\n\r\n",
    "a bare CR in a value": POST + b"x-y: 1\r2\r\n\r\n",
    "no colon": POST + b"nonsense\r\n\r\n",
    "no host": b"GET /healthz HTTP/1.1\r\n\r\n",
    "two hosts": b"GET /healthz HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n",
    "no version": b"GET /healthz\r\n\r\n",
    "a space too many": b"GET  /healthz HTTP/1.1\r\nhost: x\r\n\r\n",
    "a method that is none": b"G(T /healthz HTTP/1.1\r\nhost: x\r\n\r\n",
    "a path with a control character": b"GET /hea\x01lthz HTTP/1.1\r\nhost: x\r\n\r\n",
    "a path that is no ASCII": b"GET /healthz\xff HTTP/1.1\r\nhost: x\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 200,
    "noise": bytes(range(256)) * 4,
    "a line without an end": b"GET /" + b"a" * 100_000,
    "headers without an end": POST + b"x-a: " + b"v" * 100_000,
    "many headers without an end": POST + b"x-a: 1\r\n" * 12_000,
}


@pytest.mark.parametrize("case", BROKEN)
async def test_broken_framing_is_a_400_and_the_end_of_the_connection(case: str) -> None:
    async with served() as client:
        answer, ended = await client.send(BROKEN[case] + SMUGGLED)
        assert (statuses(answer), ended) == ([400], True), answer[:300]
        assert b"Traceback" not in answer
        assert await client.ask(WHOLE) == [200]
        assert [line["message"] for line in client.world.lines] == ["request"]


@pytest.mark.parametrize(
    ("case", "raw"),
    [
        ("a length beside chunks", POST + b"content-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"),
        ("chunks beside a length", POST + b"transfer-encoding: chunked\r\ncontent-length: 300\r\n\r\n0\r\n\r\n"),
    ],
)
async def test_a_request_of_two_lengths_is_never_two_requests(case: str, raw: bytes) -> None:
    """Chunks count, as the standard has it; nothing of the body is taken for a request."""
    async with served() as client:
        answer, _ = await client.send(raw + SMUGGLED)
        assert statuses(answer)[0] == 400, case
        assert client.world.lines == []
        assert len(statuses(answer)) <= 2


async def test_versions_that_the_server_does_not_speak_are_no_accident() -> None:
    async with served() as client:
        assert await client.ask(b"GET /healthz HTTP/3.7\r\nhost: x\r\n\r\n") == [200]
        assert await client.ask(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n") == [404, 400]


async def test_lines_that_end_without_a_cr_are_one_request_or_none() -> None:
    async with served() as client:
        bare = WHOLE.replace(b"\r\n", b"\n")
        assert await client.ask(bare) in ([200], [400])
        hidden = POST + b"x-a: b\ncontent-length: 0\r\ncontent-length: %d\r\n\r\n" % len(RAW) + RAW
        assert await client.ask(hidden) == [400]


async def test_the_context_is_taken_once_whatever_its_case() -> None:
    async with served() as client:
        for name in (b"X-Amzn-Request-Context", b"X-AMZN-REQUEST-CONTEXT", b"x-aMZN-rEQUEST-cONTEXT"):
            assert await client.ask(WHOLE.replace(b"x-amzn-request-context", name)) == [200]
            second = name + b": " + json.dumps(CONTEXT).encode() + b"\r\ncontent-length:"
            assert await client.ask(WHOLE.replace(b"content-length:", second)) == [401]
        assert await client.ask(WHOLE.replace(b"x-amzn-request-context", b"x_amzn_request_context")) == [401]


async def test_an_upgrade_is_no_accident() -> None:
    for upgrade in (b"websocket", b"h2c", b"\xff"):
        asked = (
            b"connection: upgrade\r\nupgrade: %b\r\nsec-websocket-version: 13\r\nsec-websocket-key: eA==\r\n" % upgrade
        )
        async with served() as client:
            answer, _ = await client.send(b"GET /v1/models HTTP/1.1\r\n" + OWN + asked + b"\r\n")
            assert statuses(answer) == [200], (upgrade, answer)


async def test_what_comes_after_an_answer_is_the_next_request() -> None:
    async with served() as client:
        assert await client.ask(WHOLE + SMUGGLED + WHOLE) == [200, 200, 200]


async def test_a_client_that_waits_to_be_told_to_go_on_is_told() -> None:
    async with served() as client:
        answer, _ = await client.send(WHOLE.replace(b"host:", b"expect: 100-continue\r\nhost:"))
        assert b"HTTP/1.1 100" in answer
        assert statuses(answer)[-1] == 200


@pytest.mark.parametrize("how", ["a length", "chunks"])
async def test_a_body_that_never_ends_is_a_408_and_the_end(how: str) -> None:
    head, more = (POST + b"content-length: 9000000\r\n\r\n{", b" ") if how == "a length" else (CHUNKED, b"1\r\n \r\n")
    async with served() as client:
        answer = await client.send_for_ever(head, more, pause_seconds=BODY_SECONDS / 10)
        assert statuses(answer) == [408]
        assert b'"request_timeout"' in answer


@pytest.mark.parametrize("how", ["a length", "chunks"])
async def test_a_body_over_the_limit_is_a_413_and_the_end(how: str) -> None:
    head, more = (POST + b"content-length: 90000000\r\n\r\n{", b" " * 10_000)
    if how == "chunks":
        head, more = CHUNKED, b"186a0\r\n" + b" " * 100_000 + b"\r\n"
    async with served() as client:
        answer = await client.send_for_ever(head, more)
        assert statuses(answer) == [413]


async def test_a_client_that_goes_away_anywhere_in_its_request_harms_nobody() -> None:
    async with served() as client:
        for length in range(len(WHOLE)):
            await client.go_away_after(WHOLE[:length])
        assert await client.ask(WHOLE) == [200]
        assert [line["message"] for line in client.world.lines] == ["request"]
