"""The content of one OpenAI message as Converse's content blocks."""

import re
from collections.abc import Mapping
from typing import Any

import orjson

from spillway.domain.errors import InvalidRequest
from spillway.domain.paths.converse_families import Lack

# Only inlined images: a URL would have to be fetched from in here, and could name any private address.
_IMAGE = re.compile(r"data:image/(png|jpeg|jpg|gif|webp);base64,([A-Za-z0-9+/=\s]+)")
_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")

# Stands where OpenAI's form allows nothing at all: Converse refuses texts without a visible character.
NOTHING = "(empty)"


def text_of(content: Any, param: str) -> str:
    """Return content that can only be text, its parts joined."""
    return "\n".join(_text(part, param) for part in _listed(content, param))


def parts_of(message: Mapping[str, Any], param: str, lacks: frozenset[Lack]) -> list[dict[str, Any]]:
    """Return the blocks of a user's or an assistant's content; blank texts are left out."""
    blocks = _parts(message.get("content"), f"{param}.content", may_show=Lack.IMAGES not in lacks)
    if message.get("audio"):
        raise InvalidRequest("the model that answers now hears nothing", param=f"{param}.audio")
    refusal = message.get("refusal")
    if isinstance(refusal, str) and refusal.strip():
        blocks.append({"text": refusal})
    return blocks


def result_content(message: Mapping[str, Any], param: str, lacks: frozenset[Lack]) -> list[dict[str, Any]]:
    """Return what a tool's message says, as the content of a result."""
    parts = _parts(message.get("content"), f"{param}.content", may_show=Lack.IMAGES_IN_RESULTS not in lacks)
    return result_of(parts or [{"text": NOTHING}], lacks)


def result_of(parts: list[dict[str, Any]], lacks: frozenset[Lack]) -> list[dict[str, Any]]:
    """Return parts as a result's content: for models that take no text there, as a JSON object."""
    if Lack.TEXT_IN_RESULTS not in lacks:
        return parts
    return [{"json": _object(part["text"], "result")} if "text" in part else part for part in parts]


def tool_use(call: Any, param: str) -> dict[str, Any]:
    """Return a call without its id; arguments that are no JSON object, as models write at times, are put into one."""
    function = call.get("function") if isinstance(call, dict) else None
    if not isinstance(function, dict):
        raise InvalidRequest("a tool call needs a function with a name", param=param, code="invalid_type")
    name = tool_name(function.get("name"), f"{param}.function.name")
    arguments = function.get("arguments")
    if isinstance(arguments, str):
        arguments = _object(arguments, "arguments") if arguments.strip() else {}
    elif arguments is None:
        arguments = {}
    elif not isinstance(arguments, dict):
        raise InvalidRequest("arguments must be JSON", param=f"{param}.function.arguments", code="invalid_type")
    return {"name": name, "input": arguments}


def tool_name(name: Any, param: str) -> str:
    """Return a tool's name; raises InvalidRequest for one that neither OpenAI nor Converse takes."""
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise InvalidRequest(
            "a tool's name has 1 to 64 letters, digits, underscores and hyphens", param=param, code="invalid_type"
        )
    return name


def _object(text: str, name: str) -> dict[str, Any]:
    """Return the JSON object that a text is, or one that has the text, or what it stands for, under a name."""
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        value = text
    return value if isinstance(value, dict) else {name: value}


def _parts(content: Any, param: str, *, may_show: bool) -> list[dict[str, Any]]:
    blocks = []
    for index, part in enumerate(_listed(content, param)):
        where = f"{param}.{index}"
        if part.get("type") == "image_url":
            if not may_show:
                raise InvalidRequest("the model that answers now takes no images here", param=where)
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
    data = "".join(found[2].split()) if found else ""
    if found is None or len(data) % 4:
        raise InvalidRequest(
            "send images as data: URLs (png, jpeg, gif or webp in base64); addresses are not fetched", param=param
        )
    form = "jpeg" if found[1] == "jpg" else found[1]
    return {"image": {"format": form, "source": {"bytes": data}}}
