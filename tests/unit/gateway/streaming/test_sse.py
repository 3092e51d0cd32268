"""Events are whole whatever the chunks."""

from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spillway.gateway.errors import UpstreamUnavailable
from spillway.gateway.streaming.sse import Framer, events, payload, sent_once, whole_events

EVENT = st.text("abc {}:\n", max_size=10).map(lambda text: f"data: {text.replace(chr(10), ' ')}".encode())


@given(parts=st.lists(EVENT, max_size=6), end=st.sampled_from([b"\n\n", b"\r\n\r\n"]), data=st.data())
async def test_what_goes_in_comes_out_in_whole_events(parts: list[bytes], end: bytes, data: st.DataObject) -> None:
    wire = b"".join(part + end for part in parts) + data.draw(st.sampled_from([b"", b'data: {"torn']))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(wire)), max_size=10)))

    async def chunks() -> AsyncIterator[bytes]:
        for a, b in zip([0, *cuts], [*cuts, len(wire)], strict=True):
            yield wire[a:b]

    blocks = [block async for block in whole_events(chunks())]

    assert [event for block in blocks for event in events(block)] == parts
    assert all(block.endswith(end) for block in blocks)


async def test_an_end_mark_without_its_blank_line_counts() -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield b'data: {"a":1}\n\ndata: [DONE]'

    assert b"".join([block async for block in whole_events(chunks())]) == b'data: {"a":1}\n\ndata: [DONE]\n\n'


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (b"data: x", b"x"),
        (b"data:x", b"x"),
        (b": ping", b""),
        (b"event: a\ndata: x", b"x"),
        (b"data: a\r\ndata: b", b"a\nb"),
        (b"", b""),
    ],
)
def test_the_data_of_an_event(event: bytes, expected: bytes) -> None:
    assert payload(event) == expected


@pytest.mark.parametrize(
    ("block", "sent"),
    [
        (b"id: 7\ndata: {}\n\n", b"data: {}\n\n"),
        (b"event: a\r\nid: 7\r\nretry: 100\r\ndata: {}\r\n\r\n", b"event: a\r\ndata: {}\r\n\r\n"),
        (b"data: {}\n\nretry: 100\n\ndata: {}\n\n", b"data: {}\n\n\ndata: {}\n\n"),
        (
            b'data: {"id":"c1","content":"\\nid: 7\\nretry: 1"}\n\n',
            b'data: {"id":"c1","content":"\\nid: 7\\nretry: 1"}\n\n',
        ),
    ],
)
def test_what_makes_a_client_reconnect_is_not_passed_on(block: bytes, sent: bytes) -> None:
    assert sent_once(block) == sent


def test_an_event_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spillway.gateway.streaming.sse._LARGEST_EVENT_BYTES", 10)
    with pytest.raises(UpstreamUnavailable):
        Framer().feed(b"data: and so on and on")
