"""What a model on Bedrock says of itself when it refuses a request that an engine of the same model takes."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

from spillway.gateway.errors import UpstreamRejected
from spillway.gateway.upstream import UpstreamStream

# A request to Converse, and whether its answer may be streamed.
Fitted: TypeAlias = tuple[dict[str, Any], bool]
FittedT = TypeVar("FittedT")

# "The maximum tokens you requested exceeds the model limit of 2048. Try again with …"
_MOST_TOKENS = re.compile(r"maximum tokens .* model limit of (\d+)")
# "This model doesn't support tool use in streaming mode."
_NO_TOOLS_IN_STREAMS = "tool use in streaming mode"
_OPENAI_LIMITS = ("max_completion_tokens", "max_tokens", "max_output_tokens")


@dataclass
class Lessons:
    """``most_tokens`` is the highest limit of an answer that the model takes, None while it has not said so."""

    most_tokens: int | None = None
    streams_tools: bool = True

    def learn(self, refusal: str) -> None:
        """Take what a refusal tells."""
        if found := _MOST_TOKENS.search(refusal):
            self.most_tokens = min(int(found[1]), self.most_tokens or int(found[1]))
        if _NO_TOOLS_IN_STREAMS in refusal:
            self.streams_tools = False

    def fitted(self, body: dict[str, Any]) -> Fitted:
        """Return a Converse request as the model takes it, and whether its answer may be streamed."""
        streams = self.streams_tools or "toolConfig" not in body
        if "inferenceConfig" not in body:
            return body, streams
        return body | {"inferenceConfig": self._within(body["inferenceConfig"], ("maxTokens",))}, streams

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
