"""The emulated SageMaker runtime in front of an emulated engine, called by boto3."""

import asyncio
import json
from collections.abc import AsyncIterator
from random import Random
from typing import Any

import aiohttp
import pytest
from botocore.exceptions import EventStreamError

from tests.sandbox.engine import Engine, EngineConfig
from tests.sandbox.sagemaker_runtime import NO_CAPACITY, Hosted, Refusal, SageMakerRuntime
from tests.unit.sandbox.conftest import Connect, Serve, drain
from tests.waiting import until

HELLO: dict[str, Any] = {"messages": [{"role": "user", "content": "hello there"}]}


@pytest.fixture
async def engine() -> AsyncIterator[Engine]:
    engine = Engine(EngineConfig(("m",), tokens_per_second=2000, max_num_queued_reqs=2))
    yield engine
    await engine.kill()


@pytest.fixture
async def url(engine: Engine, serve: Serve, http: aiohttp.ClientSession) -> str:
    engine_url = await engine.start()

    def resolve(endpoint: str, component: str | None) -> Hosted | Refusal:
        if endpoint != "chat":
            return Refusal(400, "ValidationError", f"Endpoint {endpoint} of account 123456789012 not found.")
        return Hosted(engine_url) if component == "chat-1" else NO_CAPACITY

    return await serve(SageMakerRuntime(resolve, http, Random(7)).routes())


@pytest.fixture
async def client(url: str, connect: Connect) -> Any:
    return connect("sagemaker-runtime", url)


async def invoke(client: Any, body: dict[str, Any], component: str = "chat-1", endpoint: str = "chat") -> Any:
    return await asyncio.to_thread(
        client.invoke_endpoint,
        EndpointName=endpoint,
        InferenceComponentName=component,
        ContentType="application/json",
        Body=json.dumps(body),
    )


async def open_stream(client: Any, body: dict[str, Any]) -> Any:
    return await asyncio.to_thread(
        client.invoke_endpoint_with_response_stream,
        EndpointName="chat",
        InferenceComponentName="chat-1",
        ContentType="application/json",
        Body=json.dumps(body | {"stream": True}),
    )


def parts_of(events: list[Any]) -> list[bytes]:
    return [event["PayloadPart"]["Bytes"] for event in events]


async def test_an_invocation_reaches_the_engine(client: Any, engine: Engine) -> None:
    answer = await invoke(client, HELLO | {"max_tokens": 5})
    assert json.loads(answer["Body"].read())["usage"]["completion_tokens"] == 5
    assert answer["ContentType"] == "application/json"
    assert answer["InvokedProductionVariant"] == "AllTraffic"
    assert engine.totals.completed == 1


async def test_a_stream_is_the_engines_bytes_cut_anywhere(client: Any) -> None:
    answer = await open_stream(client, HELLO | {"max_tokens": 400, "ignore_eos": True})
    assert answer["ContentType"].startswith("text/event-stream")
    received: list[Any] = []
    await asyncio.to_thread(drain, answer["Body"], received)
    parts = parts_of(received)
    events = b"".join(parts).removesuffix(b"\n\n").split(b"\n\n")
    assert events[-1] == b"data: [DONE]"
    chunks = [json.loads(event.removeprefix(b"data: ")) for event in events[:-1]]
    assert len("".join(chunk["choices"][0]["delta"]["content"] for chunk in chunks).split()) == 400
    assert sum(part.endswith(b"\n\n") for part in parts) < len(parts) / 4
    assert any(part.count(b"data: ") > 1 for part in parts)


async def test_zero_copies_are_a_validation_error_in_sagemakers_words(client: Any) -> None:
    with pytest.raises(client.exceptions.ValidationError) as caught:
        await invoke(client, HELLO, component="chat-2")
    response = caught.value.response
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert response["Error"]["Message"] == (
        "Inference Component has no capacity to process this request. ApplicationAutoScaling may be in-progress "
        "(if configured) or try to increase the capacity by invoking UpdateInferenceComponentRuntimeConfig API."
    )


async def test_an_unknown_endpoint_is_refused(client: Any) -> None:
    with pytest.raises(client.exceptions.ValidationError, match="Endpoint nothing"):
        await invoke(client, HELLO, endpoint="nothing")


@pytest.mark.parametrize("stream", [False, True])
async def test_an_engines_refusal_is_a_model_error(client: Any, stream: bool) -> None:
    body = HELLO | {"max_tokens": 0}
    with pytest.raises(client.exceptions.ModelError) as caught:
        await (open_stream(client, body) if stream else invoke(client, body))
    response = caught.value.response
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 424
    assert response["OriginalStatusCode"] == 400
    assert json.loads(response["OriginalMessage"])["error"]["param"] == "max_tokens"


