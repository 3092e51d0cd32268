"""What fuzz tests share: upstreams that answer everything, valid requests to damage, and what no answer may be."""

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from typing import Any, cast

from spillway.adapters.aws.http import AwsHttp
from spillway.domain.paths.targets import BedrockTarget, FleetTarget, ImportedTarget, SageMakerTarget, Target
from spillway.gateway.upstream import Endpoint
from tests.builders import a_route
from tests.sandbox import eventstream
from tests.sandbox.bedrock_wire import payload_part
from tests.unit.gateway.doubles import Answer, World, a_world, call, chunk, completion, sse, usage_chunk
from tests.unit.gateway.servers import all_upstreams

TARGETS: Mapping[str, Target] = {
    "fleet": FleetTarget("support-llama"),
    "sagemaker": SageMakerTarget("spillway-ep", "spillway-ic"),
    "openai": BedrockTarget("openai.gpt-oss-20b-1:0", "openai"),
    # Of a family that nobody knows, so all there is of Converse is tried.
    "converse": BedrockTarget("somebody.new-model-v1:0", "converse"),
    "imported": ImportedTarget("arn:aws:bedrock:us-east-1:123456789012:imported-model/abcdefghijkl"),
}
TYPES = {
    "invalid_request_error",
    "authentication_error",
    "permission_error",
    "not_found_error",
    "rate_limit_error",
    "requests",
    "tokens",
    "insufficient_quota",
}
_CONVERSE = b'{"output":{"message":{"role":"assistant","content":[{"text":"hi"}]}},"stopReason":"end_turn"}'
_CONVERSE_CALL = (
    b'{"output":{"message":{"role":"assistant","content":[{"toolUse":{"toolUseId":"t","name":"add","input":{}}}]}},'
    b'"stopReason":"tool_use"}'
)
_CONVERSE_STREAM = eventstream.event("contentBlockDelta", b'{"delta":{"text":"hi"}}') + eventstream.event(
    "messageStop", b'{"stopReason":"end_turn"}'
)
_STREAM = sse(chunk("hi"), usage_chunk(), "[DONE]")
_LAST_CHUNK = {"choices": [{"index": 0, "delta": {"content": "hi"}, "text": "hi", "finish_reason": "stop"}]}
_DEEP_TEXT = "[" * 400 + "]" * 400


class _Response:
    status = 200
    headers: Mapping[str, str] = {}

    def __init__(self, body: bytes) -> None:
        self._body = body

    async def __anext__(self) -> bytes:
        body, self._body = self._body, b""
        if not body:
            raise StopAsyncIteration
        return body

    def close(self) -> None:
        return None


class AgreeableAws:
    """In AwsHttp's place: whatever is sent, as long as it is JSON, is answered well."""

    def url(self, service: str, path: str = "/") -> str:
        return f"https://{service}{path}"

    async def post(self, url: str, _signed_as: str, body: bytes, *_: Any, **__: Any) -> _Response:
        request = json.loads(body)
        if url.endswith("/invocations-response-stream"):
            return _Response(eventstream.event("PayloadPart", _STREAM))
        if url.endswith("/invoke-with-response-stream"):
            return _Response(payload_part(_LAST_CHUNK))
        if url.endswith("/converse-stream"):
            return _Response(_CONVERSE_STREAM)
        if "toolChoice" in request.get("toolConfig", {}):
            return _Response(_CONVERSE_CALL)
        return _Response(_CONVERSE if url.endswith("/converse") else _STREAM if request.get("stream") else completion())


def a_world_on(target: Target) -> World:
    """A gateway whose only target, of this kind, agrees with everything; what is refused the gateway refused."""
    upstreams = all_upstreams(cast("AwsHttp", AgreeableAws()), "https://fleets")
    return a_world(a_route(primary=target, spill=None), real=upstreams, idle_seconds=1)


