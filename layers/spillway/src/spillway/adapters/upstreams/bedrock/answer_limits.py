"""The limit of an answer whose client set none: Bedrock takes a request's limit off the token quota when it begins.

Without one it takes the model's longest answer off (Bedrock's user guide, "How tokens are counted"), so that a few
requests at once use up a minute's quota which their answers would hardly touch. What the answers did not use comes back
at their end. TGI and older containers of LMI end an answer without a limit after a few dozen tokens.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeAlias, assert_never

from spillway.domain.paths.bedrock_models import bedrock_model
from spillway.domain.paths.containers import protocol_of
from spillway.domain.paths.targets import BedrockTarget, FleetTarget, ImportedTarget, SageMakerTarget, Target
from spillway.gateway.upstream import Endpoint, UpstreamRequest

Heard: TypeAlias = Callable[[int], str | None]

# Never less, whatever answers used so far: 24 requests at once on a quota of 100,000 tokens a minute.
FLOOR = 4_096
# On containers, which refuse what does not fit their context: as a rule of 4,096 tokens and more.
_ON_CONTAINERS = 1_024
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


def _no_answers(target: Target) -> _Answers | None:
    """Return what is known of a target before its first answer, None of one whose answers need no limit."""
    match target:
        case BedrockTarget():
            model = bedrock_model(target.known_id)
            may_think = model is None or model.reasons
            return _Answers(FIRST_WITH_THOUGHTS if may_think else FLOOR, FLOOR, model.most_output if model else None)
        case ImportedTarget():
            # It has no quota of tokens: a lower limit would gain nothing.
            return _Answers(FIRST_WITH_THOUGHTS, FIRST_WITH_THOUGHTS, None)
        case SageMakerTarget():
            protocol = protocol_of(target.framework, target.version)
            cuts = protocol is not None and protocol.cuts_answers
            return _Answers(_ON_CONTAINERS, _ON_CONTAINERS, None) if cuts else None
        case FleetTarget():
            return None
        case _:
            assert_never(target)


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
        """Return the request with a limit; None for one with its own, and where a target needs none."""
        fields = _FIELDS.get(request.endpoint, ())
        if not fields or any(request.body.get(field) is not None for field in fields):
            return None
        key = (request.deployment, target)
        answers = self._answers.get(key) or _no_answers(target)
        if answers is None:
            return None
        self._answers[key] = answers
        limit = _TEXT_COMPLETION if request.endpoint == "completions" else request.default_max_tokens
        fixed = limit is not None
        if limit is None:
            limit = answers.limit()

        def heard(tokens: int) -> str | None:
            if not fixed and tokens:
                answers.add(tokens)
            return f"ended at Spillway's limit of {limit} tokens" if tokens >= limit else None

        return Limited(replace(request, body=request.body | {fields[-1]: limit}), heard, answers.refuse)
