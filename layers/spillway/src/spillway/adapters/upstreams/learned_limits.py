"""What a model on Bedrock says of itself when it refuses a request that an engine of the same model takes."""

import re
from dataclasses import dataclass
from typing import Any, TypeAlias

# A request to Converse, and whether its answer may be streamed.
Fitted: TypeAlias = tuple[dict[str, Any], bool]

# "The maximum tokens you requested exceeds the model limit of 2048. Try again with …"
_MOST_TOKENS = re.compile(r"maximum tokens .* model limit of (\d+)")
# "This model doesn't support tool use in streaming mode."
_NO_TOOLS_IN_STREAMS = "tool use in streaming mode"


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
        config = body.get("inferenceConfig", {})
        asked = config.get("maxTokens")
        if self.most_tokens is None or not isinstance(asked, int) or asked <= self.most_tokens:
            return body, streams
        return body | {"inferenceConfig": config | {"maxTokens": self.most_tokens}}, streams