_TOOL = {"name": "add", "description": "adds", "parameters": {"type": "object", "properties": {}}, "strict": True}
_SCHEMA = {"name": "answer", "schema": {"type": "object"}, "strict": True}
_SAMPLING: dict[str, Any] = {
    "model": "support-llama",
    "stream": False,
    "n": 1,
    "temperature": 0.5,
    "top_p": 0.9,
    "max_tokens": 4,
    "stop": ["x"],
    "seed": 7,
    "user": "u",
    "logprobs": False,
    "frequency_penalty": 0.1,
    "logit_bias": {},
    "metadata": {"a": "b"},
    "prompt_cache_key": "k",
}
_CALL = {"id": "t1", "type": "function", "function": {"name": "add", "arguments": '{"a": 1}'}}
_PIXEL = "data:image/png;base64,iVBORw0KGgo="
_CHAT_MESSAGES = [
    {"role": "system", "content": "be brief"},
    {"role": "user", "content": [{"type": "text", "text": "hi"}, {"type": "image_url", "image_url": {"url": _PIXEL}}]},
    {"role": "assistant", "content": None, "tool_calls": [_CALL]},
    {"role": "tool", "tool_call_id": "t1", "content": "2"},
]
_INPUT = [
    {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]},
    {"role": "user", "content": [{"type": "input_image", "image_url": _PIXEL, "detail": "low"}]},
    {"type": "reasoning", "id": "rs_1", "summary": []},
    {"type": "function_call", "call_id": "t1", "name": "add", "arguments": "{}"},
    {"type": "function_call_output", "call_id": "t1", "output": "2"},
]
# Every field that the gateway, or a translation in it, ever looks at.
FULL: Mapping[Endpoint, dict[str, Any]] = {
    "chat/completions": {
        **_SAMPLING,
        "messages": _CHAT_MESSAGES,
        "max_completion_tokens": 4,
        "tools": [{"type": "function", "function": _TOOL}],
        "tool_choice": {"type": "function", "function": {"name": "add"}},
        "response_format": {"type": "json_schema", "json_schema": _SCHEMA},
        "stream_options": None,
    },
    "completions": {**_SAMPLING, "prompt": ["once"], "best_of": 1, "suffix": None, "echo": False, "logprobs": None},
    "embeddings": {"model": "support-llama", "input": ["one", "two"], "dimensions": 3, "encoding_format": "float"},
    "responses": {
        **_SAMPLING,
        "input": _INPUT,
        "instructions": "be brief",
        "max_output_tokens": 4,
        "tools": [{"type": "function", **_TOOL}],
        "tool_choice": {"type": "function", "name": "add"},
        "text": {"format": {"type": "json_schema", **_SCHEMA}},
        "reasoning": {"effort": "low"},
        "store": False,
        "background": False,
        "previous_response_id": None,
        "conversation": None,
        "prompt": None,
        "include": [],
    },
}
JUNK: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    10**30,
    1e308,
    "",
    "\x00",
    "\ud800",
    "x" * 3000,
    _DEEP_TEXT,
    [],
    [None],
    [[]],
    [{}],
    ["a", 1],
    {},
    {"type": None},
    {"type": []},
    {"type": "text", "text": []},
    {"function": {"name": {}}},
    {"\x00": "\u202e", "": {}},
)


def damaged(body: Any, junk: tuple[Any, ...] = JUNK) -> Iterator[Any]:
    """Yield copies of a body with one value anywhere in it replaced, and with it left out."""
    for path in _paths(body):
        for value in junk:
            yield _changed(body, path, lambda holder, key, value=value: holder.__setitem__(key, value))
        yield _changed(body, path, lambda holder, key: holder.__delitem__(key))


def _paths(body: Any) -> Iterator[tuple[Any, ...]]:
    keys = body if isinstance(body, dict) else range(len(body)) if isinstance(body, list) else ()
    for key in keys:
        yield (key,)
        yield from ((key, *rest) for rest in _paths(body[key]))


def _changed(body: Any, path: tuple[Any, ...], change: Callable[..., None]) -> Any:
    holder = copy = deepcopy(body)
    for key in path[:-1]:
        holder = holder[key]
    change(holder, path[-1])
    return copy


def expect_answer_or_refusal(answer: Answer, world: World) -> None:
    """Whatever was sent: an answer, or a 4xx in the one shape, which tells nothing of our insides."""
    accidents = [line.get("trace") for line in world.lines if line["message"] == "error"]
    assert accidents == []
    if answer.status == 200:
        return
    expect_refusal(answer)


def expect_refusal(answer: Answer) -> None:
    """A 4xx in the one shape, short, whole, and sent once."""
    assert 400 <= answer.status < 500, answer.body
    assert set(answer.json) == {"error"}
    assert {"message", "type", "param", "code"} <= set(answer.error) <= {"message", "type", "param", "code", "allowed"}
    assert answer.error["type"] in TYPES
    assert isinstance(answer.error["message"], str)
    assert answer.error["message"]
    assert isinstance(answer.error["code"], str)
    assert isinstance(answer.error["param"], str | None)
    assert len(answer.body) < 4096
    assert b"Traceback" not in answer.body
    assert b".py" not in answer.body
    assert answer.headers["content-type"] == "application/json"
    assert [message["type"] for message in answer.messages].count("http.response.start") == 1
    assert answer.messages[-1]["more_body"] is False


async def fuzz(world: World, endpoint: str, body: Any, **how: Any) -> Answer:
    """Send what may be anything; an answer must come soon."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    world.lines.clear()
    async with asyncio.timeout(10):
        answer = await call(world, raw, path=f"/v1/{endpoint}", **how)
    expect_answer_or_refusal(answer, world)
    return answer
