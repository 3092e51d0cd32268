"""AWS's event stream is read as botocore reads it, wherever it is split, and damage is a failure of the target."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any, cast
from zlib import crc32

import pytest
from botocore.eventstream import EventStreamBuffer
from hypothesis import given
from hypothesis import strategies as st

from spillway.adapters.upstreams.event_stream import Decoder, Event
from spillway.gateway.errors import UpstreamUnavailable
from tests.sandbox import eventstream

MESSAGES = st.lists(
    st.one_of(
        st.builds(eventstream.event, st.sampled_from(["chunk", "messageStop"]), st.binary(max_size=40)),
        st.builds(eventstream.exception, st.just("throttlingException"), st.just({"message": "slow down"})),
    ),
    max_size=4,
)


def read(parts: list[bytes]) -> list[Event]:
    decoder = Decoder()
    return [event for part in parts for event in decoder.feed(part)]


@given(messages=MESSAGES, cuts=st.lists(st.integers(0, 400), max_size=6))
def test_whatever_the_split_botocore_reads_the_same(messages: list[bytes], cuts: list[int]) -> None:
    wire = b"".join(messages)
    places = sorted({0, len(wire), *(min(cut, len(wire)) for cut in cuts)})
    buffer = EventStreamBuffer()
    buffer.add_data(wire)
    botocores = [
        (message.headers.get(":event-type") or message.headers.get(":exception-type"), message.payload)
        for message in cast("Iterator[Any]", iter(buffer))
    ]
    events = read([wire[start:end] for start, end in pairwise(places)])
    assert [(event.name, event.payload) for event in events] == botocores
    assert [event.is_error for event in events] == [event.name == "throttlingException" for event in events]


def test_an_error_without_a_payload_says_what_its_headers_say() -> None:
    headers = {":message-type": "error", ":error-code": "InternalError", ":error-message": "no more"}
    (event,) = read([eventstream.encode(headers, b"")])
    assert (event.name, event.is_error, event.fields()) == ("InternalError", True, {"message": "no more"})


@pytest.mark.parametrize("at", range(len(eventstream.event("chunk", b"payload"))))
def test_a_byte_that_is_another_is_never_read_over(at: int) -> None:
    wire = bytearray(eventstream.event("chunk", b"payload"))
    wire[at] ^= 1
    with pytest.raises(UpstreamUnavailable, match="damaged"):
        read([bytes(wire), eventstream.event("chunk", b"more" * 100)])


@pytest.mark.parametrize(("length", "headers"), [(2**31, 10), (40, 100), (0, 0), (12, 0)])
def test_lengths_that_no_message_has_are_damage(length: int, headers: int) -> None:
    prelude = length.to_bytes(4, "big") + headers.to_bytes(4, "big")
    with pytest.raises(UpstreamUnavailable, match="damaged"):
        read([prelude + crc32(prelude).to_bytes(4, "big")])
