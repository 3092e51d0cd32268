"""Whatever a body holds, mapping it gives a chat request or says what is wrong with it; never a crash."""

from contextlib import suppress
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spillway.adapters.upstreams.bedrock.learned_limits import Lessons
from spillway.adapters.upstreams.completions_as_chat import CompletionsAsChat
from spillway.adapters.upstreams.converse.request import converse_request
from spillway.adapters.upstreams.responses_as_chat import ResponsesAsChat
from spillway.domain.errors import InvalidRequest
from spillway.gateway.request.validation import check_shape
from spillway.gateway.upstream import Endpoint, UpstreamRequest

WORDS = st.sampled_from(
    [
        "message",
        "function_call",
        "function_call_output",
        "reasoning",
        "function",
        "input_text",
        "output_text",
        "input_image",
        "refusal",
        "user",
        "assistant",
        "system",
        "developer",
        "auto",
        "none",
        "required",
        "json_schema",
        "{}",
        "data:image/png;base64,AA==",
        "x",
    ]
)
NAMES = st.sampled_from(
    [
        "type",
        "role",
        "content",
        "text",
        "image_url",
        "detail",
        "refusal",
        "call_id",
        "id",
        "name",
        "arguments",
        "output",
        "parameters",
        "schema",
        "format",
        "effort",
        "strict",
        "description",
    ]
)
LEAVES = st.none() | st.booleans() | st.integers(-2, 5) | st.floats(allow_nan=False) | WORDS
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=5), max_leaves=12
)
FIELDS = ["input", "instructions", "tools", "tool_choice", "text", "reasoning", "max_output_tokens", "temperature"]
BODIES = st.dictionaries(st.sampled_from([*FIELDS, "prompt", "n", "best_of", "echo", "logprobs", "stop"]), VALUES)
SLOW = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))


def mapped(endpoint: Endpoint, body: dict[str, Any]) -> None:
    request = UpstreamRequest("m", endpoint, body, False, False, "r", 1)
    translation = CompletionsAsChat(request) if endpoint == "completions" else ResponsesAsChat(request)
    with suppress(InvalidRequest):
        check_shape(endpoint, body)
        converse_request(translation.chat_body(), Lessons())


@given(body=BODIES, first=VALUES)
@SLOW
def test_a_response_is_mapped_or_refused(body: dict[str, Any], first: Any) -> None:
    mapped("responses", {"model": "m", **body, "input": first, "prompt": None})


@given(body=BODIES)
@SLOW
def test_a_completion_is_mapped_or_refused(body: dict[str, Any]) -> None:
    mapped("completions", {"model": "m", "prompt": "hi", **body})
