"""Token counts, as upstreams report them."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Usage:
    """Tokens of one request; those that were ``cached`` are part of the prompt's, ``reasoning`` of the completion's.

    ``estimated`` when the upstream never got to report them (the client hung up, or it broke off).
    """

    prompt: int = 0
    completion: int = 0
    cached: int = 0
    estimated: bool = False
    reasoning: int = 0

    @property
    def total(self) -> int:
        """Prompt and completion together."""
        return self.prompt + self.completion


def usage_of(answer: dict[str, Any]) -> Usage | None:
    """Return the usage that an OpenAI-shaped answer or chunk carries, None when it carries none."""
    usage = answer.get("usage")
    if not isinstance(usage, dict):
        return None
    if "input_tokens" in usage:
        return _of_a_response(usage)
    return Usage(
        _count(usage, "prompt_tokens"),
        _count(usage, "completion_tokens"),
        cached=_detail(usage, "prompt_tokens_details", "cached_tokens"),
        reasoning=_detail(usage, "completion_tokens_details", "reasoning_tokens"),
    )


def _of_a_response(usage: dict[str, Any]) -> Usage:
    return Usage(
        _count(usage, "input_tokens"),
        _count(usage, "output_tokens"),
        cached=_detail(usage, "input_tokens_details", "cached_tokens"),
        reasoning=_detail(usage, "output_tokens_details", "reasoning_tokens"),
    )


def _detail(usage: dict[str, Any], details: str, name: str) -> int:
    fields = usage.get(details)
    return _count(fields, name) if isinstance(fields, dict) else 0


def _count(fields: dict[str, Any], name: str) -> int:
    value = fields.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0
