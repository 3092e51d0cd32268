"""The upstreams against a server: what they send, and what its every failure means."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spillway.adapters.aws.connections import Connections
from spillway.adapters.aws.http import AwsHttp
from spillway.domain.decision import Code
from spillway.domain.paths.targets import BedrockTarget, FleetTarget, ImportedTarget, SageMakerTarget, Target
from spillway.gateway.errors import UpstreamRejected, UpstreamUnavailable
from spillway.settings import Settings
from tests.builders import NOW
from tests.sandbox import eventstream
from tests.unit.gateway.doubles import chunk, completion, sse
from tests.unit.gateway.servers import ENVIRONMENT, Played, a_request, all_upstreams, read, upstreams_to

FLEET = FleetTarget("support-llama")
SAGEMAKER = SageMakerTarget("spillway-ep", "spillway-ic")
OPENAI = BedrockTarget("openai.gpt-oss-20b-1:0", "openai")
CONVERSE = BedrockTarget("arn:aws:bedrock:eu-west-1:1:inference-profile/eu.meta.llama-v1:0", "converse")
IMPORTED = ImportedTarget("arn:aws:bedrock:eu-west-1:1:imported-model/abcdefghijkl")
ALL: list[Target] = [FLEET, SAGEMAKER, OPENAI, CONVERSE, IMPORTED]
STREAM = sse(chunk("a")) + sse(chunk("b")) + sse("[DONE]")


@pytest.mark.parametrize(
    ("target", "stream", "path", "service", "model"),
    [
        (FLEET, False, "/stage/fleets/support-llama/v1/chat/completions", "execute-api", "support-llama"),
        (FLEET, True, "/stage/fleets/support-llama/v1/chat/completions", "execute-api", "support-llama"),
        (SAGEMAKER, False, "/endpoints/spillway-ep/invocations-response-stream", "sagemaker", None),
        (SAGEMAKER, True, "/endpoints/spillway-ep/invocations-response-stream", "sagemaker", None),
        (OPENAI, False, "/openai/v1/chat/completions", "bedrock", "openai.gpt-oss-20b-1:0"),
    ],
)
async def test_what_an_openai_upstream_is_sent(
    target: Target, stream: bool, path: str, service: str, model: str | None
) -> None:
    played = Played([eventstream.event("PayloadPart", STREAM)] if target == SAGEMAKER else [STREAM])
    async with upstreams_to(played) as (upstreams, fake):
        await read(upstreams, target, a_request(stream=stream, seed=7))

    seen = fake.seen[0]
    assert seen.path == path
    assert f"/eu-west-1/{service}/aws4_request" in seen.headers["authorization"]
    assert seen.body.get("model") == model
    assert seen.body["seed"] == 7
    assert seen.body.get("stream_options") == ({"include_usage": True} if stream or target == SAGEMAKER else None)
    assert seen.headers.get("x-amzn-sagemaker-inference-component") == ("spillway-ic" if target == SAGEMAKER else None)


async def test_a_fleet_is_told_the_conversation_by_a_hash_alone() -> None:
    async with upstreams_to(Played([STREAM]), Played([STREAM]), Played([STREAM])) as (upstreams, fake):
        for target, key in ((FLEET, "order-7"), (FLEET, "order-8"), (OPENAI, "order-7")):
            await read(upstreams, target, a_request(stream=True, prompt_cache_key=key))
    one, other, elsewhere = (seen.headers.get("x-spillway-affinity") for seen in fake.seen)
    assert one
    assert other not in (None, one)
    assert "order" not in one
    assert "x-spillway-affinity" in fake.seen[0].headers["authorization"], "it is signed"
    assert elsewhere is None


async def test_a_models_arn_is_one_segment_of_the_path() -> None:
    answer = {"output": {"message": {"content": [{"text": "x"}]}}}
    async with upstreams_to(Played([json.dumps(answer).encode()])) as (upstreams, fake):
        await read(upstreams, CONVERSE, a_request())
    assert fake.seen[0].path == (
        "/model/arn%3Aaws%3Abedrock%3Aeu-west-1%3A1%3Ainference-profile%2Feu.meta.llama-v1%3A0/converse"
    )


@pytest.mark.parametrize("target", ALL)
@pytest.mark.parametrize("status", [401, 403, 404, 408, 424, 429, 500, 502, 503, 504])
async def test_our_troubles_are_reasons_to_go_elsewhere(target: Target, status: int) -> None:
    played = Played([b'{"message":"no"}'], status=status, headers={"retry-after": "9"})
    async with upstreams_to(played) as (upstreams, _):
        with pytest.raises(UpstreamUnavailable) as failed:
            await upstreams.open(target, a_request(), 5.0)
    assert failed.value.code == (Code.ENGINE_SATURATED if status in (429, 503) else Code.PRIMARY_FAILED)
    assert failed.value.retry_after_seconds == 9


@pytest.mark.parametrize("target", [FLEET, OPENAI, CONVERSE, IMPORTED])
@pytest.mark.parametrize("status", [400, 413, 422])
async def test_the_clients_mistakes_are_told_to_the_client(target: Target, status: int) -> None:
    error = {"error": {"message": "too long", "type": "BadRequestError", "param": "input_tokens", "code": status}}
    async with upstreams_to(Played([json.dumps(error).encode()], status=status)) as (upstreams, _):
        with pytest.raises(UpstreamRejected) as failed:
            await upstreams.open(target, a_request(), 5.0)
    assert (failed.value.status, failed.value.message, failed.value.param) == (status, "too long", "input_tokens")


@pytest.mark.parametrize(
    ("target", "status", "kind", "body"),
    [
        (OPENAI, 400, "ServiceQuotaExceededException:http://x", {"message": "quota"}),
        (CONVERSE, 400, "ValidationException", {"message": "The provided model identifier is invalid."}),
        (CONVERSE, 400, "ValidationException", {"message": "on-demand throughput isn't supported"}),
        (
            SAGEMAKER,
            400,
            "ValidationError",
            {"Message": "Inference Component has no capacity to process this request."},
        ),
        (SAGEMAKER, 424, "ModelError", {"OriginalStatusCode": 500, "OriginalMessage": "{}"}),
        (SAGEMAKER, 424, "ModelError", {"OriginalStatusCode": 429, "OriginalMessage": ""}),
    ],
)
async def test_a_400_that_is_not_the_clients(target: Target, status: int, kind: str, body: dict[str, Any]) -> None:
    played = Played([json.dumps(body).encode()], status=status, headers={"x-amzn-errortype": kind})
    async with upstreams_to(played) as (upstreams, _):
        with pytest.raises(UpstreamUnavailable):
            await upstreams.open(target, a_request(), 5.0)


async def test_a_containers_400_comes_out_of_sagemakers_424() -> None:
    original = json.dumps({"error": {"message": "too long", "param": "input_tokens", "code": 400}})
    body = {"Message": "Received client error (400)", "OriginalStatusCode": 400, "OriginalMessage": original}
    async with upstreams_to(Played([json.dumps(body).encode()], status=424)) as (upstreams, _):
        with pytest.raises(UpstreamRejected, match="too long"):
            await upstreams.open(SAGEMAKER, a_request(), 5.0)


async def test_a_refusal_that_comes_in_pieces_is_read_to_its_end() -> None:
    original = json.dumps({"error": {"message": f"too long: {'word ' * 200}", "param": "input_tokens", "code": 400}})
    wire = json.dumps({"OriginalStatusCode": 400, "OriginalMessage": original}).encode()
    pieces = [wire[at : at + 16] for at in range(0, len(wire), 16)]
    async with upstreams_to(Played(pieces, status=424)) as (upstreams, _):
        with pytest.raises(UpstreamRejected, match="too long") as failed:
            await upstreams.open(SAGEMAKER, a_request(), 5.0)
    assert failed.value.param == "input_tokens"


async def test_a_refusal_without_an_end_is_read_so_far_and_no_further() -> None:
    played = Played([b"x" * 65_536, b"y" * 65_536], status=500, ending="silence")
    async with upstreams_to(played) as (upstreams, fake):
        with pytest.raises(UpstreamUnavailable):
            await upstreams.open(FLEET, a_request(), 5.0)
        await fake.hung_up.wait()


@pytest.mark.parametrize("target", ALL)
async def test_nobody_listens(target: Target) -> None:
    async with Connections() as connections:
        nowhere = "http://127.0.0.1:1"
        aws = AwsHttp(connections, Settings({**ENVIRONMENT, "AWS_ENDPOINT_URL": nowhere}), lambda: NOW)
        with pytest.raises(UpstreamUnavailable):
            await all_upstreams(aws, nowhere).open(target, a_request(), 5.0)


async def test_a_stack_without_fleets() -> None:
    async with Connections() as connections:
        aws = AwsHttp(connections, Settings(ENVIRONMENT), lambda: NOW)
        with pytest.raises(UpstreamUnavailable, match="no fleets"):
            await all_upstreams(aws, None).open(FLEET, a_request(), 5.0)


async def test_a_connection_that_died_while_pooled_is_tried_once_more() -> None:
    async with upstreams_to(Played(ending="drop"), Played([completion()])) as (upstreams, fake):
        assert await read(upstreams, FLEET, a_request()) == [completion()]
    assert len(fake.seen) == 2


async def test_a_server_that_drops_every_request_is_unavailable() -> None:
    async with upstreams_to(Played(ending="drop")) as (upstreams, fake):
        with pytest.raises(UpstreamUnavailable):
            await upstreams.open(FLEET, a_request(), 5.0)
    assert len(fake.seen) == 2


async def test_a_cut_connection_is_an_error_after_the_events_that_came() -> None:
    async with upstreams_to(Played([sse(chunk("a")), b'data: {"torn'], ending="cut")) as (upstreams, _):
        stream = await upstreams.open(FLEET, a_request(stream=True), 5.0)
        assert await anext(stream.blocks) == sse(chunk("a"))
        with pytest.raises(UpstreamUnavailable, match="broke off"):
            await anext(stream.blocks)
        await stream.close()


async def test_closing_the_stream_hangs_up_on_the_upstream() -> None:
    async with upstreams_to(Played([sse(chunk("a"))], ending="silence")) as (upstreams, fake):
        stream = await upstreams.open(FLEET, a_request(stream=True), 5.0)
        await anext(stream.blocks)
        await stream.close()
        await fake.hung_up.wait()


async def test_an_engines_stream_passes_as_it_is() -> None:
    recorded = sse(chunk("x", model="tiny-llama"), {"choices": [], "usage": {"prompt_tokens": 1}}, "[DONE]")
    async with upstreams_to(Played([recorded[i : i + 7] for i in range(0, len(recorded), 7)])) as (upstreams, _):
        assert b"".join(await read(upstreams, FLEET, a_request(stream=True))) == recorded


@given(data=st.data())
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
async def test_payload_parts_are_reframed_whatever_the_splits(data: st.DataObject) -> None:
    """SageMaker cuts the engine's bytes anywhere, and the network cuts its messages anywhere."""
    parts = _split(data, STREAM, "parts")
    wire = b"".join(eventstream.event("PayloadPart", part, "application/octet-stream") for part in parts)
    async with upstreams_to(Played(_split(data, wire, "wire"))) as (upstreams, _):
        blocks = await read(upstreams, SAGEMAKER, a_request(stream=True))

    assert b"".join(blocks) == STREAM
    assert all(block.endswith(b"\n\n") for block in blocks)


