"""The smoke test tells a target that answers from one that does not."""

import json
from typing import Any

import pytest

from functions.smoke_test.app import handler
from spillway.domain.decision import Code
from spillway.domain.errors import AccessPending, SmokeTestFailed
from spillway.domain.paths.targets import FleetTarget, Target, target_to_json
from spillway.domain.task import Task
from spillway.gateway.errors import UpstreamRejected, UpstreamUnavailable
from spillway.gateway.load_test.smoke_test import smoke_test
from spillway.gateway.upstream import UpstreamRequest, UpstreamStream
from tests.unit.gateway.doubles import GOOD_STREAM, FakeClock, FakeUpstreams, chunk, sse

TARGET = FleetTarget("support-llama")


async def smoke(script: Any) -> float:
    upstreams = FakeUpstreams({"fleet": script})
    try:
        return await smoke_test(upstreams, TARGET, "support-llama", "r", FakeClock().monotonic)
    finally:
        assert upstreams.requests[0][1].body["max_tokens"] == 8


async def test_a_target_that_answers() -> None:
    assert await smoke(GOOD_STREAM) == 0.0


@pytest.mark.parametrize(
    ("script", "said"),
    [
        (UpstreamUnavailable(Code.PRIMARY_FAILED, "HTTP 403 AccessDenied"), "AccessDenied"),
        (UpstreamRejected(400, "no chat template"), "no chat template"),
        ([sse({"error": {"message": "dead", "code": 500}})], "dead"),
        ([sse(chunk("a"))], "no end mark"),
        ([sse(chunk("a")), UpstreamUnavailable(Code.PRIMARY_FAILED, "broke off")], "broke off"),
        ([sse(chunk("a")), sse({"error": {"message": "died", "code": 500}})], "died"),
    ],
)
async def test_one_that_does_not_says_what_came_back(script: Any, said: str) -> None:
    with pytest.raises(SmokeTestFailed, match=said):
        await smoke(script)


async def test_a_subscription_that_is_being_made_is_waited_for_longer() -> None:
    said = (
        "HTTP 403 AccessDeniedException Model access is denied. Your AWS Marketplace subscription for this model "
        "cannot be completed at this time. If you recently fixed this issue, try again after 2 minutes."
    )
    with pytest.raises(AccessPending, match="try again after 2 minutes"):
        await smoke(UpstreamUnavailable(Code.PRIMARY_FAILED, said))


CALL: dict[str, Any] = {
    "id": "c",
    "type": "function",
    "function": {"name": "look_up_local_time", "arguments": '{"city": "Lisbon"}'},
}


class WithTools(FakeUpstreams):
    """Streams a good answer, and gives what a test says to each request with tools, one after the other."""

    def __init__(self, *answers: dict[str, Any] | Exception) -> None:
        super().__init__({"fleet": GOOD_STREAM})
        self.answers = list(answers)
        self.asked: list[dict[str, Any]] = []

    async def open(self, target: Target, request: UpstreamRequest, connect_seconds: float) -> UpstreamStream:
        if "tools" in request.body:
            self.asked.append(request.body)
            answer = self.answers.pop(0)
            self.scripts["fleet"] = answer if isinstance(answer, Exception) else [json.dumps(answer).encode()]
        return await super().open(target, request, connect_seconds)


def message(**fields: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "message": {"role": "assistant", **fields}, "finish_reason": "stop"}]}


async def proved(upstreams: WithTools, parser: str | None = "hermes") -> float:
    return await smoke_test(upstreams, TARGET, "support-llama", "r", FakeClock().monotonic, tool_call_parser=parser)


async def test_a_parser_that_finds_the_call_is_proved_by_one_request() -> None:
    upstreams = WithTools(message(content=None, tool_calls=[CALL]))
    assert await proved(upstreams) == 0.0
    (body,) = upstreams.asked
    # A forced call would be written in the parser's own form, whatever the model, and some parsers read no streams.
    assert (body["tool_choice"], body.get("stream", False)) == ("auto", False)


async def test_without_a_parser_no_tool_is_tried() -> None:
    upstreams = WithTools()
    await proved(upstreams, None)
    assert upstreams.asked == []


