"""Imported models: what InvokeModel is sent, what comes out of its events, and what each of its errors means."""

import base64
import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spillway.adapters.upstreams.imported import _streamed
from spillway.domain.decision import Code
from spillway.domain.paths.targets import ImportedTarget
from spillway.gateway.errors import UpstreamRejected, UpstreamUnavailable
from spillway.gateway.upstream import Endpoint, UpstreamRequest, can_answer, speaks
from tests.sandbox import eventstream
from tests.sandbox.bedrock_wire import payload_part
from tests.unit.gateway.doubles import USAGE, chunk, completion, usage_chunk
from tests.unit.gateway.servers import Played, a_request, read, upstreams_to

TARGET = ImportedTarget("arn:aws:bedrock:us-east-1:123456789012:imported-model/abcdefghijkl")
ADDRESS = "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Aimported-model%2Fabcdefghijkl"
METRICS = {"amazon-bedrock-invocationMetrics": {"inputTokenCount": 7, "outputTokenCount": 2, "invocationLatency": 9}}
LAST = chunk("") | {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
COUNTED = {
    "prompt_tokens": 7,
    "completion_tokens": 2,
    "total_tokens": 9,
    "prompt_tokens_details": {"cached_tokens": 0},
}


def asking(endpoint: Endpoint, **body: Any) -> UpstreamRequest:
    body = {"model": "support-llama", **body}
    return UpstreamRequest("support-llama", endpoint, body, bool(body.get("stream")), False, "r1", 100)


async def events_of(*wire: bytes) -> list[Any]:
    async with upstreams_to(Played(wire)) as (upstreams, _):
        raw = b"".join(await read(upstreams, TARGET, a_request(stream=True)))
    data = [event.removeprefix("data: ") for event in raw.decode().split("\n\n") if event]
    return [item if item == "[DONE]" else json.loads(item) for item in data]


@pytest.mark.parametrize(
    ("request_", "operation", "body"),
    [
        (
            asking("chat/completions", messages=[], seed=7),
            "invoke",
            {"messages": [], "seed": 7, "max_tokens": 16_384},
        ),
        (
            asking("chat/completions", messages=[], stream=True),
            "invoke-with-response-stream",
            {"messages": [], "max_tokens": 16_384, "stream": True, "stream_options": {"include_usage": True}},
        ),
        (
            asking("completions", prompt="Once", echo=True),
            "invoke",
            {"prompt": "Once", "echo": True, "max_tokens": 16},
        ),
        (
            asking("completions", prompt="Once", stream=True),
            "invoke-with-response-stream",
            {"prompt": "Once", "max_tokens": 16, "stream": True, "stream_options": {"include_usage": True}},
        ),
        (
            asking("responses", input="hi", max_output_tokens=9),
            "invoke",
            {"messages": [{"role": "user", "content": "hi"}], "max_tokens": 9},
        ),
    ],
    ids=["chat", "streamed chat", "text", "streamed text", "a response"],
)
async def test_what_is_sent(request_: UpstreamRequest, operation: str, body: Any) -> None:
    async with upstreams_to(Played([payload_part(LAST)] if request_.stream else [completion()])) as (upstreams, fake):
        await read(upstreams, TARGET, request_)
    [seen] = fake.seen
    assert (seen.path, seen.body) == (f"{ADDRESS}/{operation}", body)
    assert "/eu-west-1/bedrock/aws4_request" in seen.headers["authorization"]


async def test_a_whole_answer_passes_as_it_is() -> None:
    async with upstreams_to(Played([completion()])) as (upstreams, _):
        assert await read(upstreams, TARGET, a_request()) == [completion()]


def test_it_embeds_nothing_and_speaks_no_responses() -> None:
    assert not can_answer(TARGET, "embeddings")
    assert can_answer(TARGET, "responses")
    assert [speaks(TARGET, endpoint) for endpoint in ("chat/completions", "completions", "responses")] == [
        True,
        True,
        False,
    ]


ENDINGS: dict[str, tuple[Sequence[dict[str, Any]], Sequence[Any]]] = {
    "counts in the last chunk": ([LAST | METRICS], [LAST, LAST | {"choices": [], "usage": COUNTED}]),
    "counts in a chunk of their own": ([LAST, METRICS], [LAST, LAST | {"choices": [], "usage": COUNTED}]),
    "the model's own usage": ([LAST, usage_chunk() | METRICS], [LAST, usage_chunk()]),
    "the model's own usage in its last chunk": ([LAST | {"usage": USAGE} | METRICS], [LAST | {"usage": USAGE}]),
    "usage of nothing": (
        [LAST | {"usage": None} | METRICS],
        [LAST | {"usage": None}, LAST | {"choices": [], "usage": COUNTED}],
    ),
    "no counts": ([LAST], [LAST]),
    "half of the counts": ([LAST | {"amazon-bedrock-invocationMetrics": {"outputTokenCount": 2}}], [LAST]),
}


@pytest.mark.parametrize("ending", ENDINGS)
async def test_a_stream_ends_with_its_usage_and_the_end_mark(ending: str) -> None:
    came, expected = ENDINGS[ending]
    events = await events_of(*map(payload_part, [chunk("he"), chunk("y"), *came]))
    assert events == [chunk("he"), chunk("y"), *expected, "[DONE]"]


async def test_a_streams_own_end_mark_is_not_told_twice() -> None:
    done = eventstream.event("chunk", json.dumps({"bytes": base64.b64encode(b"[DONE]").decode()}).encode())
    assert await events_of(payload_part(LAST), done) == [LAST, "[DONE]"]


async def test_a_stream_that_stops_without_a_reason_is_not_whole() -> None:
    assert await events_of(payload_part(chunk("he") | METRICS)) == [chunk("he")]


@given(data=st.data())
async def test_chunks_come_out_whole_whatever_the_splits(data: st.DataObject) -> None:
    wire = b"".join(map(payload_part, [chunk("he"), LAST | METRICS]))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(wire)), max_size=6)))

    async def chunks() -> Any:
        for start, stop in zip([0, *cuts], [*cuts, len(wire)], strict=True):
            yield wire[start:stop]

    blocks = [block async for block in _streamed(chunks())]
    assert all(block.startswith(b"data: ") and block.endswith(b"\n\n") for block in blocks)
    assert json.loads(blocks[0][6:]) == chunk("he")
    assert blocks[-1].endswith(b"data: [DONE]\n\n")


