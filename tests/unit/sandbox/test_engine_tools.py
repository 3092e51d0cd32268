"""Tools and thoughts of the emulated engine follow its command line, as a real vLLM's do."""

import json
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

import aiohttp
import openai
import pytest

from tests.sandbox.engine import Engine, EngineConfig
from tests.unit.sandbox.conftest import shape

# vLLM 0.32's own words; a whole answer with a call was never recorded, only one that was cut off in the middle of it.
RECORDED = json.loads(Path(__file__).with_name("recorded_vllm.json").read_text())["streams"]["tool_named_stream"]
TIME = {
    "type": "function",
    "function": {
        "name": "local_time",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "digits": {"enum": [12, 24]}},
            "required": ["city"],
        },
    },
}
WEATHER = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}
QUESTION = [{"role": "user", "content": "What is the time in Lisbon"}]
QWEN, LLAMA = "Qwen/Qwen3-4B-Instruct-2507", "meta-llama/Llama-3.1-8B-Instruct"

Start = Callable[..., Coroutine[Any, Any, openai.AsyncOpenAI]]


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    engines, clients = [], []

    async def started(**given: Any) -> openai.AsyncOpenAI:
        engines.append(engine := Engine(EngineConfig(("m",), tokens_per_second=50_000, **given)))
        clients.append(client := openai.AsyncOpenAI(base_url=f"{await engine.start()}/v1", api_key="x", max_retries=0))
        return client

    yield started
    for client in clients:
        await client.close()
    for engine in engines:
        await engine.kill()


async def asked(client: openai.AsyncOpenAI, **more: Any) -> Any:
    given: dict[str, Any] = {"model": "m", "messages": QUESTION, "tools": [TIME]} | more
    return (await client.chat.completions.create(**given)).choices[0]


async def streamed(client: openai.AsyncOpenAI, **more: Any) -> tuple[Any, list[Any]]:
    """Return the last choice of a stream, and all deltas."""
    given: dict[str, Any] = {"model": "m", "messages": QUESTION, "tools": [TIME], "stream": True} | more
    choices = [chunk.choices[0] async for chunk in await client.chat.completions.create(**given)]
    return choices[-1], [choice.delta for choice in choices]


def put_together(deltas: list[Any]) -> list[tuple[str, str]]:
    calls: dict[int, list[str]] = {}
    for call in [call for delta in deltas for call in delta.tool_calls or []]:
        held = calls.setdefault(call.index, ["", ""])
        held[0] += call.function.name or ""
        held[1] += call.function.arguments or ""
    return [(name, arguments) for name, arguments in calls.values()]


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        (None, '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set'),
        ("auto", '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set'),
        ("required", 'tool_choice="required" requires --tool-call-parser to be set'),
        (
            {"type": "function", "function": {"name": "local_time"}},
            'tool_choice=function "local_time" requires --tool-call-parser to be set',
        ),
    ],
)
async def test_an_engine_without_a_parser_refuses_tools(start: Start, choice: Any, message: str) -> None:
    client = await start(model=QWEN)
    with pytest.raises(openai.BadRequestError) as caught:
        await asked(client, **({"tool_choice": choice} if choice else {}))
    assert caught.value.body == {"message": message, "type": "BadRequestError", "param": None, "code": 400}
    assert (await asked(client, tool_choice="none")).message.content


async def test_a_fitting_parser_makes_a_call_of_it(start: Start) -> None:
    choice = await asked(await start(model=QWEN, tool_call_parser="hermes"))
    assert (choice.finish_reason, choice.message.content) == ("tool_calls", None)
    (call,) = choice.message.tool_calls
    assert (call.type, call.function.name) == ("function", "local_time")
    assert json.loads(call.function.arguments) == {"city": "Lisbon", "digits": 12}


async def test_a_stream_makes_the_same_call_in_the_recorded_form(start: Start) -> None:
    client = await start(model=QWEN, tool_call_parser="hermes")
    last, deltas = await streamed(client)
    assert last.finish_reason == "tool_calls"
    (whole,) = (await asked(client)).message.tool_calls
    assert put_together(deltas) == [(whole.function.name, whole.function.arguments)]


async def test_a_streams_events_have_the_recorded_fields(http: aiohttp.ClientSession, start: Start) -> None:
    client = await start(model=QWEN, tool_call_parser="hermes")
    body = {"messages": QUESTION, "tools": [TIME], "stream": True, "stream_options": {"include_usage": True}}
    async with http.post(f"{client.base_url}chat/completions", json=body) as answer:
        events = [json.loads(event[6:]) for event in (await answer.text()).split("\n\n")[:-2]]
    assert [shape(event) for event in events[:2]] == [shape(event) for event in RECORDED[:2]]
    assert shape(events[-1]) == shape(RECORDED[-1])


