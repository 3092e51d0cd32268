"""A chat or text completion as a container wants it."""

from collections.abc import Mapping
from typing import Any

from spillway.domain.paths.containers import Protocol
from spillway.gateway.upstream import UpstreamRequest

# Any name will do: TGI answers to this one by its own.
_ANY_MODEL = "tgi"
# TGI refuses 0, which is OpenAI's for the likeliest word each time.
_LEAST_TEMPERATURE = 0.01


def container_body(request: UpstreamRequest, protocol: Protocol | None) -> dict[str, Any]:
    """Return the body for a container; it knows its model by a name of its own, so ``model`` is left out or any."""
    body = request.upstream_body(model=_ANY_MODEL if protocol and protocol.wants_model else None)
    if protocol is None or protocol.is_vllms:
        return body
    if (limit := body.pop("max_completion_tokens", None)) is not None:
        # A name that came later than these containers.
        body["max_tokens"] = limit
    return _strict(body) if protocol.is_strict else body


def _strict(body: dict[str, Any]) -> dict[str, Any]:
    """Return a body with its values as TGI's types want them: one text a message, a list of stops, open intervals."""
    messages, stop = body.get("messages"), body.get("stop")
    if isinstance(messages, list):
        body["messages"] = [_of_one_text(message) for message in messages]
    if isinstance(stop, str):
        body["stop"] = [stop]
    if body.get("temperature") == 0:
        body["temperature"] = _LEAST_TEMPERATURE
    if body.get("top_p") == 1:
        del body["top_p"]
    return body


def _of_one_text(message: Any) -> Any:
    content = message.get("content") if isinstance(message, Mapping) else None
    if not isinstance(content, list) or not all(_is_text(part) for part in content):
        return message
    return {**message, "content": "\n".join(part["text"] for part in content)}


def _is_text(part: Any) -> bool:
    return isinstance(part, Mapping) and part.get("type") == "text" and isinstance(part.get("text"), str)
