"""What says that two requests are of one conversation, so that a fleet can lead both to the engine that knows it."""

from collections.abc import Iterator
from hashlib import blake2b
from itertools import islice
from typing import Any

from spillway.gateway.upstream import UpstreamRequest

# What clients name a conversation or its user by, the narrowest first; OpenAI replaces ``user`` by the other two.
_NAMED = ("prompt_cache_key", "user", "safety_identifier")
# Enough of a text to tell conversations apart, little enough to cost nothing beside reading the body.
_CHARACTERS = 2048
_TOKENS = 512
_OPENING_MESSAGES = 8
_PARTS = 8


def affinity_of(request: UpstreamRequest) -> str | None:
    """Return 16 hex digits that a conversation's requests share and that do not tell its text.

    They are a hash of what the client named, or else of how the prompt begins: instructions, system and developer
    messages and the first message after them, which no later turn changes. None where no prefix is worth finding again.
    """
    if request.endpoint in ("embeddings", "rerank"):
        return None
    named = next((f"{name}:{value}" for name in _NAMED if (value := _text(request.body.get(name)))), None)
    opening = named or "\n".join(filter(None, _opening(request.body)))
    if not opening:
        return None
    return blake2b(opening.encode(errors="surrogatepass"), digest_size=8).hexdigest()


def _opening(body: dict[str, Any]) -> Iterator[str]:
    """Yield the beginning of a prompt, whichever endpoint's."""
    yield _text(body.get("instructions"))
    prompt = body.get("messages") or body.get("input") or body.get("prompt")
    if not isinstance(prompt, list):
        yield _text(prompt)
    elif isinstance(prompt[0], dict):
        yield from _first_messages(prompt)
    elif isinstance(prompt[0], int):
        yield str(prompt[:_TOKENS])
    else:
        # Several prompts in one request go to one engine: the first stands for them.
        yield _text(prompt[0]) or str(prompt[0][:_TOKENS] if isinstance(prompt[0], list) else "")


def _first_messages(messages: list[Any]) -> Iterator[str]:
    for message in islice(messages, _OPENING_MESSAGES):
        if not isinstance(message, dict):
            return
        role = message.get("role")
        yield _text(role)
        yield from _contents(message.get("content"))
        if role not in ("system", "developer"):
            return


def _contents(content: Any) -> Iterator[str]:
    """Yield a message's text: a string, or the parts' text, or an image's address."""
    if not isinstance(content, list):
        yield _text(content)
        return
    for part in islice(content, _PARTS):
        if isinstance(part, dict):
            image = part.get("image_url")
            yield _text(part.get("text"))
            yield _text(image.get("url") if isinstance(image, dict) else image)


def _text(value: Any) -> str:
    return value[:_CHARACTERS] if isinstance(value, str) else ""
