"""What each endpoint's body must have for the gateway to serve it; the rest is the engine's to judge."""

from typing import Any

from spillway.domain.errors import InvalidRequest
from spillway.gateway.upstream import Endpoint

# What a service would have to remember between requests, and we keep nothing: field → the one value it may have.
STATEFUL: dict[str, Any] = {
    "store": False,
    "background": False,
    "previous_response_id": None,
    "conversation": None,
    "prompt": None,
}


def check_shape(endpoint: Endpoint, body: dict[str, Any]) -> None:
    """Raise InvalidRequest with the field that is missing or of the wrong type."""
    match endpoint:
        case "chat/completions":
            _check_messages(body)
        case "completions":
            _check_text_or_list(body, "prompt")
        case "embeddings":
            _check_text_or_list(body, "input")
            if body.get("stream"):
                raise InvalidRequest("embeddings are not streamed", param="stream", allowed=["false"])
        case "rerank":
            _check_texts(body)
        case "responses":
            _check_text_or_list(body, "input")
            _check_stateless(body)


def _check_text_or_list(body: dict[str, Any], field: str) -> None:
    if not isinstance(body.get(field), str | list) or not body[field]:
        raise InvalidRequest(f"{field} must be a string or a list and not empty", param=field)


def _check_texts(body: dict[str, Any]) -> None:
    if not isinstance(body.get("query"), str) or not body["query"]:
        raise InvalidRequest("query must be a string and not empty", param="query", code="invalid_type")
    if not isinstance(body.get("documents"), list) or not body["documents"]:
        raise InvalidRequest("documents must be a list and not empty", param="documents", code="invalid_type")
    if body.get("stream"):
        raise InvalidRequest("a ranking is not streamed", param="stream", allowed=["false"])


def _check_stateless(body: dict[str, Any]) -> None:
    for field, allowed in STATEFUL.items():
        if body.get(field) not in (None, allowed):
            raise InvalidRequest(
                f"{field} needs a service that remembers responses, and this one keeps none: send the whole "
                "conversation in input",
                param=field,
                code="unsupported_parameter",
                allowed=["false" if allowed is False else "null"],
            )


def _check_messages(body: dict[str, Any]) -> None:
    messages = body.get("messages")
    if messages is None:
        raise InvalidRequest("messages is required", param="messages", code="missing_required_parameter")
    if not isinstance(messages, list) or not messages:
        raise InvalidRequest("messages must be a list of at least one message", param="messages", code="invalid_type")
    for index, message in enumerate(messages):
        if not isinstance(message, dict):
            raise InvalidRequest("a message must be an object", param=f"messages.{index}", code="invalid_type")
        if not isinstance(message.get("role"), str):
            raise InvalidRequest("a message needs a role", param=f"messages.{index}.role", code="invalid_type")