@pytest.mark.parametrize(
    ("answer", "shown"),
    [
        (message(content='{"name": "look_up_local_time", "parameters": {}}'), r'\{"name": "look_up_local_time"'),
        (message(content=None, reasoning="I think about Lisbon"), "I think about Lisbon"),
        (message(content=None, reasoning_content="I think about Lisbon"), "I think about Lisbon"),
        (message(content=""), "nothing"),
        (message(content=None, tool_calls=[]), "nothing"),
        ({"choices": []}, "nothing"),
        (message(tool_calls=[{**CALL, "function": {"name": "another", "arguments": "{}"}}]), "another"),
        (message(tool_calls=[{**CALL, "function": {**CALL["function"], "arguments": "{no"}}]), "{no"),
        (UpstreamUnavailable(Code.PRIMARY_FAILED, "HTTP 500"), "HTTP 500"),
    ],
)
async def test_a_parser_that_finds_none_is_named_with_what_came_back(answer: Any, shown: str) -> None:
    with pytest.raises(SmokeTestFailed, match=shown) as caught:
        await proved(WithTools(answer))
    assert "engine.tool_call_parser 'hermes'" in str(caught.value)


async def test_a_long_text_instead_of_a_call_is_cut() -> None:
    with pytest.raises(SmokeTestFailed) as caught:
        await proved(WithTools(message(content="word " * 1000)))
    assert len(str(caught.value)) < 600


async def test_a_context_too_short_for_the_limit_is_asked_without_one() -> None:
    too_long = UpstreamRejected(400, "This model's maximum context length is 256 tokens.")
    upstreams = WithTools(too_long, message(content=None, tool_calls=[CALL]))
    await proved(upstreams)
    assert ["max_tokens" in body for body in upstreams.asked] == [True, False]


async def test_an_engine_that_refuses_tools_fails_in_its_own_words() -> None:
    refusal = UpstreamRejected(400, "requires --enable-auto-tool-choice and --tool-call-parser to be set")
    with pytest.raises(SmokeTestFailed, match="requires --enable-auto-tool-choice"):
        await proved(WithTools(refusal, refusal))


def test_the_parser_is_what_the_driver_has_made(monkeypatch: pytest.MonkeyPatch) -> None:
    parsers: list[str | None] = []

    async def tested(*given: Any) -> float:
        parsers.append(given[-1])
        return 0.5

    monkeypatch.setattr("functions.smoke_test.app.smoke_test", tested)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"):
        monkeypatch.setenv(name, "eu-west-1")
    event = {"deployment": "support-llama", "target": target_to_json(TARGET)}
    made: tuple[dict[str, Any], ...] = (
        {},
        {"resources": {}},
        {"resources": {"instance_type": "g6", "tool_call_parser": "hermes"}},
    )
    for resources in made:
        assert handler({**event, **resources}, None) == {"ok": True, "seconds": 0.5}
    assert parsers == [None, None, "hermes"]


def test_the_handler_reaches_the_target_of_its_event(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIA")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s")
    monkeypatch.setenv("FLEETS_URL", "http://127.0.0.1:1/fleets")
    with pytest.raises(SmokeTestFailed, match="support-llama"):
        handler({"deployment": "support-llama", "target": target_to_json(TARGET)}, None)


EMBEDS = FleetTarget("support-llama", Task.EMBED)
RANKS = FleetTarget("support-llama", Task.RERANK)
VECTOR = json.dumps({"object": "list", "data": [{"index": 0, "embedding": [0.5, -1]}]}).encode()
RANKING = json.dumps({"results": [{"index": 0, "relevance_score": 0.9}, {"index": 1, "relevance_score": 0.1}]}).encode()


@pytest.mark.parametrize(
    ("target", "endpoint", "good"),
    [(EMBEDS, "embeddings", VECTOR), (RANKS, "rerank", RANKING)],
    ids=["embed", "rerank"],
)
async def test_a_model_that_writes_no_text_is_asked_for_what_it_is_for(
    target: Target, endpoint: str, good: bytes
) -> None:
    upstreams = FakeUpstreams({"fleet": [good]})
    assert await smoke_test(upstreams, target, "support-llama", "r", FakeClock().monotonic) == 0.0
    assert [asked[1].endpoint for asked in upstreams.requests] == [endpoint]


@pytest.mark.parametrize("target", [EMBEDS, RANKS], ids=["embed", "rerank"])
@pytest.mark.parametrize(
    "answer",
    [
        b'{"choices": []}',
        b'{"data": [], "results": []}',
        b'{"data": [{"embedding": []}], "results": [{"index": 0}]}',
        b'{"data": [{"embedding": ["a"]}], "results": [{"relevance_score": "1"}, {"relevance_score": 1}]}',
        b'{"error": {"message": "dead", "code": 500}}',
    ],
)
async def test_what_is_no_vector_and_no_ranking_fails(target: Target, answer: bytes) -> None:
    with pytest.raises(SmokeTestFailed, match="support-llama"):
        await smoke_test(FakeUpstreams({"fleet": [answer]}), target, "support-llama", "r", FakeClock().monotonic)
