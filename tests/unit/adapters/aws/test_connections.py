"""Connections to a server that answers as it is told, byte by byte."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeAlias

import pytest

from spillway.adapters.aws import connections as module
from spillway.adapters.aws.connections import Answer, ConnectionBroken, ConnectionDropped, Connections
from tests.waiting import until

Turn: TypeAlias = Callable[[asyncio.StreamWriter], Awaitable[None]]
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-Kind: whole\r\n\r\nhello"


@dataclass
class Server:
    """Plays a turn for each request; ``connections`` counts those that were opened, ``requests`` is what came."""

    turns: list[Turn]
    port: int = 0
    connections: int = 0
    gone: int = 0
    requests: list[bytes] = field(default_factory=list)

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while self.turns:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
                self.requests.append(head + await reader.readexactly(length))
                await self.turns.pop(0)(writer)
            await reader.read()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.gone += 1
            writer.close()


def says(*parts: bytes, ends: bool = False) -> Turn:
    async def turn(writer: asyncio.StreamWriter) -> None:
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(0)
        if ends:
            writer.close()

    return turn


@asynccontextmanager
async def serving(*turns: Turn) -> AsyncIterator[tuple[Server, Connections]]:
    server = Server(list(turns))
    listening = await asyncio.start_server(server.handle, "127.0.0.1", 0)
    server.port = listening.sockets[0].getsockname()[1]
    async with listening, Connections() as connections:
        yield server, connections


async def post(server: Server, connections: Connections, body: bytes = b"{}", **headers: str) -> Answer:
    url = f"http://127.0.0.1:{server.port}/a%20b"
    return await connections.post(url, {"host": f"127.0.0.1:{server.port}", **headers}, body, 5)


async def test_a_request_is_sent_whole_and_its_answer_read_whole() -> None:
    async with serving(says(OK)) as (server, connections):
        answer = await post(server, connections, b'{"a":1}', kind="k")
        assert (answer.status, answer.headers["x-kind"], await answer.read()) == (200, "whole", b"hello")
        head, _, body = server.requests[0].partition(b"\r\n\r\n")
        assert head.startswith(b"POST /a%20b HTTP/1.1\r\nhost: 127.0.0.1:")
        assert {b"kind: k", b"content-length: 7"} <= set(head.split(b"\r\n"))
        assert body == b'{"a":1}'


ANSWERS = {
    "length": OK,
    "chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\nt: r\r\n\r\n",
    "a word before": b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n" + OK,
}


@pytest.mark.parametrize("name", ANSWERS)
async def test_an_answer_may_be_cut_at_every_byte_and_its_connection_serves_the_next(name: str) -> None:
    raw = ANSWERS[name]
    turns = [says(raw[:at], raw[at:]) for at in range(1, len(raw))]
    async with serving(*turns) as (server, connections):
        for _ in turns:
            answer = await post(server, connections)
            assert b"".join([part async for part in answer]) == b"hello"
        assert server.connections == 1


async def test_an_answer_without_a_length_ends_with_its_connection() -> None:
    async with serving(says(b"HTTP/1.1 200 OK\r\n\r\nhel", b"lo", ends=True)) as (server, connections):
        assert await (await post(server, connections)).read() == b"hello"


@pytest.mark.parametrize("name", ["length", "chunks"])
async def test_a_connection_that_ends_before_its_answer_does_is_broken(name: str) -> None:
    raw = ANSWERS[name]
    for at in range(1, len(raw)):
        async with serving(says(raw[:at], ends=True)) as (server, connections):
            with pytest.raises(ConnectionBroken) as broken:
                await (await post(server, connections)).read()
            assert not isinstance(broken.value, ConnectionDropped)


async def test_one_that_ends_without_a_word_was_dropped() -> None:
    async with serving(says(ends=True)) as (server, connections):
        with pytest.raises(ConnectionDropped):
            await post(server, connections)


async def test_what_is_no_http_breaks_the_connection() -> None:
    async with serving(says(b"SSH-2.0-OpenSSH_9.2\r\n")) as (server, connections):
        with pytest.raises(ConnectionBroken, match="no HTTP"):
            await post(server, connections)
        await until(lambda: server.gone == 1)


@pytest.mark.parametrize("end", [b"Connection: close\r\n", b"X: y\r\n"])
async def test_only_a_connection_that_its_server_keeps_is_used_again(end: bytes) -> None:
    async with serving(*[says(OK.replace(b"X-Kind: whole\r\n", end))] * 2) as (server, connections):
        for _ in range(2):
            await (await post(server, connections)).read()
        assert server.connections == (2 if b"close" in end else 1)


async def test_a_connection_that_ended_or_spoke_unasked_meanwhile_is_not_used_again() -> None:
    async with serving(says(OK), says(OK, b"HTTP/1.1 408 Too Slow\r\n\r\n"), says(OK)) as (server, connections):
        await (await post(server, connections)).read()
        await (await post(server, connections)).read()
        await until(lambda: server.gone == 1)
        assert await (await post(server, connections)).read() == b"hello"
        assert server.connections == 2


async def test_an_old_connection_is_not_used_again(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(says(OK), says(OK)) as (server, connections):
        await (await post(server, connections)).read()
        monkeypatch.setattr(module, "_KEEP_ALIVE_SECONDS", 0.0)
        await (await post(server, connections)).read()
        assert server.connections == 2


async def test_an_answer_that_is_not_wanted_any_more_ends_its_connection() -> None:
    async with serving(says(OK[:-2])) as (server, connections):
        async with await post(server, connections) as answer:
            assert await anext(answer) == b"hel"
        await until(lambda: server.gone == 1)


async def test_a_request_that_is_given_up_ends_its_connection() -> None:
    async with serving(says()) as (server, connections):
        asking = asyncio.create_task(post(server, connections))
        await until(lambda: len(server.requests) == 1)
        asking.cancel()
        await until(lambda: server.gone == 1)


async def test_an_answer_that_nobody_reads_makes_its_server_wait() -> None:
    size = 64 * module._UNREAD_BYTES
    sent: list[bool] = []

    async def much(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + b"x" * size)
        await writer.drain()
        sent.append(True)

    async with serving(much) as (server, connections):
        answer = await post(server, connections)
        first = await anext(answer)
        for _ in range(200):
            await asyncio.sleep(0)
        assert not sent
        assert len(first) + len(await answer.read()) == size


async def test_a_header_cannot_add_another() -> None:
    async with serving(says(OK)) as (server, connections):
        with pytest.raises(ValueError, match="line break"):
            await post(server, connections, kind="a\r\nhost: elsewhere")
        assert server.requests == []


async def test_where_nobody_listens_there_is_no_connection() -> None:
    async with serving() as (server, connections):
        pass
    async with Connections() as connections:
        with pytest.raises(ConnectionRefusedError):
            await post(server, connections)


async def test_closing_ends_what_is_kept_and_what_is_in_use() -> None:
    async with serving(says(OK), says(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhel")) as (server, connections):
        first, second = await post(server, connections), await post(server, connections)
        await first.read()
        assert await anext(second) == b"hel"
        await connections.close()
        with pytest.raises(ConnectionBroken):
            await second.read()
        await until(lambda: server.gone == server.connections)
