"""Converse's answers as OpenAI's."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from spillway.gateway.streaming.reasoning import REASONING

_FINISH = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "guardrail_intervened": "content_filter",
    "content_filtered": "content_filter",
}


@dataclass(frozen=True)
class Head:
    """What all parts of one answer have in common; ``created`` in epoch seconds."""

    id: str
    created: int
    model: str

    def wrap(self, kind: str, **fields: Any) -> dict[str, Any]:
        """Return an OpenAI object of this answer."""
        return {"id": self.id, "object": kind, "created": self.created, "model": self.model, **fields}


def completion_of(answer: Mapping[str, Any], head: Head) -> dict[str, Any]:
    """Return a whole Converse answer as a chat completion."""
    blocks = (answer["output"].get("message") or {}).get("content") or []
    text = "".join(block["text"] for block in blocks if "text" in block)
    reasoning = "".join(
        block["reasoningContent"].get("reasoningText", {}).get("text", "")
        for block in blocks
        if "reasoningContent" in block
    )
    calls = [_tool_call(block["toolUse"]) for block in blocks if "toolUse" in block]
    message: dict[str, Any] = {"role": "assistant", "content": text or (None if calls else ""), "refusal": None}
    if reasoning:
        message[REASONING] = reasoning
    if calls:
        message["tool_calls"] = calls
    choice = {
        "index": 0,
        "message": message,
        "logprobs": None,
        "finish_reason": finish_reason(answer.get("stopReason")),
    }
    return head.wrap("chat.completion", choices=[choice], usage=openai_usage(answer.get("usage") or {}))


def finish_reason(stop_reason: Any) -> str:
    """Return OpenAI's finish reason; what has no counterpart is a stop."""
    return _FINISH.get(stop_reason, "stop")


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


def _tool_call(use: Mapping[str, Any]) -> dict[str, Any]:
    function = {"name": use["name"], "arguments": orjson.dumps(use.get("input") or {}).decode()}
    return {"id": use["toolUseId"], "type": "function", "function": function}
