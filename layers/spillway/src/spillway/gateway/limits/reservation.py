"""What a request may use at the most, before anybody has answered it, and what it did use if nobody ever says."""

from dataclasses import dataclass, replace
from typing import Any

from spillway.domain.capabilities.card import Card
from spillway.domain.capabilities.demand import Demand
from spillway.domain.paths.path import is_billed_by_token
from spillway.gateway.request.media import other_parts
from spillway.gateway.streaming.usage import Usage
from spillway.gateway.upstream import UpstreamRequest

# What a request without a limit of its own is limited to when its key has limits: they can't be kept otherwise. A text
# completion's is OpenAI's and the engines' own default.
_DEFAULTS = {"chat/completions": 4096, "completions": 16, "responses": 4096, "embeddings": 0, "rerank": 0}
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
    "rerank": (),
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

    def made_up(self, demand: Demand, *cards: Card) -> "Need":
        """Return the need with all requests that a target's lack makes of one, as the target does that needs most."""
        reads, writes = zip(*map(demand.repeats, cards), strict=True)
        return replace(
            self,
            prompt_at_most=self.prompt_at_most * max(reads),
            prompt_likely=self.prompt_likely * max(reads),
            completion=self.completion * max(writes),
        )

    def capped(self, request: UpstreamRequest) -> UpstreamRequest:
        """Return the request with the limit that it lacks."""
        if self.cap is None:
            return request
        field, value = self.cap
        return replace(request, body=request.body | {field: value})


def need_of(request: UpstreamRequest, context_length: int | None) -> Need:
    """Return what a request may use of a model with this context."""
    body, asked = request.body, _asked(request)
    at_most = request.size + _repeated(request) + _TEMPLATE_TOKENS + _parts(request) * _PART_TOKENS_AT_MOST
    likely = _likely(request)
    longest = asked or _DEFAULTS[request.endpoint]
    if context_length is not None:
        longest = min(longest, context_length if asked else _room(context_length, at_most, likely))
    return Need(
        prompt_at_most=at_most,
        prompt_likely=likely,
        completion=longest * _answers(body),
        cap=(_CAPPED_BY[request.endpoint], longest) if asked is None and request.endpoint in _CAPPED_BY else None,
    )


def usage_so_far(request: UpstreamRequest, chunks: int) -> Usage:
    """Return a guess for a stream that ends before its upstream has counted: a token a chunk."""
    return Usage(prompt=_likely(request), completion=chunks, estimated=True)


def usage_unheard(request: UpstreamRequest, path: str) -> Usage:
    """Return what is counted of a request that ``path`` was sent and whose client left before its answer began.

    What bills by the token generates an unstreamed answer to its end, whether anybody waits for it or not: as much as
    was asked for may be on the bill. Engines stop with the connection, and of a stream nothing has come.
    """
    goes_on = is_billed_by_token(path) and not request.stream
    longest = (_asked(request) or 0) if goes_on else 0
    return Usage(prompt=_likely(request), completion=longest * _answers(request.body), estimated=True)


def _asked(request: UpstreamRequest) -> int | None:
    """Return the limit that a request names; of two fields the larger, since upstreams differ in which they read."""
    return max(filter(None, map(request.body.get, _FIELDS[request.endpoint])), default=None)


def _parts(request: UpstreamRequest) -> int:
    return sum(1 for _ in other_parts(request.body))


def _likely(request: UpstreamRequest) -> int:
    return (request.size + _repeated(request)) // _BYTES_PER_TOKEN + 1 + _parts(request) * _PART_TOKENS


def _repeated(request: UpstreamRequest) -> int:
    """Return the bytes that a model reads again for each document of a ranking: the query, and a template at most."""
    if request.endpoint != "rerank":
        return 0
    return (len(request.body["query"].encode()) + _TEMPLATE_TOKENS) * len(request.body["documents"])


def _room(context_length: int, at_most: int, likely: int) -> int:
    """Return what surely fits beside the prompt, or else half of what likely does.

    Engines refuse a prompt and a limit that are more than the context together, and answer the same prompt without one.
    """
    return max(context_length - at_most, (context_length - likely) // 2, 1)


def _answers(body: dict[str, Any]) -> int:
    """Return how many completions a request asks for: choices, for each prompt of a list of them.

    That they are whole numbers above 0 is held where the body is read (request/counts.py).
    """
    prompt = body.get("prompt")
    several = isinstance(prompt, list) and prompt and isinstance(prompt[0], str | list)
    each = max(body.get("n") or 1, body.get("best_of") or 1)
    return each * (len(prompt) if several and isinstance(prompt, list) else 1)
