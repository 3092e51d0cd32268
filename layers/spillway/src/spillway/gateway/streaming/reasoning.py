"""One name for what a model thought, whoever answers: ``reasoning``.

Engines of today and Converse's mapping say it so. Older ones say ``reasoning_content``, some of them both.
"""

from collections.abc import Mapping
from typing import Any

import orjson

from spillway.gateway.streaming.sse import events, parsed, payload

REASONING = "reasoning"
_OLD = "reasoning_content"
# Inside a JSON string the quotes are escaped, so that generated text never looks like it.
_MARK = b'"reasoning_content"'


def reasoning_in(message: Mapping[str, Any]) -> str:
    """Return what the model thought, by either name, of a message or a delta."""
    return message.get(REASONING) or message.get(_OLD) or ""


def renamed_events(block: bytes) -> bytes:
    """Return whole events with the one name; the same bytes where the old one is not in them."""
    if _MARK not in block:
        return block
    return b"".join(_renamed(event) + b"\n\n" for event in events(block))


def renamed_answer(body: bytes, answer: dict[str, Any]) -> dict[str, Any]:
    """Return a whole answer with the one name; the same object where the old one is not in its ``body``."""
    return _with_the_name(answer, "message") if _MARK in body else answer


def _renamed(event: bytes) -> bytes:
    chunk = parsed(payload(event)) if _MARK in event else None
    return event if chunk is None else b"data: " + orjson.dumps(_with_the_name(chunk, "delta"))


def _with_the_name(answer: dict[str, Any], part: str) -> dict[str, Any]:
    choices = answer.get("choices")
    if not isinstance(choices, list):
        return answer
    return {**answer, "choices": [_choice(choice, part) for choice in choices]}


def _choice(choice: Any, part: str) -> Any:
    said = choice.get(part) if isinstance(choice, dict) else None
    if not isinstance(said, dict) or _OLD not in said:
        return choice
    thought = said.get(REASONING) if said.get(REASONING) is not None else said[_OLD]
    return {**choice, part: {**{name: value for name, value in said.items() if name != _OLD}, REASONING: thought}}
