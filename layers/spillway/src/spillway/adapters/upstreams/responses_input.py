"""The input of a response as chat messages."""

from collections.abc import Mapping
from typing import Any

from spillway.domain.errors import InvalidRequest

_ROLES = ("user", "assistant", "system", "developer")
_TEXTS = ("input_text", "output_text", "text")
_ITEMS = ("message", "function_call", "function_call_output", "reasoning")


def messages_of(body: Mapping[str, Any]) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the conversation, and for each message where it comes from, as ``input.2``.

    Raises InvalidRequest with the item that chat has no form for.
    """
    messages: list[dict[str, Any]] = []
    places: list[str] = []
    if isinstance(body.get("instructions"), str) and body["instructions"]:
        messages.append({"role": "system", "content": body["instructions"]})
        places.append("instructions")
    given = body["input"]
    if isinstance(given, str):
        return [*messages, {"role": "user", "content": given}], [*places, "input"]
    for index, item in enumerate(given):
        _add(messages, item, place := f"input.{index}")
        # A call is added to the message before it, a thought to none.
        places += [place] * (len(messages) - len(places))
    return messages, places


def _add(messages: list[dict[str, Any]], item: Any, param: str) -> None:
    kind = (item.get("type") or "message") if isinstance(item, dict) else None
    match kind:
        case "message":
            messages.append(_message(item, param))
        case "function_call":
            _add_call(messages, item, param)
        case "function_call_output":
            call_id = _string(item, "call_id", param)
            content = _content(item.get("output"), f"{param}.output")
            messages.append({"role": "tool", "tool_call_id": call_id, "content": content})
        case "reasoning":
            # What a model thought is not fed back in chat; templates drop it too.
            return
        case _:
            raise InvalidRequest("no such item can be sent here", param=f"{param}.type", allowed=_ITEMS)


def _message(item: Mapping[str, Any], param: str) -> dict[str, Any]:
    if item.get("role") not in _ROLES:
        raise InvalidRequest("a message needs a role", param=f"{param}.role", allowed=_ROLES)
    return {"role": item["role"], "content": _content(item.get("content"), f"{param}.content")}


def _add_call(messages: list[dict[str, Any]], item: Mapping[str, Any], param: str) -> None:
    """Add a call to the assistant's message before it, if there is one: chat has one message a turn."""
    function = {"name": _string(item, "name", param), "arguments": _string(item, "arguments", param)}
    call = {"id": _string(item, "call_id", param), "type": "function", "function": function}
    if not messages or messages[-1]["role"] != "assistant":
        messages.append({"role": "assistant", "content": None})
    messages[-1].setdefault("tool_calls", []).append(call)


def _content(content: Any, param: str) -> Any:
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        raise InvalidRequest("content must be a string or a list of parts", param=param, code="invalid_type")
    parts = [_part(part, f"{param}.{index}") for index, part in enumerate(content)]
    # Many chat templates know text only as a string.
    if all(part["type"] == "text" for part in parts):
        return "\n".join(part["text"] for part in parts)
    return parts


def _part(part: Any, param: str) -> dict[str, Any]:
    kind = part.get("type") if isinstance(part, dict) else None
    if kind in _TEXTS:
        return {"type": "text", "text": _string(part, "text", param)}
    if kind == "refusal":
        return {"type": "text", "text": _string(part, "refusal", param)}
    if kind == "input_image":
        # An address is the engine's to fetch or refuse; nothing is fetched from in here.
        image = {"url": _string(part, "image_url", param)}
        return {"type": "image_url", "image_url": image | ({"detail": part["detail"]} if part.get("detail") else {})}
    raise InvalidRequest(
        "no such content can be sent here", param=f"{param}.type", allowed=("input_text", "output_text", "input_image")
    )


def _string(item: Mapping[str, Any], field: str, param: str) -> str:
    value = item.get(field)
    if not isinstance(value, str):
        raise InvalidRequest(f"{field} must be a string", param=f"{param}.{field}", code="invalid_type")
    return value
