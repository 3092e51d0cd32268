"""What the emulated models say, and how many tokens that is: the same for the same prompt, every time."""

import json
import zlib
from collections.abc import Iterable, Mapping
from typing import Any

CHARACTERS_PER_TOKEN = 4
TOKENS_PER_MESSAGE = 4
_REMEMBERED_WORDS = 64


def count_tokens(text: str) -> int:
    """Return a text's tokens: one for every started four characters."""
    return -(-len(text) // CHARACTERS_PER_TOKEN)


def count_chat_tokens(messages: Iterable[Mapping[str, Any]]) -> int:
    """Return a conversation's prompt tokens: its texts, and four more for every message."""
    return sum(TOKENS_PER_MESSAGE + count_tokens(message_text(message)) for message in messages)


def message_text(message: Mapping[str, Any]) -> str:
    """Return a chat message's text, from a plain string, OpenAI's parts or Converse's content blocks."""
    content = message.get("content")
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    return " ".join(part["text"] for part in parts if isinstance(part, dict) and isinstance(part.get("text"), str))


def wording_for(prompt: str) -> "Wording":
    """Return how a prompt is answered: who asks in words for one JSON object gets one."""
    return OneObject(prompt) if "one json object" in prompt.lower() else Wording(prompt)


class Wording:
    """The endless answer to one prompt: the prompt's own last words in a circle, one word a token."""

    def __init__(self, prompt: str) -> None:
        self._words = prompt[-4096:].split()[-_REMEMBERED_WORDS:] or ["nothing"]
        self._first = zlib.crc32(prompt.encode()) % len(self._words)

    def text(self, start: int, stop: int, choice: int = 0) -> str:
        """Return the tokens from ``start`` up to ``stop``; consecutive pieces join to the whole."""
        circle, offset = self._words, self._first + choice
        joined = " ".join(circle[(offset + position) % len(circle)] for position in range(start, stop))
        return f" {joined}" if start and joined else joined


class OneObject(Wording):
    """A JSON object of one token, whatever else the prompt was."""

    def text(self, start: int, stop: int, choice: int = 0) -> str:
        """Return all of it with its first token."""
        return json.dumps({"answer": super().text(0, 1, choice)}) if start == 0 and stop else ""
