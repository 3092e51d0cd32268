"""A real request to one target by what its model is for, to prove that it answers before traffic is sent there."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from spillway.domain.errors import AccessPending, Rejected, SmokeTestFailed
from spillway.domain.paths.targets import Target
from spillway.domain.routing.route import Choice
from spillway.domain.task import Task
from spillway.gateway.errors import Incapable, UpstreamUnavailable
from spillway.gateway.failover.first_byte_gate import AttemptTimeouts, FirstByteGate, NothingAnswered, Opened
from spillway.gateway.failover.learned_cards import LearnedCards
from spillway.gateway.failover.target_health import TargetHealth
from spillway.gateway.streaming.reasoning import reasoning_in
from spillway.gateway.streaming.rewriting import StreamRewriter
from spillway.gateway.streaming.sse import parsed
from spillway.gateway.timeouts import SMOKE_TEST_SECONDS
from spillway.gateway.upstream import Endpoint, UpstreamRequest, Upstreams

_PROMPT = "Say hello."
_MAX_TOKENS = 8
_TOOL_PROMPT = "What time is it in Lisbon now? Use the tool."
_TOOL_NAME = "look_up_local_time"
_TOOL = {
    "type": "function",
    "function": {
        "name": _TOOL_NAME,
        "description": "Return the present local time of a city.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string", "description": "The city's name"}},
            "required": ["city"],
        },
    },
}
# Room for a model that thinks before it calls.
_CALL_TOKENS = 512
_SHOWN = 300
# What Bedrock names in its refusal until an account is subscribed to a model, and as long as it can't be.
_SUBSCRIPTION = "AWS Marketplace subscription"
_LIMITS = AttemptTimeouts(SMOKE_TEST_SECONDS, SMOKE_TEST_SECONDS)


async def smoke_test(
    upstreams: Upstreams,
    target: Target,
    deployment: str,
    request_id: str,
    monotonic: Callable[[], float],
    role: str = "primary",
    tool_call_parser: str | None = None,
) -> float:
    """Return the seconds to the first token; of a model that writes no text, to its vector or its ranking.

    With ``tool_call_parser`` the target has to make a call of a tool too.
    Raises SmokeTestFailed with what came back instead of an answer or a call, AccessPending where that is a
    subscription which is being made.
    """
    tested = _Tested(upstreams, target, deployment, request_id, monotonic, role)
    until = asyncio.get_running_loop().time() + SMOKE_TEST_SECONDS
    if target.task is not Task.CHAT:
        async with _told(deployment, _POOLED[target.task].name, until):
            return await tested.pooled(_POOLED[target.task])
    async with _told(deployment, "completion", until):
        seconds = await tested.answer()
    if tool_call_parser is not None:
        async with _told(deployment, f"call of a tool that engine.tool_call_parser '{tool_call_parser}' reads", until):
            await tested.call(tool_call_parser)
    return seconds


@dataclass(frozen=True)
class _Pooled:
    """What a model that writes no text is asked, and whether an answer is one."""

    name: str
    endpoint: Endpoint
    fields: Mapping[str, Any]
    is_good: Callable[[Mapping[str, Any]], bool]


def _has_vector(answer: Mapping[str, Any]) -> bool:
    vectors = [item.get("embedding") for item in answer.get("data") or []]
    return len(vectors) == 1 and _are_numbers(vectors[0])


def _has_scores(answer: Mapping[str, Any]) -> bool:
    scores = [result.get("relevance_score") for result in answer.get("results") or []]
    return len(scores) == len(_DOCUMENTS) and _are_numbers(scores)


def _are_numbers(values: Any) -> bool:
    return isinstance(values, list) and bool(values) and all(isinstance(value, float | int) for value in values)


_DOCUMENTS = ("Hello.", "Goodbye.")
_POOLED = {
    Task.EMBED: _Pooled("vector", "embeddings", {"input": _PROMPT, "encoding_format": "float"}, _has_vector),
    Task.RERANK: _Pooled("ranking", "rerank", {"query": _PROMPT, "documents": _DOCUMENTS}, _has_scores),
}


@dataclass(frozen=True)
class _Tested:
    upstreams: Upstreams
    target: Target
    deployment: str
    request_id: str
    monotonic: Callable[[], float]
    role: str

    async def answer(self) -> float:
        """Read a streamed answer to its end; return the seconds to its first token."""
        request, begun = self._request({"max_tokens": _MAX_TOKENS, "stream": True}, _PROMPT), self.monotonic()
        opened = await self._open(request)
        first_token = self.monotonic()
        await _read_to_the_end(opened, request)
        return first_token - begun

    async def pooled(self, asked: _Pooled) -> float:
        """Read a vector, or a ranking; return the seconds to it."""
        body, begun = {"model": self.deployment, **asked.fields}, self.monotonic()
        opened = await self._open(
            UpstreamRequest(self.deployment, asked.endpoint, body, False, False, self.request_id, 0)
        )
        await opened.stream.close()
        if not asked.is_good(opened.first):
            said = opened.block[:_SHOWN].decode(errors="replace")
            raise SmokeTestFailed(f"'{self.deployment}' was asked for a {asked.name}, and this came back: {said}")
        return self.monotonic() - begun

    async def call(self, parser: str) -> None:
        """Ask for a call of a tool, whole: a parser that reads no streams is one that works."""
        fields: dict[str, Any] = {"tools": [_TOOL], "tool_choice": "auto"}
        try:
            opened = await self._open(self._request({**fields, "max_tokens": _CALL_TOKENS}, _TOOL_PROMPT))
        except (Incapable, Rejected):
            # A context too short for so many leaves fewer by itself.
            opened = await self._open(self._request(fields, _TOOL_PROMPT))
        await opened.stream.close()
        if (said := _instead_of_a_call(opened.first)) is not None:
            raise SmokeTestFailed(
                f"'{self.deployment}' was asked for a call of a tool, and engine.tool_call_parser '{parser}' found "
                f"none in what came back: {said}. Name the parser of the model's family, or 'none' to do without tools"
            )

    def _request(self, fields: dict[str, Any], prompt: str) -> UpstreamRequest:
        body = {"model": self.deployment, "messages": [{"role": "user", "content": prompt}], **fields}
        stream = bool(body.get("stream"))
        return UpstreamRequest(self.deployment, "chat/completions", body, stream, False, self.request_id, 0)

    async def _open(self, request: UpstreamRequest) -> Opened:
        gate = FirstByteGate(self.upstreams, TargetHealth(self.monotonic, lambda: 0.5), LearnedCards(self.monotonic))
        return await gate.open([Choice(self.target, self.role, "smoke_test")], request, _LIMITS, [])


@asynccontextmanager
async def _told(deployment: str, what: str, until: float) -> AsyncIterator[None]:
    """Say of a failure what was asked for."""
    try:
        async with asyncio.timeout_at(until):
            yield
    except (Incapable, NothingAnswered, Rejected, UpstreamUnavailable) as err:
        failure = AccessPending if _SUBSCRIPTION in str(err) else SmokeTestFailed
        raise failure(f"'{deployment}' gave no {what}: {err}") from err
    except TimeoutError as err:
        raise SmokeTestFailed(f"'{deployment}' gave no {what} within {SMOKE_TEST_SECONDS:g} seconds") from err


def _instead_of_a_call(answer: Mapping[str, Any]) -> str | None:
    """Return what an answer has instead of a good call of the tool, None for one that has it."""
    choice = (answer.get("choices") or [{}])[0]
    message = choice.get("message") or {}
    for call in message.get("tool_calls") or []:
        function = call.get("function") or {}
        arguments = parsed(str(function.get("arguments")).encode())
        if function.get("name") == _TOOL_NAME and arguments is not None:
            return None
    said = message.get("tool_calls") or message.get("content") or reasoning_in(message) or "nothing"
    return f"'{str(said)[:_SHOWN]}' ({choice.get('finish_reason')})"


async def _read_to_the_end(opened: Opened, request: UpstreamRequest) -> None:
    rewriter = StreamRewriter(request, opened.first)
    try:
        rewriter.rewrite(opened.block)
        async for block in opened.stream.blocks:
            rewriter.rewrite(block)
    finally:
        await opened.stream.close()
    if not rewriter.complete:
        raise SmokeTestFailed(f"the stream ended before its end: {rewriter.error or 'no end mark'}")
