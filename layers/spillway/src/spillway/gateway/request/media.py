"""The parts of a request that are not text: their tokens have nothing to do with their bytes."""

from collections.abc import Iterator
from typing import Any

_TEXT = ("text", "input_text", "output_text", "refusal")
# Where such a part has its media inlined: in itself, or in the object that bears its type's name.
_INLINED = ("image_url", "url", "data", "file_data")


def other_parts(body: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the parts of a request's messages that are not text."""
    messages = body.get("messages") or body.get("input")
    for message in messages if isinstance(messages, list) else ():
        content = message.get("content") if isinstance(message, dict) else None
        for part in content if isinstance(content, list) else ():
            if isinstance(part, dict) and part.get("type") not in _TEXT:
                yield part


def inlined_bytes(body: dict[str, Any]) -> int:
    """Return how much of a request is media, in bytes."""
    return sum(_inlined(part) for part in other_parts(body))


def _inlined(part: dict[str, Any]) -> int:
    kind = part.get("type")
    inner = part.get(kind) if isinstance(kind, str) else None
    fields = part | inner if isinstance(inner, dict) else part
    return sum(len(value) for name in _INLINED if isinstance(value := fields.get(name), str))