async def test_an_overloaded_engine_says_so_inside_the_stream(client: Any, engine: Engine) -> None:
    engine.freeze()
    blocked = [asyncio.create_task(invoke(client, HELLO)) for _ in range(2)]
    await until(lambda: engine.running == 2)
    received: list[Any] = []
    await asyncio.to_thread(drain, (await open_stream(client, HELLO))["Body"], received)
    first = b"".join(parts_of(received)).split(b"\n\n")[0]
    assert json.loads(first.removeprefix(b"data: "))["error"]["code"] == 503
    await engine.kill()
    for task in blocked:
        with pytest.raises(client.exceptions.ServiceUnavailable):
            await task


async def test_a_dead_engine_is_unavailable(client: Any, engine: Engine) -> None:
    await engine.kill()
    with pytest.raises(client.exceptions.ServiceUnavailable):
        await invoke(client, HELLO)
    with pytest.raises(client.exceptions.ServiceUnavailable):
        await open_stream(client, HELLO)


async def test_an_engine_that_dies_on_the_way_breaks_the_stream(client: Any, engine: Engine) -> None:
    answer = await open_stream(client, HELLO | {"max_tokens": 4000, "ignore_eos": True})
    received: list[Any] = []
    task = asyncio.create_task(asyncio.to_thread(drain, answer["Body"], received))
    await until(lambda: received)
    await engine.kill()
    with pytest.raises(EventStreamError, match="ModelStreamError"):
        await task
    assert b"data: " in b"".join(parts_of(received))


async def test_a_client_that_hangs_up_stops_the_engine(url: str, engine: Engine, http: aiohttp.ClientSession) -> None:
    headers = {"X-Amzn-SageMaker-Inference-Component": "chat-1", "Content-Type": "application/json"}
    body = json.dumps(HELLO | {"stream": True, "max_tokens": 4000, "ignore_eos": True})
    path = f"{url}/endpoints/chat/invocations-response-stream"
    async with http.post(path, data=body, headers=headers) as answer:
        await answer.content.readany()
        assert engine.running == 1
        answer.close()
    await until(lambda: not engine.running)
    assert engine.totals.finished == {"abort": 1}


@pytest.mark.parametrize("stream", [False, True])
async def test_a_container_that_says_nothing_is_given_up(
    engine: Engine, serve: Serve, http: aiohttp.ClientSession, connect: Connect, stream: bool
) -> None:
    hosted = Hosted(await engine.start())
    url = await serve(SageMakerRuntime(lambda _endpoint, _component: hosted, http, Random(7), seconds=0).routes())
    client: Any = connect("sagemaker-runtime", url)
    with pytest.raises(client.exceptions.ModelError, match="invocation timed out") as caught:
        await (open_stream(client, HELLO) if stream else invoke(client, HELLO))
    assert caught.value.response["OriginalStatusCode"] == 0


TGI = "huggingface-pytorch-tgi-inference:2.1.1-tgi2.0.0-gpu-py310-cu121-ubuntu22.04"
REFUSED: list[tuple[str, dict[str, Any], int, str]] = [
    (TGI, {"prompt": "hello"}, 422, "missing field `messages`"),
    (TGI, HELLO, 422, "missing field `model`"),
    (TGI, HELLO | {"model": "tgi", "stop": "."}, 422, "expected a sequence"),
    (TGI, HELLO | {"model": "tgi", "temperature": 0}, 422, "must be strictly positive"),
    ("djl-inference:0.29.0-lmi11.0.0-cu124", {"prompt": "hello"}, 424, "Input Parsing failed"),
    ("djl-inference:0.34.0-lmi16.0.0-cu128", {"prompt": "hello"}, 424, "Input Parsing failed"),
    ("djl-inference:0.34.0-lmi16.0.0-cu128", HELLO | {"tool_choice": "required"}, 424, "is not supported"),
]


@pytest.mark.parametrize(("image", "body", "status", "words"), REFUSED)
async def test_a_container_refuses_what_it_has_no_form_for(
    engine: Engine,
    serve: Serve,
    http: aiohttp.ClientSession,
    connect: Connect,
    image: str,
    body: dict[str, Any],
    status: int,
    words: str,
) -> None:
    hosted = Hosted(await engine.start(), f"registry/{image}")
    url = await serve(SageMakerRuntime(lambda _endpoint, _component: hosted, http, Random(7)).routes())
    client: Any = connect("sagemaker-runtime", url)
    with pytest.raises(client.exceptions.ModelError, match=words) as caught:
        await invoke(client, body)
    assert caught.value.response["OriginalStatusCode"] == status


async def test_an_old_container_has_no_tools_and_says_nothing_of_it(
    engine: Engine, serve: Serve, http: aiohttp.ClientSession, connect: Connect
) -> None:
    hosted = Hosted(await engine.start(), "registry/djl-inference:0.29.0-lmi11.0.0-cu124")
    url = await serve(SageMakerRuntime(lambda _endpoint, _component: hosted, http, Random(7)).routes())
    tools = [{"type": "function", "function": {"name": "weather"}}]
    answer = await invoke(connect("sagemaker-runtime", url), HELLO | {"tools": tools, "tool_choice": "auto"})
    [choice] = json.loads(answer["Body"].read())["choices"]
    assert "tool_calls" not in choice["message"]
    assert len(choice["message"]["content"].split()) == 30, "its own limit"
