"""The limit of an answer whose client set none: Bedrock takes a request's limit off the token quota when it begins.

Without one it takes the model's longest answer off (Bedrock's user guide, "How tokens are counted"), so that a few
requests at once use up a minute's quota which their answers would hardly touch. What the answers did not use comes back
at their end.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeAlias

from spillway.domain.paths.bedrock_models import bedrock_model
from spillway.domain.paths.targets import BedrockTarget, ImportedTarget, Target
from spillway.gateway.upstream import Endpoint, UpstreamRequest

Heard: TypeAlias = Callable[[int], str | None]

# Never less, whatever answers used so far: 24 requests at once on a quota of 100,000 tokens a minute.
FLOOR = 4_096
# Where thoughts come first, or nobody knows whether they do, until a few answers have shown what they need.
FIRST_WITH_THOUGHTS = 16_384
ANSWERS_THAT_SHOW = 20
# Twice the longest answer: one that ended at our limit raises the next one's to twice as much.
HEADROOM = 2.0
# The longest answer is forgotten by half over some 140 answers.
_REMEMBERED = 0.995
# OpenAI's default for text completions: an answer must not grow because it went to Bedrock.
_TEXT_COMPLETION = 16

# vLLM's "This model's maximum context length is 8192 tokens. However, …"
_CONTEXT = re.compile(r"maximum context length is (\d+)")

_ON_BEDROCK = (BedrockTarget, ImportedTarget)
_FIELDS: dict[Endpoint, tuple[str, ...]] = {
    "chat/completions": ("max_completion_tokens", "max_tokens"),
    "completions": ("max_tokens",),
    "responses": ("max_output_tokens",),
}


@dataclass
class _Answers:
    """What one deployment's answers on one target used.

    ``first`` is the least limit until a few answers have shown what they need, ``floor`` the least from then on, and
    ``most`` what the model, or its context, leaves a limit.
    """

    first: int
    floor: int
    most: int | None
    longest: float = 0.0
    count: int = 0

    def add(self, tokens: int) -> None:
        """Take an answer's tokens, thoughts included."""
        self.longest = max(float(tokens), self.longest * _REMEMBERED)
        self.count += 1

    def refuse(self, said: str) -> None:
        """Take an engine's word that the limit did not fit its context: the prompt may have half of that."""
        if found := _CONTEXT.search(said):
            self.most = min(int(found[1]) // 2, self.most or int(found[1]))

    def limit(self) -> int:
        """Return the limit of the next answer."""
        limit = max(self.first if self.count < ANSWERS_THAT_SHOW else self.floor, int(HEADROOM * self.longest))
        return limit if self.most is None else min(limit, self.most)


def _no_answers(target: BedrockTarget | ImportedTarget) -> _Answers:
    if isinstance(target, ImportedTarget):
        # It has no quota of tokens: a lower limit would gain nothing.
        return _Answers(FIRST_WITH_THOUGHTS, FIRST_WITH_THOUGHTS, None)
    model = bedrock_model(target.known_id)
    may_think = model is None or model.reasons
    return _Answers(FIRST_WITH_THOUGHTS if may_think else FLOOR, FLOOR, model.most_output if model else None)


@dataclass(frozen=True)
class Limited:
    """A request with the limit that it lacked.

    ``heard`` takes the tokens of its answer, ``refused`` what it was refused with.
    """

    request: UpstreamRequest
    heard: Heard
    refused: Callable[[str], None]


class AnswerLimits:
    """Learns by deployment and target, in this process alone."""

    def __init__(self) -> None:
        self._answers: dict[tuple[str, Target], _Answers] = {}

    def limited(self, target: Target, request: UpstreamRequest) -> Limited | None:
        """Return the request with a limit; None for one with its own, and where no limit counts against a quota."""
        fields = _FIELDS.get(request.endpoint, ())
        if not isinstance(target, _ON_BEDROCK) or not fields:
            return None
        if any(request.body.get(field) is not None for field in fields):
            return None
        key = (request.deployment, target)
        if (answers := self._answers.get(key)) is None:
            answers = self._answers[key] = _no_answers(target)
        limit = _TEXT_COMPLETION if request.endpoint == "completions" else request.default_max_tokens
        fixed = limit is not None
        if limit is None:
            limit = answers.limit()

        def heard(tokens: int) -> str | None:
            if not fixed and tokens:
                answers.add(tokens)
            return f"ended at Spillway's limit of {limit} tokens" if tokens >= limit else None

        return Limited(replace(request, body=request.body | {fields[-1]: limit}), heard, answers.refuse)
