"""Converse's answers as OpenAI's."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from spillway.adapters.upstreams.converse.request import Terms
from spillway.adapters.upstreams.converse.stop_sequences import StopCutter
from spillway.domain.decision import Code
from spillway.gateway.errors import UpstreamUnavailable
from spillway.gateway.streaming.reasoning import REASONING

_FINISH = {
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "guardrail_intervened": "content_filter",
    "content_filtered": "content_filter",
}
_MALFORMED = frozenset({"malformed_tool_use", "malformed_model_output"})


@dataclass(frozen=True)
class Head:
    """What all parts of one answer have in common; ``created`` in epoch seconds."""

    id: str
    created: int
    model: str

    def wrap(self, kind: str, **fields: Any) -> dict[str, Any]:
        """Return an OpenAI object of this answer."""
        return {"id": self.id, "object": kind, "created": self.created, "model": self.model, **fields}


def completion_of(answer: Mapping[str, Any], head: Head, terms: Terms) -> dict[str, Any]:
    """Return a whole Converse answer as a chat completion; raises UpstreamUnavailable for one that is none."""
    blocks = (answer["output"].get("message") or {}).get("content") or []
    reasoning = "".join(
        block["reasoningContent"].get("reasoningText", {}).get("text", "")
        for block in blocks
        if "reasoningContent" in block
    )
    text, uses, is_cut = _said(blocks, terms)
    calls = [_tool_call(use) for use in uses[: terms.most_calls]]
    message: dict[str, Any] = {"role": "assistant", "content": text or (None if calls else ""), "refusal": None}
    if reasoning:
        message[REASONING] = reasoning
    if calls:
        message |= {"function_call": calls[0]["function"]} if terms.as_function else {"tool_calls": calls}
    stop_reason = "stop_sequence" if is_cut else answer.get("stopReason")
    finish = finish_reason(stop_reason, terms, has_calls=bool(calls))
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": finish}
    usage = openai_usage(answer.get("usage") or {})
    return head.wrap("chat.completion", choices=[choice], usage=usage) | tier_of(answer)


def finish_reason(stop_reason: Any, terms: Terms, *, has_calls: bool) -> str:
    """Return OpenAI's finish reason, which follows from what was said: models end calls as they end texts at times.

    What has no counterpart is a stop. Raises UpstreamUnavailable where the model says that its output is none, and for
    an answer that ended by itself without the call that was demanded.
    """
    if stop_reason in _MALFORMED:
        raise malformed(str(stop_reason))
    if has_calls:
        return "function_call" if terms.as_function else "tool_calls"
    finish = _FINISH.get(stop_reason, "stop")
    if terms.must_call and finish == "stop":
        raise UpstreamUnavailable(Code.PRIMARY_FAILED, "the model called no tool, and was to call one")
    return finish


def malformed(detail: str) -> UpstreamUnavailable:
    """Return the failure of a model whose output is not what it was to be."""
    return UpstreamUnavailable(Code.PRIMARY_FAILED, f"the model's output is malformed: {detail}")


def openai_usage(usage: Mapping[str, Any]) -> dict[str, Any]:
    """Return OpenAI's usage, whose prompt tokens include what came from or went to the cache."""
    cached = usage.get("cacheReadInputTokens") or 0
    prompt = (usage.get("inputTokens") or 0) + cached + (usage.get("cacheWriteInputTokens") or 0)
    completion = usage.get("outputTokens") or 0
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": cached},
    }


def tier_of(answer: Mapping[str, Any]) -> dict[str, Any]:
    """Return the service tier that answered, where Bedrock tells it."""
    tier = (answer.get("serviceTier") or {}).get("type")
    return {"service_tier": tier} if tier else {}


def name_of(use: Mapping[str, Any]) -> str:
    """Return the tool that a call names; raises UpstreamUnavailable where it names none."""
    name = use.get("name")
    if not name or not isinstance(name, str):
        raise malformed("a call without a name")
    return name


def _said(blocks: Iterable[Mapping[str, Any]], terms: Terms) -> tuple[str, list[Mapping[str, Any]], bool]:
    """Return an answer's text and calls up to a sequence that ends it in here, and whether one does."""
    cutter, text = StopCutter(terms.stop), ""
    uses: list[Mapping[str, Any]] = []
    for block in blocks:
        if "text" in block:
            text += cutter.cut(block["text"])
        elif "toolUse" in block:
            text += cutter.rest()
            uses.append(block["toolUse"])
        if cutter.done:
            return text, uses, True
    return text + cutter.rest(), uses, False


def _tool_call(use: Mapping[str, Any]) -> dict[str, Any]:
    arguments = use.get("input") or {}
    if not isinstance(arguments, dict):
        raise malformed("a call's arguments are no object")
    function = {"name": name_of(use), "arguments": orjson.dumps(arguments).decode()}
    return {"id": use.get("toolUseId"), "type": "function", "function": function}
