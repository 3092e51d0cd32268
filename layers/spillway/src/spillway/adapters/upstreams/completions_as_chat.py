"""Text completions on targets that have only chat: the prompt becomes a user's message.

The model's chat template is applied, so the answer is a reply to the prompt more than its continuation.
"""

from collections.abc import Mapping
from typing import Any

import orjson

from spillway.domain.errors import InvalidRequest
from spillway.gateway.upstream import UpstreamRequest

# OpenAI's default for text completions, which engines keep: an answer must not grow because it went elsewhere.
_DEFAULT_MAX_TOKENS = 16
_WITHOUT_CHAT_FORM = ("suffix", "echo", "logprobs")


class CompletionsAsChat:
    """One text completion by way of chat."""

    def __init__(self, request: UpstreamRequest) -> None:
        self._request = request
        self._id = f"cmpl-{request.request_id}"

    def chat_body(self) -> dict[str, Any]:
        """Return the chat request; raises InvalidRequest for what chat has no form for."""
        body = self._request.body
        for field in _WITHOUT_CHAT_FORM:
            # Zero log probabilities are some too; False is the default of the rest.
            if body.get(field) not in (None, False, "") or (field == "logprobs" and body.get(field) == 0):
                raise InvalidRequest(f"the model that answers now takes no {field}", param=field)
        if (body.get("best_of") or 1) != (body.get("n") or 1):
            raise InvalidRequest("the model that answers now takes no best_of", param="best_of")
        kept = {name: value for name, value in body.items() if name not in ("prompt", "best_of", *_WITHOUT_CHAT_FORM)}
        message = {"role": "user", "content": _text(body["prompt"])}
        return {"max_tokens": _DEFAULT_MAX_TOKENS, **kept, "messages": [message]}

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
