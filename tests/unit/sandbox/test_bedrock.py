"""The emulated Bedrock runtime, called by boto3 and by the official openai client."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import openai
import pytest
from botocore.exceptions import ClientError, ConnectionClosedError, EventStreamError

from tests.sandbox.bedrock import CONNECTION_RESET, BedrockRuntime, Fault, Pace, default_catalog
from tests.sandbox.bedrock_catalog import ImportedModel
from tests.unit.sandbox.conftest import Connect, Serve, drain
from tests.waiting import until

LLAMA = "us.meta.llama3-1-8b-instruct-v1:0"
IMPORTED = "arn:aws:bedrock:us-east-1:123456789012:imported-model/abcdefghijkl"
QWEN = "qwen.qwen3-32b-v1:0"
GPT_OSS = "openai.gpt-oss-20b-1:0"
HELLO: dict[str, Any] = {"messages": [{"role": "user", "content": [{"text": "hello there"}]}]}
OPENAI_HELLO: dict[str, Any] = {"messages": [{"role": "user", "content": "hello there"}]}
NOW = datetime(2026, 11, 24, tzinfo=UTC)


@pytest.fixture
def runtime() -> BedrockRuntime:
    return BedrockRuntime(default_catalog(), lambda: NOW, pace=Pace(0.0, 5000.0))


@pytest.fixture
async def url(runtime: BedrockRuntime, serve: Serve) -> str:
    return await serve(runtime.routes())


def text_of(events: list[dict[str, Any]]) -> str:
    return "".join(event["contentBlockDelta"]["delta"]["text"] for event in events if "contentBlockDelta" in event)


async def test_converse_answers_with_text_and_usage(url: str, connect: Connect, runtime: BedrockRuntime) -> None:
    client = connect("bedrock-runtime", url)
    answer = await asyncio.to_thread(client.converse, modelId=LLAMA, inferenceConfig={"maxTokens": 20}, **HELLO)
    text = answer["output"]["message"]["content"][0]["text"]
    assert len(text.split()) == 20
    assert answer["stopReason"] == "max_tokens"
    # "hello there" has 11 characters: 3 tokens, and 4 for the message.
    assert answer["usage"] == {"inputTokens": 7, "outputTokens": 20, "totalTokens": 27}
    use = runtime.use[LLAMA]
    assert (use.requests, use.prompt_tokens, use.completion_tokens, use.errors) == (1, 7, 20, 0)


async def test_converse_stream_says_the_same_piece_by_piece(url: str, connect: Connect) -> None:
    client = connect("bedrock-runtime", url)
    whole = await asyncio.to_thread(client.converse, modelId=LLAMA, **HELLO)
    answer = await asyncio.to_thread(client.converse_stream, modelId=LLAMA, **HELLO)
    events: list[dict[str, Any]] = []
    await asyncio.to_thread(drain, answer["stream"], events)
    assert text_of(events) == whole["output"]["message"]["content"][0]["text"]
    assert sum("contentBlockDelta" in event for event in events) > 1
    assert events[0] == {"messageStart": {"role": "assistant"}}
    assert [next(iter(event)) for event in events[-3:]] == ["contentBlockStop", "messageStop", "metadata"]
    assert events[-2]["messageStop"] == {"stopReason": "end_turn"}
    assert events[-1]["metadata"]["usage"] == whole["usage"]


async def test_invoke_model_takes_openais_body(url: str, connect: Connect) -> None:
    client = connect("bedrock-runtime", url)
    body = json.dumps(OPENAI_HELLO | {"max_tokens": 5})
    answer = await asyncio.to_thread(client.invoke_model, modelId=QWEN, body=body)
    said = json.loads(answer["body"].read())
    assert len(said["choices"][0]["message"]["content"].split()) == 5
    assert said["choices"][0]["finish_reason"] == "length"
    headers = answer["ResponseMetadata"]["HTTPHeaders"]
    assert headers["x-amzn-bedrock-output-token-count"] == "5"


async def test_invoke_model_with_stream_carries_openais_chunks(url: str, connect: Connect) -> None:
    client = connect("bedrock-runtime", url)
    body = json.dumps(OPENAI_HELLO | {"max_tokens": 200})
    answer = await asyncio.to_thread(client.invoke_model_with_response_stream, modelId=QWEN, body=body)
    events: list[dict[str, Any]] = []
    await asyncio.to_thread(drain, answer["body"], events)
    chunks = [json.loads(event["chunk"]["bytes"]) for event in events]
    text = "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks)
    assert len(text.split()) == 128
    assert chunks[-1]["choices"][0]["finish_reason"] == "stop"
    assert chunks[-1]["amazon-bedrock-invocationMetrics"]["outputTokenCount"] == 128


async def test_the_official_openai_client_reads_the_openai_endpoint(url: str) -> None:
    async with openai.AsyncOpenAI(base_url=f"{url}/openai/v1", api_key="k", max_retries=0) as client:
        whole = await client.chat.completions.create(model=QWEN, messages=OPENAI_HELLO["messages"])
        stream = await client.chat.completions.create(
            model=QWEN, messages=OPENAI_HELLO["messages"], stream=True, stream_options={"include_usage": True}
        )
        chunks = [chunk async for chunk in stream]
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == whole.choices[0].message.content
    assert chunks[-1].usage == whole.usage


LOOK_UP = {"type": "function", "function": {"name": "look_up", "parameters": {"type": "object", "properties": {}}}}
FORMAT = {
    "type": "json_schema",
    "json_schema": {
        "name": "a",
        "schema": {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]},
    },
}


async def test_models_on_the_openai_endpoint_call_tools_and_keep_to_a_schema(url: str) -> None:
    async with openai.AsyncOpenAI(base_url=f"{url}/openai/v1", api_key="k", max_retries=0) as client:

        async def ask(model: str = QWEN, content: str = "please look_up", **more: Any) -> Any:
            messages: Any = [{"role": "user", "content": content}]
            return await client.chat.completions.create(model=model, messages=messages, **more)

        called = (await ask(tools=[LOOK_UP])).choices[0]
        parts = [part.choices[0] async for part in await ask(tools=[LOOK_UP], stream=True)]
        refused = (await ask(tools=[LOOK_UP], tool_choice="none")).choices[0]
        by_schema = (await ask(response_format=FORMAT)).choices[0]
        with pytest.raises(openai.BadRequestError, match="tool use"):
            await ask("google.gemma-3-4b-it", tools=[LOOK_UP])
        # gpt-oss is not held to a format there, and writes what it thinks into its text.
        free = (await ask(GPT_OSS, response_format=FORMAT)).choices[0]
    assert (called.finish_reason, called.message.content) == ("tool_calls", None)
    assert [call.function.name for call in called.message.tool_calls] == ["look_up"]
    assert [call.function.name for part in parts for call in part.delta.tool_calls or []] == ["look_up"]
    assert parts[-1].finish_reason == "tool_calls"
    assert (refused.finish_reason, refused.message.tool_calls) == ("stop", None)
    assert json.loads(by_schema.message.content) == {"n": 1}
    assert free.message.content.startswith("<reasoning>")


async def test_an_imported_model_keeps_to_formats_tells_probabilities_and_heeds_no_tools(
    url: str, runtime: BedrockRuntime, connect: Connect
) -> None:
    runtime._catalog.imported[IMPORTED] = ImportedModel(IMPORTED, "mine", "job", "job-arn", "s3://b/m", NOW)
    client = connect("bedrock-runtime", url)

    async def ask(**more: Any) -> Any:
        body = json.dumps({**OPENAI_HELLO, "max_tokens": 5, **more})
        answer = await asyncio.to_thread(client.invoke_model, modelId=IMPORTED, body=body)
        return json.loads(answer["body"].read())["choices"][0]

    assert isinstance(json.loads((await ask(response_format={"type": "json_object"}))["message"]["content"]), dict)
    assert json.loads((await ask(response_format=FORMAT))["message"]["content"]) == {"n": 1}
    assert len((await ask(logprobs=True))["logprobs"]["content"]) == 5
    assert "tool_calls" not in (await ask(tools=[LOOK_UP], tool_choice="required"))["message"]


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("ThrottlingException", 429),
        ("ModelNotReadyException", 429),
        ("AccessDeniedException", 403),
        ("ValidationException", 400),
        ("ResourceNotFoundException", 404),
        ("ServiceUnavailableException", 503),
    ],
)
async def test_the_next_requests_fail_as_told(
    url: str, connect: Connect, runtime: BedrockRuntime, code: str, status: int
) -> None:
    runtime.fail_next(LLAMA, code, times=2)
    client = connect("bedrock-runtime", url)
    for call in (client.converse, client.converse_stream):
        with pytest.raises(ClientError) as caught:
            await asyncio.to_thread(call, modelId=LLAMA, **HELLO)
        assert type(caught.value) is getattr(client.exceptions, code)
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == status
    await asyncio.to_thread(client.converse, modelId=LLAMA, **HELLO)
    assert runtime.use[LLAMA].errors == 2


@pytest.mark.parametrize(
    ("code", "in_stream"),
    [("ThrottlingException", "throttlingException"), ("ModelErrorException", "modelStreamErrorException")],
)
async def test_a_stream_fails_on_the_way_as_told(
    url: str, connect: Connect, runtime: BedrockRuntime, code: str, in_stream: str
) -> None:
    runtime.faults[LLAMA] = [Fault(code, "enough", after_tokens=30)]
    client = connect("bedrock-runtime", url)
    # A failure on the way waits for an answer that has a way.
    await asyncio.to_thread(client.converse, modelId=LLAMA, **HELLO)
    answer = await asyncio.to_thread(client.converse_stream, modelId=LLAMA, **HELLO)
    events: list[dict[str, Any]] = []
    with pytest.raises(EventStreamError, match=rf"\({in_stream}\).*enough"):
        await asyncio.to_thread(drain, answer["stream"], events)
    assert len(text_of(events).split()) == 30


async def test_a_connection_breaks_as_told(
    url: str, connect: Connect, http: aiohttp.ClientSession, runtime: BedrockRuntime
) -> None:
    runtime.fail_next(QWEN, CONNECTION_RESET)
    client = connect("bedrock-runtime", url)
    with pytest.raises(ConnectionClosedError):
        await asyncio.to_thread(client.converse, modelId=QWEN, **HELLO)
    runtime.fail_next(QWEN, CONNECTION_RESET, after_tokens=10)
    body = OPENAI_HELLO | {"model": QWEN, "stream": True}
    async with http.post(f"{url}/openai/v1/chat/completions", json=body) as answer:
        assert answer.status == 200
        with pytest.raises(aiohttp.ClientPayloadError):
            await answer.read()


async def test_openai_errors_have_openais_shape(url: str, http: aiohttp.ClientSession, runtime: BedrockRuntime) -> None:
    runtime.fail_next(QWEN, "ThrottlingException")
    async with http.post(f"{url}/openai/v1/chat/completions", json=OPENAI_HELLO | {"model": QWEN}) as answer:
        assert (answer.status, answer.headers["x-amzn-errortype"]) == (429, "ThrottlingException")
        assert (await answer.json())["error"]["type"] == "rate_limit_error"


async def test_an_openai_stream_fails_on_the_way_without_an_end_mark(
    url: str, http: aiohttp.ClientSession, runtime: BedrockRuntime
) -> None:
    runtime.fail_next(QWEN, "ServiceUnavailableException", after_tokens=10)
    body = OPENAI_HELLO | {"model": QWEN, "stream": True}
    async with http.post(f"{url}/openai/v1/chat/completions", json=body) as answer:
        text = await answer.text()
    assert '"type":"service_unavailable"' in text
    assert "[DONE]" not in text


@pytest.mark.parametrize(
    ("model_id", "code"),
    [
        ("meta.llama9-9b-v1:0", "ValidationException"),
        ("arn:aws:bedrock:us-east-1:123456789012:imported-model/abcdefghijkl", "ResourceNotFoundException"),
    ],
)
async def test_unknown_models_are_refused(url: str, connect: Connect, model_id: str, code: str) -> None:
    client = connect("bedrock-runtime", url)
    with pytest.raises(ClientError) as caught:
        await asyncio.to_thread(client.converse, modelId=model_id, **HELLO)
    assert caught.value.response["Error"]["Code"] == code


@pytest.mark.parametrize(
    ("messages", "part"),
    [
        ([], "at least one message"),
        ([{"role": "assistant", "content": [{"text": "hello"}]}], "start with a user message"),
        ([{"role": "user", "content": [{"text": " "}]}], r"messages\.0\.content\.0 is blank"),
        ([{"role": "user", "content": []}], r"messages\.0 is empty"),
        ([{"role": "user", "content": [{"toolResult": {"toolUseId": "t", "content": []}}]}], "toolConfig"),
    ],
)
async def test_converse_refuses_what_bedrock_refuses(
    url: str, connect: Connect, messages: list[dict[str, Any]], part: str
) -> None:
    client = connect("bedrock-runtime", url)
    with pytest.raises(client.exceptions.ValidationException, match=part):
        await asyncio.to_thread(client.converse, modelId=LLAMA, messages=messages)


async def test_the_first_token_and_the_rate_keep_the_pace(
    url: str, http: aiohttp.ClientSession, runtime: BedrockRuntime
) -> None:
    runtime.pace = Pace(first_token_seconds=0.05, tokens_per_second=500.0)
    loop = asyncio.get_running_loop()
    started = loop.time()
    body = OPENAI_HELLO | {"model": QWEN, "stream": True, "max_tokens": 30}
    async with http.post(f"{url}/openai/v1/chat/completions", json=body) as answer:
        first = loop.time() - started
        await answer.read()
    assert first >= 0.05
    assert loop.time() - started >= 0.05 + 20 / 500


async def test_a_client_that_hangs_up_is_charged_only_for_what_was_made(
    url: str, http: aiohttp.ClientSession, runtime: BedrockRuntime
) -> None:
    runtime.pace = Pace(0.0, 100.0)
    body = OPENAI_HELLO | {"model": QWEN, "stream": True, "max_tokens": 8_000}
    async with http.post(f"{url}/openai/v1/chat/completions", json=body) as answer:
        await answer.content.readany()
        answer.close()
    assert await until(lambda: runtime.use[QWEN].completion_tokens) < 8_000


async def test_an_imported_models_copy_loads_serves_and_goes_after_five_idle_minutes(
    serve: Serve, connect: Connect
) -> None:
    times = [NOW]
    catalog = default_catalog()
    catalog.imported[IMPORTED] = ImportedModel(IMPORTED, "mine", "job", "job-arn", "s3://b/m", NOW)
    runtime = BedrockRuntime(catalog, lambda: times[-1], pace=Pace(0.0, 5000.0), copy_seconds=60)
    client = connect("bedrock-runtime", await serve(runtime.routes()))

    async def ask(after_seconds: float) -> str:
        times.append(times[-1] + timedelta(seconds=after_seconds))
        try:
            answer = await asyncio.to_thread(client.invoke_model, modelId=IMPORTED, body=b'{"prompt": "hello there"}')
        except client.exceptions.ModelNotReadyException:
            return "not ready"
        return str(json.loads(answer["body"].read())["object"])

    served = [await ask(seconds) for seconds in (0, 59, 1, 299, 299, 300, 60)]
    assert served == ["not ready"] * 2 + ["text_completion"] * 3 + ["not ready", "text_completion"]


async def test_a_model_that_only_a_profile_has_is_not_called_by_its_own_id(url: str, connect: Connect) -> None:
    client = connect("bedrock-runtime", url)
    bare = LLAMA.removeprefix("us.")
    for model_id in (bare, f"arn:aws:bedrock:us-east-1::foundation-model/{bare}"):
        with pytest.raises(
            ClientError, match=f"Invocation of model ID {bare} with on-demand throughput isn't supported"
        ):
            await asyncio.to_thread(client.converse, modelId=model_id, **HELLO)
    for model_id in (LLAMA, f"arn:aws:bedrock:us-east-1:123456789012:inference-profile/{LLAMA}"):
        assert await asyncio.to_thread(client.converse, modelId=model_id, **HELLO)


@pytest.mark.parametrize(("model_id", "chat", "responses"), [(LLAMA, 400, 400), (QWEN, 200, 400), (GPT_OSS, 200, 200)])
async def test_the_openai_endpoint_serves_the_apis_that_a_model_has(
    url: str, http: aiohttp.ClientSession, model_id: str, chat: int, responses: int
) -> None:
    bodies = {"chat/completions": OPENAI_HELLO, "responses": {"input": "hello there"}}
    found = [
        (await http.post(f"{url}/openai/v1/{endpoint}", json=body | {"model": model_id})).status
        for endpoint, body in bodies.items()
    ]
    assert found == [chat, responses]
