"""What a model on Bedrock says of itself when it refuses a request that an engine of the same model takes."""

import re
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar

from spillway.domain.paths.converse_families import UNKNOWN, Family, Lack
from spillway.gateway.errors import UpstreamRejected
from spillway.gateway.upstream import UpstreamStream

FittedT = TypeVar("FittedT")

# "The maximum tokens you requested exceeds the model limit of 2048. Try again with …"
_MOST_TOKENS = re.compile(r"maximum tokens .* model limit of (\d+)")
# "This model doesn't support the toolConfig.toolChoice.any field. Remove toolConfig.toolChoice.any and try again."
_NO_FIELD = re.compile(r"doesn't support the ([\w.\[\]]+) field")
# The end of a field's name, in the refusal of it.
_FIELDS = {
    "stopSequences": (Lack.STOP,),
    "toolChoice": (Lack.ANY_TOOL, Lack.NAMED_TOOL),
    "any": (Lack.ANY_TOOL,),
    "tool": (Lack.NAMED_TOOL,),
    "outputConfig": (Lack.SCHEMA,),
    "textFormat": (Lack.SCHEMA,),
    "strict": (Lack.STRICT,),
    "system": (Lack.SYSTEM,),
    "serviceTier": (Lack.TIERS,),
    "additionalModelRequestFields": (Lack.EFFORT,),
}
# What has sentences of its own; the first that is found counts.
_SENTENCES = (
    ("tool use in streaming mode", Lack.TOOLS_IN_STREAMS),
    ("doesn't support tool use", Lack.TOOLS),
    ("doesn't support system messages", Lack.SYSTEM),
    ("cannot be provided in the same turn", Lack.TEXT_BESIDE_RESULTS),
    ("doesn't support the text content block in toolResult", Lack.TEXT_IN_RESULTS),
    ("service tier is not supported", Lack.TIERS),
    (".strict: Extra inputs are not permitted", Lack.STRICT),
    ("extraneous key [reasoning_", Lack.EFFORT),
)
_OPENAI_LIMITS = ("max_completion_tokens", "max_tokens", "max_output_tokens")


@dataclass
class Lessons:
    """``most_tokens`` is the highest limit of an answer that the model takes, None while it has not said so.

    ``lacks`` is what Converse can't ask of it: what its family is known for, and what it has refused.
    """

    family: Family = UNKNOWN
    most_tokens: int | None = None
    lacks: frozenset[Lack] = field(init=False)

    def __post_init__(self) -> None:
        self.lacks = self.family.lacks

    def learn(self, refusal: str) -> None:
        """Take what a refusal tells."""
        if found := _MOST_TOKENS.search(refusal):
            self.most_tokens = min(int(found[1]), self.most_tokens or int(found[1]))
        self.lacks |= frozenset(_lacks_in(refusal))

    def fitted(self, config: dict[str, Any]) -> dict[str, Any]:
        """Return an inferenceConfig as the model takes it."""
        return self._within(config, ("maxTokens",))

    def fitted_openai(self, body: dict[str, Any]) -> dict[str, Any]:
        """Return a request in OpenAI's form as the model takes it."""
        return self._within(body, _OPENAI_LIMITS)

    def _within(self, fields: dict[str, Any], limits: tuple[str, ...]) -> dict[str, Any]:
        """Return the fields with those limits lowered that are above what the model takes."""
        most = self.most_tokens
        if most is None:
            return fields
        return fields | {name: most for name in limits if isinstance(asked := fields.get(name), int) and asked > most}


async def open_learning(
    lessons: Lessons, fit: Callable[[], FittedT], send: Callable[[FittedT], Awaitable[UpstreamStream]]
) -> UpstreamStream:
    """Send what ``fit`` makes of a request by what was learnt, again while a refusal teaches something that changes it.

    Raises what the last refusal means.
    """
    fitted = fit()
    while True:
        try:
            return await send(fitted)
        except UpstreamRejected as err:
            lessons.learn(err.message)
            # Another request may have learnt it first: what counts is whether this one would be sent otherwise.
            refused, fitted = fitted, fit()
            if fitted == refused:
                raise


def _lacks_in(refusal: str) -> Iterator[Lack]:
    if found := _NO_FIELD.search(refusal):
        yield from _FIELDS.get(found[1].rpartition(".")[2], ())
    for sentence, lack in _SENTENCES:
        if sentence in refusal:
            yield lack
            return
