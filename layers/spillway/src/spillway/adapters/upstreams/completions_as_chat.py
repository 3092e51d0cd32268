"""Text completions on targets that have only chat: the prompt becomes a user's message.

The model's chat template is applied, so the answer is a reply to the prompt more than its continuation.
"""

from collections.abc import Mapping
from typing import Any

import orjson

from spillway.adapters.upstreams.fields import Field, client_names, dropped_fields, not_taken, refused
from spillway.domain.errors import InvalidRequest
from spillway.gateway.upstream import UpstreamRequest

# OpenAI's default for text completions, which engines keep: an answer must not grow because it went elsewhere.
_DEFAULT_MAX_TOKENS = 16
_PASSED = Field("passed")

FIELDS: Mapping[str, Field] = {
    "best_of": refused("chat picks no best answer (unless it is `n`)"),
    "echo": refused("chat repeats no prompt", False),
    "frequency_penalty": _PASSED,
    "logit_bias": _PASSED,
    # Zero log probabilities are some too.
    "logprobs": refused("chat tells no probabilities in this form"),
    "max_tokens": Field("mapped", f"{_DEFAULT_MAX_TOKENS} where it is not there"),
    "model": _PASSED,
    "n": _PASSED,
    "presence_penalty": _PASSED,
    "prompt": Field("mapped", "one text becomes a user's message; no tokens", chat="messages"),
    "seed": _PASSED,
    "stop": _PASSED,
    "stream": _PASSED,
    "stream_options": _PASSED,
    "suffix": refused("chat fills nothing in", ""),
    "temperature": _PASSED,
    "top_p": _PASSED,
    "user": _PASSED,
}
_NOT_TAKEN = not_taken(FIELDS)
_NAMES = client_names(FIELDS)


class CompletionsAsChat:
    """One text completion by way of chat, of which nothing is dropped: what has no form there is refused."""

    def __init__(self, request: UpstreamRequest) -> None:
        self._request = request
        self._id = f"cmpl-{request.request_id}"
        self.dropped: list[str] = []

    def chat_body(self) -> dict[str, Any]:
        """Return the chat request; raises InvalidRequest for what chat has no form for."""
        body = dict(self._request.body)
        if (body.get("best_of") or 1) == (body.get("n") or 1):
            body.pop("best_of", None)
        dropped_fields(body, _NOT_TAKEN)
        kept = {name: value for name, value in body.items() if name not in _NOT_TAKEN}
        message = {"role": "user", "content": _text(kept.pop("prompt"))}
        return {"max_tokens": _DEFAULT_MAX_TOKENS, **kept, "messages": [message]}

    def client_name(self, field: str) -> str:
        """Return what the client called a field of chat."""
        return _NAMES.get(field.partition(".")[0], field)

    def whole(self, answer: dict[str, Any]) -> dict[str, Any]:
        """Return a whole chat completion as a text completion."""
        choices = [_choice(choice, choice.get("message") or {}) for choice in answer["choices"]]
        return self._wrap(answer, choices) | {"usage": answer.get("usage")}

    def chunk(self, chunk: dict[str, Any]) -> bytes:
        """Return a chat chunk as one of a text completion."""
        body = self._wrap(chunk, [_choice(choice, choice.get("delta") or {}) for choice in chunk.get("choices") or []])
        if chunk.get("usage"):
            body["usage"] = chunk["usage"]
        return b"data: " + orjson.dumps(body) + b"\n\n"

    def end(self) -> bytes:
        """Return the end mark."""
        return b"data: [DONE]\n\n"

    def _wrap(self, answer: Mapping[str, Any], choices: list[dict[str, Any]]) -> dict[str, Any]:
        created, model = answer.get("created"), self._request.deployment
        return {"id": self._id, "object": "text_completion", "created": created, "model": model, "choices": choices}


def _choice(choice: Mapping[str, Any], said: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "index": choice.get("index", 0),
        "text": said.get("content") or "",
        "logprobs": None,
        "finish_reason": choice.get("finish_reason"),
    }


def _text(prompt: Any) -> str:
    if isinstance(prompt, list) and len(prompt) == 1:
        prompt = prompt[0]
    if not isinstance(prompt, str):
        raise InvalidRequest("the model that answers now takes one prompt of text, no tokens", param="prompt")
    return prompt
