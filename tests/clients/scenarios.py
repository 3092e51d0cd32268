"""What every client asks, and what has to come of it whichever state the deployment is in."""

from collections.abc import Mapping
from dataclasses import dataclass, field

OPENAI_PYTHON, OPENAI_NODE, AI_SDK = "openai for Python", "openai for Node", "AI SDK"
LLAMAINDEX, PYDANTIC_AI, LITELLM, LANGCHAIN = "LlamaIndex", "pydantic-ai", "litellm", "LangChain"

UNSUPPORTED = "400 unsupported_by_model"


@dataclass(frozen=True)
class Scenario:
    """One row of the table; ``expected`` are the words that every driver has for it.

    ``cannot`` says why a client has no way to ask for it. ``kind`` is that of the deployments that are asked.
    """

    name: str
    expected: str
    cannot: Mapping[str, str] = field(default_factory=dict)
    kind: str = "chat"


_NO_LIST = "it has no call for a list of models"
_ONE_CHOICE = "it knows of one choice alone"
_NO_THOUGHTS = "it reads no thoughts out of a chat's answer"

SCENARIOS = (
    Scenario("listed", "listed", dict.fromkeys((AI_SDK, LLAMAINDEX, PYDANTIC_AI, LITELLM, LANGCHAIN), _NO_LIST)),
    Scenario("whole", "text, usage"),
    Scenario("streamed", "text, usage"),
    Scenario("tools", "look_up, text"),
    Scenario("streamed tools", "look_up"),
    Scenario("parallel tools", "look_up refund"),
    Scenario("one tool at a time", "look_up"),
    Scenario("a forced tool", "look_up"),
    Scenario("JSON object", "an object", {PYDANTIC_AI: "it asks for objects by a schema alone"}),
    Scenario("JSON schema", "by the schema"),
    Scenario("images", "text"),
    Scenario("n=2", "2 texts", dict.fromkeys((AI_SDK, LLAMAINDEX, PYDANTIC_AI), _ONE_CHOICE)),
    Scenario("a long prompt", "text"),
    Scenario("reasoning", "thoughts, text", dict.fromkeys((LLAMAINDEX, LANGCHAIN), _NO_THOUGHTS), kind="reasoning"),
    Scenario("embeddings", "2 vectors", kind="embeddings"),
    Scenario("responses", "text"),
    Scenario("hang-up", "text after it"),
    Scenario("unknown model", "404 model_not_found"),
    Scenario("wrong key", "401 invalid_api_key"),
    Scenario("logprobs", "probabilities"),
)
