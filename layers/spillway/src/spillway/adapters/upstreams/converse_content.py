"""The content of one OpenAI message as Converse's content blocks."""

import re
from collections.abc import Mapping
from typing import Any

import orjson

from spillway.domain.errors import InvalidRequest

# Only inlined images: a URL would have to be fetched from in here, and could name any private address.
_IMAGE = re.compile(r"data:image/(png|jpeg|jpg|gif|webp);base64,([A-Za-z0-9+/=\s]+)")

# Stands where OpenAI's form allows nothing at all: Converse refuses texts without a visible character.
NOTHING = "(empty)"


def content_blocks(message: Mapping[str, Any], param: str) -> list[dict[str, Any]]:
    """Return the blocks of a message of a user, an assistant or a tool; blank texts are left out."""
    if message["role"] == "tool":
        return [_tool_result(message, param)]
    blocks = _parts(message.get("content"), f"{param}.content")
    if message["role"] == "assistant":
        calls = message.get("tool_calls") or []
        if not isinstance(calls, list):
            raise InvalidRequest("tool_calls must be a list", param=f"{param}.tool_calls", code="invalid_type")
        blocks += [_tool_use(call, f"{param}.tool_calls.{index}") for index, call in enumerate(calls)]
    return blocks


def text_of(content: Any, param: str) -> str:
    """Return content that can only be text, its parts joined."""
    return "\n".join(_text(part, param) for part in _listed(content, param))


def _parts(content: Any, param: str) -> list[dict[str, Any]]:
    blocks = []
    for index, part in enumerate(_listed(content, param)):
        where = f"{param}.{index}"
        if part.get("type") == "image_url":
            blocks.append(_image(part, where))
        elif (text := _text(part, where)).strip():
            blocks.append({"text": text})
    return blocks


def _listed(content: Any, param: str) -> list[dict[str, Any]]:
    if content is None:
        return []
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    if isinstance(content, list) and all(isinstance(part, dict) for part in content):
        return content
    raise InvalidRequest("content must be a string or a list of parts", param=param, code="invalid_type")


def _text(part: Mapping[str, Any], param: str) -> str:
    if part.get("type") not in ("text", "refusal"):
        raise InvalidRequest("this model takes no such content", param=f"{param}.type", allowed=["text", "image_url"])
    text = part.get(part["type"])
    if not isinstance(text, str):
        raise InvalidRequest("text must be a string", param=f"{param}.text", code="invalid_type")
    return text


def _image(part: Mapping[str, Any], param: str) -> dict[str, Any]:
    image = part.get("image_url")
    url = image.get("url") if isinstance(image, dict) else image
    found = _IMAGE.fullmatch(url) if isinstance(url, str) else None
    if found is None:
        raise InvalidRequest(
            "send images as data: URLs (png, jpeg, gif or webp in base64); addresses are not fetched", param=param
        )
    form = "jpeg" if found[1] == "jpg" else found[1]
    return {"image": {"format": form, "source": {"bytes": "".join(found[2].split())}}}


def _tool_use(call: Any, param: str) -> dict[str, Any]:
    function = call.get("function") if isinstance(call, dict) else None
    if not isinstance(function, dict) or not isinstance(function.get("name"), str):
        raise InvalidRequest("a tool call needs a function with a name", param=param, code="invalid_type")
    try:
        arguments = orjson.loads(function.get("arguments") or "{}")
    except (orjson.JSONDecodeError, TypeError) as err:
        raise InvalidRequest("arguments must be JSON", param=f"{param}.function.arguments") from err
    return {"toolUse": {"toolUseId": str(call.get("id") or ""), "name": function["name"], "input": arguments}}


def _tool_result(message: Mapping[str, Any], param: str) -> dict[str, Any]:
    call_id = message.get("tool_call_id")
    if not isinstance(call_id, str):
        raise InvalidRequest("a tool's message needs its tool_call_id", param=f"{param}.tool_call_id")
    text = text_of(message.get("content"), f"{param}.content")
    return {"toolResult": {"toolUseId": call_id, "content": [{"text": text if text.strip() else NOTHING}]}}
