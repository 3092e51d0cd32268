"""What a request may use at the most, before anybody has answered it."""

from dataclasses import dataclass, replace
from typing import Any

from spillway.gateway.request.media import other_parts
from spillway.gateway.upstream import UpstreamRequest

# What a request without a limit of its own is limited to when its key has limits: they can't be kept otherwise. A text
# completion's is OpenAI's and the engines' own default.
_DEFAULTS = {"chat/completions": 4096, "completions": 16, "responses": 4096, "embeddings": 0}
# Byte-level vocabularies have no token shorter than a byte; the rest is for what a chat template adds by itself.
_TEMPLATE_TOKENS = 256
_BYTES_PER_TOKEN = 4
# An image or another part that is not text, at most and as a rule.
_PART_TOKENS_AT_MOST = 4096
_PART_TOKENS = 1024

_FIELDS = {
    "chat/completions": ("max_completion_tokens", "max_tokens"),
    "completions": ("max_tokens",),
    "responses": ("max_output_tokens",),
    "embeddings": (),
}
_CAPPED_BY = {"chat/completions": "max_tokens", "completions": "max_tokens", "responses": "max_output_tokens"}


@dataclass(frozen=True)
class Need:
    """Tokens: of the prompt at the most and probably, of all completions together at the most.

    ``cap`` is the body's field and value that holds the upstream to it, None when the request has one of its own.
    """

    prompt_at_most: int
    prompt_likely: int
    completion: int
    cap: tuple[str, int] | None

    def capped(self, request: UpstreamRequest) -> UpstreamRequest:
        """Return the request with the limit that it lacks."""
        if self.cap is None:
            return request
        field, value = self.cap
        return replace(request, body=request.body | {field: value})


def need_of(request: UpstreamRequest, context_length: int | None) -> Need:
    """Return what a request may use of a model with this context."""
    body, fields = request.body, _FIELDS.get(request.endpoint, ())
    parts = sum(1 for _ in other_parts(body))
    asked = next((value for field in fields if (value := _positive(body.get(field)))), None)
    at_most = request.size + _TEMPLATE_TOKENS + parts * _PART_TOKENS_AT_MOST
    likely = request.size // _BYTES_PER_TOKEN + 1 + parts * _PART_TOKENS
    longest = asked or _DEFAULTS[request.endpoint]
    if context_length is not None:
        longest = min(longest, context_length if asked else _room(context_length, at_most, likely))
    return Need(
        prompt_at_most=at_most,
        prompt_likely=likely,
        completion=longest * _answers(body),
        cap=(_CAPPED_BY[request.endpoint], longest) if fields and asked is None else None,
    )


def _room(context_length: int, at_most: int, likely: int) -> int:
    """Return what surely fits beside the prompt, or else half of what likely does.

    Engines refuse a prompt and a limit that are more than the context together, and answer the same prompt without one.
    """
    return max(context_length - at_most, (context_length - likely) // 2, 1)


def _positive(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None


def _answers(body: dict[str, Any]) -> int:
    """Return how many completions a request asks for: choices, for each prompt of a list of them."""
    prompt = body.get("prompt")
    several = isinstance(prompt, list) and prompt and isinstance(prompt[0], str | list)
    each = max(_positive(body.get("n")) or 1, _positive(body.get("best_of")) or 1)
    return each * (len(prompt) if several and isinstance(prompt, list) else 1)
