"""What each family of models on Bedrock takes of a Converse request, from reports of people who tried it.

A cell of which nobody reported anything is a refusal here: what works against one works without it too.
"""

from dataclasses import dataclass

_AUTO = frozenset({"auto"})
_AUTO_AND_ANY = frozenset({"auto", "any"})
_EFFORT = frozenset({"reasoning_effort"})


@dataclass(frozen=True)
class Family:
    """``choices`` are the kinds of toolChoice; ``extra`` the names allowed in additionalModelRequestFields.

    ``results_as_json``: a tool's result has to be ``json``, never ``text``.
    """

    system: bool = True
    tools: bool = False
    tools_in_streams: bool = False
    choices: frozenset[str] = _AUTO
    stop: bool = False
    images: bool = False
    images_in_results: bool = False
    schema: bool = False
    strict_tools: bool = False
    results_as_json: bool = False
    results_beside_text: bool = False
    extra: frozenset[str] = frozenset()


STRICTEST = Family()
_OLD_MISTRAL = Family(system=False)
_MISTRAL = Family(tools=True, images=True, schema=True, results_as_json=True)

# By the beginning of the id, the longest first where one begins another.
FAMILIES = {
    "meta.llama3": Family(tools=True, stop=True, images_in_results=True),
    "meta.llama4": Family(tools=True, stop=True, images=True, images_in_results=True),
    "mistral.mistral-7b": _OLD_MISTRAL,
    "mistral.mixtral": _OLD_MISTRAL,
    "mistral.mistral-large-3": Family(
        tools=True, choices=_AUTO_AND_ANY, images=True, schema=True, results_as_json=True
    ),
    "mistral.ministral": _MISTRAL,
    "mistral.magistral": _MISTRAL,
    "mistral.devstral": Family(tools=True, results_as_json=True),
    "qwen.qwen3-vl": Family(tools=True, tools_in_streams=True, images=True, schema=True),
    "qwen.qwen3": Family(tools=True, tools_in_streams=True, schema=True, extra=frozenset({"reasoning_config"})),
    "deepseek.r1": Family(stop=True),
    "deepseek.v3": Family(tools=True, choices=_AUTO_AND_ANY, extra=_EFFORT),
    "openai.gpt-oss": Family(tools=True, tools_in_streams=True, extra=_EFFORT),
    "google.gemma-3-4b": Family(images=True),
    "google.gemma-3": Family(images=True, schema=True),
    "minimax.": Family(tools=True, schema=True),
    "moonshotai.kimi-k2.5": Family(tools=True, tools_in_streams=True, images=True, schema=True),
    "moonshot.kimi": Family(tools=True, tools_in_streams=True, schema=True),
    "moonshotai.kimi": Family(tools=True, tools_in_streams=True, schema=True),
    "zai.glm": Family(tools=True, tools_in_streams=True, choices=_AUTO_AND_ANY, schema=True, extra=_EFFORT),
    "nvidia.nemotron-nano-12b": Family(tools=True, images=True, schema=True),
    "nvidia.nemotron-nano": Family(tools=True, schema=True),
    "nvidia.nemotron": Family(tools=True),
}


def family_of(model_id: str) -> Family:
    """Return the family behind a model's id, a profile's or an ARN; the strictest where none is known."""
    name = model_id.rsplit("/", 1)[-1]
    for prefix, family in FAMILIES.items():
        if name.startswith(prefix) or name.partition(".")[2].startswith(prefix):
            return family
    return STRICTEST