@pytest.mark.parametrize(("model", "parser"), [(QWEN, "llama3_json"), (LLAMA, "hermes"), (QWEN, "qwen3_coder")])
async def test_a_parser_of_another_family_leaves_calls_in_the_text(start: Start, model: str, parser: str) -> None:
    client = await start(model=model, tool_call_parser=parser)
    choice = await asked(client)
    assert (choice.finish_reason, choice.message.tool_calls) == ("stop", None)
    assert '"name": "local_time"' in choice.message.content
    _, deltas = await streamed(client)
    assert "".join(delta.content or "" for delta in deltas) == choice.message.content


async def test_a_choice_that_forces_a_call_forces_the_parsers_form(start: Start) -> None:
    client = await start(model=QWEN, tool_call_parser="llama3_json")
    required = await asked(client, tool_choice="required")
    named = await asked(
        client, tools=[TIME, WEATHER], tool_choice={"type": "function", "function": {"name": "weather"}}
    )
    assert (required.finish_reason, required.message.tool_calls[0].function.name) == ("tool_calls", "local_time")
    # OpenAI's: a call that was asked for by its name ends like a text.
    assert (named.finish_reason, named.message.tool_calls[0].function.name) == ("stop", "weather")


async def test_every_tool_that_is_mentioned_is_called_where_the_family_can(start: Start) -> None:
    both = {"tools": [TIME, WEATHER], "messages": [{"role": "user", "content": "local_time and weather in Lisbon"}]}
    qwen = await start(model=QWEN, tool_call_parser="hermes")
    llama = await start(model=LLAMA, tool_call_parser="llama3_json")
    _, deltas = await streamed(qwen, **both)
    assert [name for name, _ in put_together(deltas)] == ["local_time", "weather"]
    calls = (await asked(qwen, **both)).message.tool_calls
    assert len({call.id for call in calls}) == 2
    assert len((await asked(qwen, **both, parallel_tool_calls=False)).message.tool_calls) == 1
    assert len((await asked(llama, **both)).message.tool_calls) == 1