async def test_an_error_inside_sagemakers_stream() -> None:
    wire = eventstream.event("PayloadPart", sse(chunk("a")) + b'data: {"torn') + eventstream.exception(
        "ModelStreamError", {"Message": "container died", "ErrorCode": "StreamBroken"}
    )
    async with upstreams_to(Played([wire])) as (upstreams, _):
        stream = await upstreams.open(SAGEMAKER, a_request(stream=True), 5.0)
        assert await anext(stream.blocks) == sse(chunk("a"))
        with pytest.raises(UpstreamUnavailable, match="ModelStreamError: container died"):
            await anext(stream.blocks)
        await stream.close()


@pytest.mark.parametrize(
    "wire", [b"\x00" * 64, b"data: no event stream, but long enough to look at\n\n"], ids=["zeros", "text"]
)
async def test_a_damaged_event_stream(wire: bytes) -> None:
    async with upstreams_to(Played([wire])) as (upstreams, _):
        with pytest.raises(UpstreamUnavailable):
            await read(upstreams, SAGEMAKER, a_request(stream=True))


def _split(data: st.DataObject, raw: bytes, label: str) -> list[bytes]:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(raw)), max_size=8), label=label))
    return [raw[a:b] for a, b in zip([0, *cuts], [*cuts, len(raw)], strict=True) if a < b]