@pytest.mark.parametrize(
    "payload", [b"{}", b'{"bytes": 7}', b'{"bytes": "a"}', b'{"bytes": "W10="}', b"nothing"], ids=str
)
async def test_what_is_no_chunk_breaks_the_stream(payload: bytes) -> None:
    with pytest.raises(UpstreamUnavailable, match="a part of the stream"):
        await events_of(eventstream.event("chunk", payload))


@pytest.mark.parametrize(
    ("status", "kind", "body", "code"),
    [
        (429, "ModelNotReadyException", {}, Code.STARTING),
        (429, "ModelNotReadyException:http://internal/", {}, Code.STARTING),
        (429, "ThrottlingException", {}, Code.ENGINE_SATURATED),
        (503, "ServiceUnavailableException", {}, Code.ENGINE_SATURATED),
        (424, "ModelErrorException", {"originalStatusCode": 503}, Code.ENGINE_SATURATED),
        (424, "ModelErrorException", {"originalStatusCode": 500}, Code.PRIMARY_FAILED),
        (424, "ModelErrorException", {}, Code.PRIMARY_FAILED),
        (400, "ServiceQuotaExceededException", {}, Code.PRIMARY_FAILED),
        (404, "ResourceNotFoundException", {}, Code.PRIMARY_FAILED),
        (403, "AccessDeniedException", {}, Code.PRIMARY_FAILED),
        (408, "ModelTimeoutException", {}, Code.PRIMARY_FAILED),
        (500, "InternalServerException", {}, Code.PRIMARY_FAILED),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
async def test_reasons_to_go_elsewhere(status: int, kind: str, body: dict[str, Any], code: Code, stream: bool) -> None:
    said = json.dumps({"message": "no", **body}).encode()
    async with upstreams_to(Played([said], status=status, headers={"x-amzn-errortype": kind})) as (upstreams, _):
        with pytest.raises(UpstreamUnavailable) as failed:
            await upstreams.open(TARGET, a_request(stream=stream), 5.0)
    assert failed.value.code == code


@pytest.mark.parametrize(
    ("status", "kind", "body", "told"),
    [
        (400, "ValidationException", {}, 400),
        (424, "ModelErrorException", {"originalStatusCode": 400, "resourceName": "mine"}, 400),
        (424, "ModelErrorException", {"originalStatusCode": 422}, 422),
    ],
)
async def test_the_clients_mistakes(status: int, kind: str, body: dict[str, Any], told: int) -> None:
    said = json.dumps({"message": "too long", **body}).encode()
    async with upstreams_to(Played([said], status=status, headers={"x-amzn-errortype": kind})) as (upstreams, _):
        with pytest.raises(UpstreamRejected) as failed:
            await upstreams.open(TARGET, a_request(), 5.0)
    assert (failed.value.status, failed.value.message) == (told, "too long")


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("throttlingException", Code.ENGINE_SATURATED),
        ("serviceUnavailableException", Code.ENGINE_SATURATED),
        ("modelStreamErrorException", Code.PRIMARY_FAILED),
        ("modelTimeoutException", Code.PRIMARY_FAILED),
        ("internalServerException", Code.PRIMARY_FAILED),
    ],
)
async def test_an_error_inside_the_stream(name: str, code: Code) -> None:
    wire = payload_part(chunk("he")) + eventstream.exception(name, {"message": "no"})
    async with upstreams_to(Played([wire])) as (upstreams, _):
        stream = await upstreams.open(TARGET, a_request(stream=True), 5.0)
        await anext(stream.blocks)
        with pytest.raises(UpstreamUnavailable, match=f"{name}: no") as failed:
            await anext(stream.blocks)
        await stream.close()
    assert failed.value.code == code


async def test_a_validation_exception_in_the_stream_is_the_clients() -> None:
    with pytest.raises(UpstreamRejected, match="too many images"):
        await events_of(eventstream.exception("validationException", {"message": "too many images"}))


async def test_closing_the_stream_hangs_up_on_bedrock() -> None:
    async with upstreams_to(Played([payload_part(chunk("he"))], ending="silence")) as (upstreams, fake):
        stream = await upstreams.open(TARGET, a_request(stream=True), 5.0)
        await anext(stream.blocks)
        await stream.close()
        await fake.hung_up.wait()
