"""Chat's answers as responses."""

from collections.abc import Mapping, Sequence
from typing import Any

from spillway.gateway.streaming.reasoning import reasoning_in
from spillway.gateway.upstream import UpstreamRequest

_ECHOED: dict[str, Any] = {
    "instructions": None,
    "max_output_tokens": None,
    "max_tool_calls": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "reasoning": None,
    "temperature": 1.0,
    "text": None,
    "tool_choice": "auto",
    "tools": [],
    "top_p": 1.0,
    "truncation": "disabled",
    "user": None,
}
_UNFINISHED = {"length": "max_output_tokens", "content_filter": "content_filter"}


class Envelope:
    """What one response has around its output; ids of items follow from the request's."""

    def __init__(self, request: UpstreamRequest) -> None:
        self._request = request

    def item_id(self, prefix: str, index: int) -> str:
        """Return an output item's id, such as ``msg_…_0``."""
        return f"{prefix}_{self._request.request_id}_{index}"

    def wrap(self, created: Any, output: list[dict[str, Any]], **changes: Any) -> dict[str, Any]:
        """Return the response object; ``created`` in epoch seconds."""
        body = self._request.body
        return {
            "id": f"resp_{self._request.request_id}",
            "object": "response",
            "created_at": created or 0,
            "status": "in_progress",
            "background": False,
            "error": None,
            "incomplete_details": None,
            "model": self._request.deployment,
            "output": output,
            "previous_response_id": None,
            "store": False,
            "usage": None,
            **{name: default if body.get(name) is None else body[name] for name, default in _ECHOED.items()},
            **changes,
        }

    def message(self, index: int, text: str, status: str = "completed", logprobs: Sequence[Any] = ()) -> dict[str, Any]:
        """Return an output item with the assistant's text; without content while it is in progress."""
        content = [] if status == "in_progress" else [text_part(text, logprobs)]
        fields = {"role": "assistant", "status": status, "content": content}
        return {"id": self.item_id("msg", index), "type": "message", **fields}

    def reasoning(self, index: int, text: str, status: str = "completed") -> dict[str, Any]:
        """Return an output item with what the model thought."""
        content = [] if status == "in_progress" else [{"type": "reasoning_text", "text": text}]
        fields = {"summary": [], "content": content, "status": status}
        return {"id": self.item_id("rs", index), "type": "reasoning", **fields}

    def call(self, index: int, call_id: str, name: str, arguments: str, status: str = "completed") -> dict[str, Any]:
        """Return an output item with a function call."""
        fields = {"call_id": call_id, "name": name, "arguments": arguments, "status": status}
        return {"id": self.item_id("fc", index), "type": "function_call", **fields}


def text_part(text: str, logprobs: Sequence[Any] = ()) -> dict[str, Any]:
    """Return the content part of a message."""
    return {"type": "output_text", "annotations": [], "logprobs": list(logprobs), "text": text}


def logprobs_of(choice: Mapping[str, Any]) -> list[Any]:
    """Return the log probabilities of a chat's choice, whole or a chunk's, which responses have in the same form."""
    return (choice.get("logprobs") or {}).get("content") or []


def response_of(answer: Mapping[str, Any], envelope: Envelope) -> dict[str, Any]:
    """Return a whole chat completion as a response."""
    choice = answer["choices"][0]
    message = choice.get("message") or {}
    output: list[dict[str, Any]] = []
    if thought := reasoning_in(message):
        output.append(envelope.reasoning(0, thought))
    calls = message.get("tool_calls") or []
    if message.get("content") or not calls:
        text = message.get("content") or ""
        output.append(envelope.message(len(output), text, logprobs=logprobs_of(choice)))
    for call in calls:
        function = call.get("function") or {}
        arguments = function.get("arguments") or "{}"
        output.append(envelope.call(len(output), call.get("id") or "", function.get("name") or "", arguments))
    ending = ending_of(choice.get("finish_reason"), answer.get("usage"))
    return envelope.wrap(answer.get("created"), output, **ending)


def ending_of(finish_reason: Any, usage: Any) -> dict[str, Any]:
    """Return the fields that a response's end decides."""
    unfinished = _UNFINISHED.get(finish_reason)
    return {
        "status": "incomplete" if unfinished else "completed",
        "incomplete_details": {"reason": unfinished} if unfinished else None,
        "usage": _usage(usage) if isinstance(usage, dict) else None,
    }


def _usage(usage: Mapping[str, Any]) -> dict[str, Any]:
    prompt, completion = usage.get("prompt_tokens") or 0, usage.get("completion_tokens") or 0
    cached = (usage.get("prompt_tokens_details") or {}).get("cached_tokens") or 0
    reasoned = (usage.get("completion_tokens_details") or {}).get("reasoning_tokens") or 0
    return {
        "input_tokens": prompt,
        "input_tokens_details": {"cached_tokens": cached},
        "output_tokens": completion,
        "output_tokens_details": {"reasoning_tokens": reasoned},
        "total_tokens": prompt + completion,
    }