async def test_a_tools_result_is_answered_in_words(start: Start) -> None:
    call = {"id": "c", "type": "function", "function": {"name": "local_time", "arguments": "{}"}}
    history = [
        *QUESTION,
        {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c", "content": "noon"},
    ]
    choice = await asked(await start(model=QWEN, tool_call_parser="hermes"), messages=history)
    assert (choice.finish_reason, choice.message.tool_calls) == ("stop", None)
    assert choice.message.content


async def test_a_call_that_is_cut_off_is_text(start: Start) -> None:
    client = await start(model=QWEN, tool_call_parser="hermes")
    choice = await asked(client, max_tokens=3)
    assert (choice.finish_reason, choice.message.tool_calls) == ("length", None)
    assert choice.message.content.startswith('<tool_call>\n{"name": "local_time')
    last, deltas = await streamed(client, max_tokens=3)
    assert last.finish_reason == "length"
    assert put_together(deltas)[0][0] == "local_time"


async def test_tools_that_do_not_exist_cannot_be_chosen(start: Start) -> None:
    client = await start(model=QWEN, tool_call_parser="hermes")
    with pytest.raises(openai.BadRequestError, match="does not match any of the specified"):
        await asked(client, tool_choice={"type": "function", "function": {"name": "weather"}})
    with pytest.raises(openai.BadRequestError, match="`tools` must be set"):
        await asked(client, tools=openai.omit, tool_choice="auto")


@pytest.mark.parametrize("stream", [False, True])
async def test_thoughts_are_apart_only_by_a_reasoning_parser(start: Start, stream: bool) -> None:
    async def said(client: openai.AsyncOpenAI, **more: Any) -> tuple[str, str]:
        if not stream:
            message = (await asked(client, tools=openai.omit, **more)).message
            return message.content, message.reasoning or ""
        _, deltas = await streamed(client, tools=openai.omit, **more)
        thoughts = "".join(getattr(delta, "reasoning", "") for delta in deltas)
        return "".join(delta.content or "" for delta in deltas), thoughts

    parsed = await start(model="Qwen/Qwen3-8B", reasoning_parser="qwen3", completion_tokens=6)
    raw = await start(model="Qwen/Qwen3-8B", completion_tokens=6)
    content, thoughts = await said(parsed)
    assert "<think>" not in content
    assert len(thoughts) > 0
    text, none = await said(raw)
    assert text == f"<think>\n{thoughts}\n</think>\n\n{content}"
    assert none == ""
    off = {"extra_body": {"chat_template_kwargs": {"enable_thinking": False}}}
    assert await said(parsed, **off) == (content, "")


async def test_a_response_has_calls_and_thoughts_as_items(start: Start) -> None:
    client = await start(model="Qwen/Qwen3-8B", tool_call_parser="hermes", reasoning_parser="qwen3")
    tool: Any = {"type": "function", **TIME["function"], "strict": None}  # type: ignore[dict-item]
    whole = await client.responses.create(model="m", input="What is the time in Lisbon", tools=[tool])
    assert [item.type for item in whole.output] == ["reasoning", "function_call"]
    events = [
        event
        async for event in await client.responses.create(
            model="m", input="What is the time in Lisbon", tools=[tool], stream=True
        )
    ]
    assert [event.sequence_number for event in events] == list(range(len(events)))
    ended: Any = events[-1]
    assert [item.type for item in ended.response.output] == ["reasoning", "function_call"]
    arguments = "".join(event.delta for event in events if event.type == "response.function_call_arguments.delta")
    assert arguments == ended.response.output[1].arguments == whole.output[1].arguments  # type: ignore[union-attr]


async def test_a_text_completion_knows_no_tools(start: Start) -> None:
    client = await start(model="Qwen/Qwen3-8B", tool_call_parser="hermes", reasoning_parser="qwen3")
    answer = await client.completions.create(model="m", prompt="the sea", max_tokens=4)
    assert "<think>" not in answer.choices[0].text


async def test_a_call_counts_as_stopped_in_the_metrics(http: aiohttp.ClientSession, start: Start) -> None:
    client = await start(model=QWEN, tool_call_parser="hermes")
    await asked(client)
    async with http.get(str(client.base_url).replace("/v1/", "/metrics")) as answer:
        text = await answer.text()
    assert 'finished_reason="stop",model_name="m"} 1.0' in text


@pytest.mark.parametrize("model", [QWEN, "acme/unheard-of"])
async def test_any_model_is_held_to_a_format(start: Start, model: str) -> None:
    client = await start(model=model)
    schema = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    held = {"type": "json_schema", "json_schema": {"name": "a", "schema": schema}}
    free = await asked(client, tools=None, response_format={"type": "json_object"})
    assert json.loads(free.message.content) == {}
    by_schema = await asked(client, tools=None, response_format=held)
    assert json.loads(by_schema.message.content) == {"city": "word"}
    words = [{"role": "user", "content": "Answer with one JSON object, please."}]
    in_words = await asked(client, tools=None, messages=words)
    assert (type(json.loads(in_words.message.content)), in_words.finish_reason) == (dict, "stop")
    last, deltas = await streamed(client, tools=None, response_format=held)
    assert "".join(delta.content or "" for delta in deltas) == by_schema.message.content
    assert last.finish_reason == by_schema.finish_reason == "stop"


async def test_probabilities_are_told_of_every_token_where_they_are_asked_for(start: Start) -> None:
    client = await start(model=QWEN)
    whole = await asked(client, tools=None, logprobs=True, top_logprobs=2, max_tokens=6)
    told = whole.logprobs.content
    assert "".join(token.token for token in told) == whole.message.content
    assert [len(token.top_logprobs) for token in told] == [2] * 6
    given: dict[str, Any] = {"model": "m", "messages": QUESTION, "max_tokens": 6, "logprobs": True, "stream": True}
    choices = [chunk.choices[0] async for chunk in await client.chat.completions.create(**given)]
    parts = [token.token for choice in choices if choice.logprobs for token in choice.logprobs.content]
    assert "".join(parts) == whole.message.content
    assert (await asked(client, tools=None)).logprobs is None
    with pytest.raises(openai.BadRequestError, match="top_logprobs"):
        await asked(client, tools=None, top_logprobs=2)


async def test_only_models_that_see_take_images(start: Start) -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0="}}
    messages = [{"role": "user", "content": [{"type": "text", "text": "What is it?"}, image]}]
    seeing = await start(model="mistralai/Ministral-3-8B-Instruct-2512")
    assert (await asked(seeing, tools=None, messages=messages)).message.content
    with pytest.raises(openai.BadRequestError, match="not a multimodal model"):
        await asked(await start(model=QWEN), tools=None, messages=messages)
