"""What a model thought, told apart from its text where it is written into it between tags.

gpt-oss does so on the endpoint for chats that Bedrock has in OpenAI's form; elsewhere ``reasoning`` comes beside
``content``.
"""

from collections import defaultdict
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

import orjson

from spillway.adapters.upstreams.held_back import begun_length
from spillway.gateway.streaming.reasoning import REASONING
from spillway.gateway.streaming.sse import events, parsed, payload

_BEGIN, _END = "<reasoning>", "</reasoning>"


class _Place(Enum):
    BEFORE = auto()
    INSIDE = auto()
    BETWEEN = auto()
    BEHIND = auto()


@dataclass
class _Text:
    """One choice's text so far: where it has come to, and what may be a part of a tag."""

    place: _Place = _Place.BEFORE
    held: str = ""

    def split(self, more: str, *, last: bool) -> tuple[str, str]:
        """Return what was thought and what was said of ``more`` and what was held; ``last`` holds nothing back."""
        self.held += more
        if self.place is _Place.BEFORE:
            self._begin(last=last)
        thought = self._thought(last=last) if self.place is _Place.INSIDE else ""
        if self.place is _Place.BETWEEN and (text := self.held.lstrip()):
            self.place, self.held = _Place.BEHIND, text
        if self.place is not _Place.BEHIND:
            return thought, ""
        said, self.held = self.held, ""
        return thought, said

    def _begin(self, *, last: bool) -> None:
        text = self.held.lstrip()
        if text.startswith(_BEGIN):
            self.place, self.held = _Place.INSIDE, text.removeprefix(_BEGIN)
        elif last or not _BEGIN.startswith(text):
            self.place = _Place.BEHIND

    def _thought(self, *, last: bool) -> str:
        thought, end, rest = self.held.partition(_END)
        if end:
            self.place, self.held = _Place.BETWEEN, rest
            return thought
        kept = 0 if last else begun_length(thought, (_END,))
        self.held = thought[len(thought) - kept :]
        return thought[: len(thought) - kept]


async def apart_in_stream(blocks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yield a stream's events with thoughts under their name; behind them, blocks pass as they are."""
    texts: dict[int, _Text] = defaultdict(_Text)
    async for block in blocks:
        if texts and all(text.place is _Place.BEHIND for text in texts.values()):
            yield block
        elif told := b"".join(_event(event, texts) for event in events(block)):
            yield told


async def apart_in_answer(blocks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yield a whole answer's body with thoughts under their name."""
    body = b"".join([block async for block in blocks])
    answer = parsed(body)
    if answer is None or not isinstance(answer.get("choices"), list):
        yield body
        return
    choices = [_choice(choice, "message", _Text(), last=True) for choice in answer["choices"]]
    yield orjson.dumps(answer | {"choices": choices})


def _event(event: bytes, texts: dict[int, _Text]) -> bytes:
    chunk = parsed(payload(event))
    if chunk is None or not isinstance(chunk.get("choices"), list) or not chunk["choices"]:
        return event + b"\n\n"
    choices = [
        _choice(choice, "delta", texts[choice.get("index", 0)], last=choice.get("finish_reason") is not None)
        for choice in chunk["choices"]
    ]
    if not any(choice.get("delta") or choice.get("finish_reason") for choice in choices) and not chunk.get("usage"):
        return b""
    return b"data: " + orjson.dumps(chunk | {"choices": choices}) + b"\n\n"


def _choice(choice: Mapping[str, Any], part: str, text: _Text, *, last: bool) -> dict[str, Any]:
    message = choice.get(part) or {}
    if message.get("content") is None and not text.held:
        return dict(choice)
    thought, said = text.split(message.get("content") or "", last=last)
    kept = {name: value for name, value in message.items() if name != "content"}
    # A stream's pieces have what they say, and no more.
    content = {"content": said} if said or part == "message" or "role" in message else {}
    return {**choice, part: kept | content | ({REASONING: thought} if thought else {})}
