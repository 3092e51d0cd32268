"""What a stream said, put together from its events."""

from collections.abc import Iterator
from typing import Any

import orjson

from spillway.gateway.streaming.sse import events, parsed, payload

_DELTA = ".delta"


def transcript(wire: bytes) -> bytes:
    """Return a stream's pieces as JSON: a list of ``{kind, index, text}``, neighbours of one kind and index as one."""
    pieces: list[tuple[str, int, list[str]]] = []
    for event in events(wire):
        for kind, index, text in _pieces(parsed(payload(event)) or {}):
            if pieces and pieces[-1][:2] == (kind, index):
                pieces[-1][2].append(text)
            else:
                pieces.append((kind, index, [text]))
    return orjson.dumps([{"kind": kind, "index": index, "text": "".join(texts)} for kind, index, texts in pieces])


def _pieces(event: dict[str, Any]) -> Iterator[tuple[str, int, str]]:
    kind, delta = event.get("type"), event.get("delta")
    if isinstance(kind, str) and kind.endswith(_DELTA) and isinstance(delta, str):
        yield kind.removesuffix(_DELTA), _index(event, "output_index"), delta
    if event.get("error"):
        yield "error", 0, orjson.dumps(event["error"]).decode()
    choices = event.get("choices")
    for choice in choices if isinstance(choices, list) else ():
        if isinstance(choice, dict):
            yield from _of_choice(choice, _index(choice, "index"))


def _of_choice(choice: dict[str, Any], index: int) -> Iterator[tuple[str, int, str]]:
    if isinstance(choice.get("text"), str):
        yield "text", index, choice["text"]
    delta = choice.get("delta")
    for field, value in delta.items() if isinstance(delta, dict) else ():
        if isinstance(value, str) and field != "role":
            yield field, index, value
        elif field == "tool_calls" and isinstance(value, list):
            for call in value:
                yield from _of_call(call)


def _of_call(call: Any) -> Iterator[tuple[str, int, str]]:
    function = call.get("function") if isinstance(call, dict) else None
    if not isinstance(function, dict):
        return
    for field in ("name", "arguments"):
        if isinstance(function.get(field), str):
            yield f"tool_calls.{field}", _index(call, "index"), function[field]


def _index(fields: dict[str, Any], name: str) -> int:
    value = fields.get(name)
    return value if isinstance(value, int) else 0
