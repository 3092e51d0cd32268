"""What families of open-weight models on Bedrock are known not to take of a Converse request.

What the table of Bedrock's models says of one, and beside it what reports tell of families on Converse alone. What
nobody knows is sent as it is asked, and learned from the refusal.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum, auto

from spillway.domain.paths.bedrock_models import BedrockModel, bedrock_model, own_id


class Lack(Enum):
    """One thing that a model does not take; for each, a request has another way or is refused by its field."""

    SYSTEM = auto()
    TOOLS = auto()
    TOOLS_IN_STREAMS = auto()
    ANY_TOOL = auto()
    NAMED_TOOL = auto()
    STOP = auto()
    IMAGES = auto()
    IMAGES_IN_RESULTS = auto()
    TEXT_IN_RESULTS = auto()
    TEXT_BESIDE_RESULTS = auto()
    SCHEMA = auto()
    STRICT = auto()
    TIERS = auto()
    EFFORT = auto()


@dataclass(frozen=True)
class Effort:
    """The field of additionalModelRequestFields that makes a model think, and its value by OpenAI's efforts.

    An effort whose value is None needs nothing sent.
    """

    field: str
    values: Mapping[str, str | None]


@dataclass(frozen=True)
class Family:
    """``effort`` where it is known how the model is told to think."""

    lacks: frozenset[Lack] = field(default_factory=frozenset)
    effort: Effort | None = None


UNKNOWN = Family()

EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
# The one value that is reported to work; without the field these do not think.
_THINK = {**dict.fromkeys(EFFORTS, "high"), "none": None}
_THREE_STEPS = {"minimal": "low", "low": "low", "medium": "medium", "high": "high", "xhigh": "high", "max": "high"}

# What Converse alone has a place for: by the beginning of a model's own id, the longest first where one begins another.
_FAMILIES: Mapping[str, Family] = {
    # "Conversation blocks and tool result blocks cannot be provided in the same turn."
    "meta.llama": Family(frozenset({Lack.TEXT_BESIDE_RESULTS})),
    "mistral.": Family(
        frozenset({Lack.TEXT_BESIDE_RESULTS, Lack.TEXT_IN_RESULTS, Lack.IMAGES_IN_RESULTS, Lack.NAMED_TOOL})
    ),
    # Stop sequences: langchain-ai/langchain-aws#664.
    "qwen.qwen3": Family(frozenset({Lack.STOP, Lack.IMAGES_IN_RESULTS}), Effort("reasoning_config", _THINK)),
    "deepseek.v3-": Family(frozenset({Lack.STOP, Lack.NAMED_TOOL, Lack.IMAGES_IN_RESULTS})),
    "deepseek.v3": Family(frozenset({Lack.NAMED_TOOL, Lack.IMAGES_IN_RESULTS}), Effort("reasoning_effort", _THINK)),
    # They always think, and refuse even an empty list of stop sequences.
    "openai.gpt-oss": Family(frozenset({Lack.STOP, Lack.IMAGES_IN_RESULTS}), Effort("reasoning_effort", _THREE_STEPS)),
    "minimax.": Family(frozenset({Lack.IMAGES_IN_RESULTS})),
    "moonshot": Family(frozenset({Lack.IMAGES_IN_RESULTS})),
    "zai.glm": Family(frozenset({Lack.NAMED_TOOL, Lack.IMAGES_IN_RESULTS}), Effort("reasoning_effort", _THINK)),
    "nvidia.nemotron-nano-12b": UNKNOWN,
    "nvidia.nemotron": Family(frozenset({Lack.IMAGES_IN_RESULTS})),
}


def family_of(identifier: str) -> Family:
    """Return what is known by the id or ARN of a model or of a cross-region profile."""
    name, model = own_id(identifier), bedrock_model(identifier)
    family = next((family for prefix, family in _FAMILIES.items() if name.startswith(prefix)), UNKNOWN)
    if model is None:
        return family
    return replace(family, lacks=family.lacks | _lacks_of(model), effort=family.effort if model.reasons else None)


def _lacks_of(model: BedrockModel) -> frozenset[Lack]:
    known = (
        (model.system, (Lack.SYSTEM,)),
        (model.tools, (Lack.TOOLS,)),
        (model.streamed_tools, (Lack.TOOLS_IN_STREAMS,)),
        (model.tool_choice, (Lack.ANY_TOOL, Lack.NAMED_TOOL)),
        (model.images, (Lack.IMAGES,)),
        # What holds an answer to a schema holds a call's arguments, too.
        (model.json_schema, (Lack.SCHEMA, Lack.STRICT)),
    )
    return frozenset(lack for can, lacks in known if can is False for lack in lacks)
