"""What becomes of each field of an OpenAI chat request on Converse."""

from collections.abc import Mapping
from typing import Any

from spillway.adapters.upstreams import fields
from spillway.adapters.upstreams.fields import Field, not_taken, refused


def _dropped(*idle: Any) -> Field:
    return Field("dropped", "a hint that Converse has no place for", idle)


# Dropped is what an answer is valid without, refused what would make it another.
FIELDS: Mapping[str, Field] = {
    "audio": refused("no model answers in sound here"),
    "frequency_penalty": _dropped(0),
    "function_call": Field("mapped", "as `tool_choice`; the answer has `function_call`"),
    "functions": Field("mapped", "as `tools`; the answer has `function_call`"),
    "logit_bias": refused("Converse weighs no tokens", {}),
    "logprobs": refused("Converse tells no probabilities", False),
    "max_completion_tokens": Field("mapped", "`inferenceConfig.maxTokens`"),
    "max_tokens": Field("mapped", "`inferenceConfig.maxTokens`, if `max_completion_tokens` is not there"),
    "messages": Field("mapped", "system and developer messages are `system`, the rest becomes turns"),
    "metadata": _dropped({}),
    "modalities": refused("answers are text", ["text"], []),
    "model": Field("mapped", "the deployment's model on Bedrock"),
    "moderation": refused("nothing is moderated"),
    "n": refused("Converse answers with one choice, and up to 8 are made up of as many requests", 1),
    "parallel_tool_calls": Field("mapped", "false: the answer ends with its first call"),
    "prediction": _dropped(),
    "presence_penalty": _dropped(0),
    "prompt_cache_key": _dropped(""),
    "prompt_cache_options": _dropped({}),
    "prompt_cache_retention": _dropped(),
    "reasoning_effort": Field(
        "mapped", "`additionalModelRequestFields`, for families that have a field for it; dropped for the others"
    ),
    "response_format": Field(
        "mapped", "`outputConfig`; refused where the model takes no schema; `json_object` is made up"
    ),
    "safety_identifier": _dropped(""),
    "seed": _dropped(),
    "service_tier": Field("mapped", "`serviceTier`; dropped where the model has no tiers"),
    "stop": Field("mapped", "`inferenceConfig.stopSequences`; where the model takes none, the answer is cut"),
    "store": _dropped(False),
    "stream": Field("mapped", "an operation of its own"),
    "stream_options": Field("mapped", "see its fields"),
    "temperature": Field("mapped", "above 1 it is 1"),
    "tool_choice": Field("mapped", "`toolConfig.toolChoice`; see below"),
    "tools": Field("mapped", "`toolConfig.tools`"),
    "top_logprobs": refused("Converse tells no probabilities", 0),
    "top_p": Field("mapped", "`inferenceConfig.topP`"),
    "user": _dropped(""),
    "verbosity": _dropped("medium"),
    "web_search_options": refused("nothing is searched"),
}

# Inside of messages, tools and formats, where the same questions are asked.
NESTED: Mapping[str, Field] = {
    "messages.audio": refused("no model hears here"),
    "messages.content": Field("mapped", "blank texts are left out"),
    "messages.content.file": refused("a document's text goes into the message"),
    "messages.content.image_url": Field("mapped", "`data:` URLs; addresses are refused"),
    "messages.content.image_url.detail": Field("dropped", "not named: images have one resolution"),
    "messages.content.input_audio": refused("no model hears here"),
    "messages.content.prompt_cache_breakpoint": Field("dropped", "not named: open-weight models have no prompt cache"),
    "messages.content.refusal": Field("mapped", "as text"),
    "messages.content.text": Field("mapped"),
    "messages.function_call": Field("mapped", "as `tool_calls`"),
    "messages.name": Field("dropped", "named `messages.name`"),
    "messages.refusal": Field("mapped", "as text"),
    "messages.role": Field("mapped"),
    "messages.tool_call_id": Field("mapped", "made valid, and distinct within its turn"),
    "messages.tool_calls": Field("mapped", "their ids too; arguments that are no object are put into one"),
    "response_format.json_schema": Field("mapped", "name, description and schema; `strict` or not"),
    "stream_options.include_obfuscation": Field("dropped", "not named: nothing is obfuscated"),
    "stream_options.include_usage": Field("mapped", "the last chunk has what Converse counted"),
    "tools.custom": refused("only functions can be tools"),
    "tools.function": Field("mapped"),
    "tools.function.strict": Field(
        "mapped", "`toolSpec.strict`; where the model takes none, dropped and named `tools.strict`"
    ),
}

# Not OpenAI's, but engines': they fix an answer's form, so an answer without them is another one.
_OF_ENGINES = dict.fromkeys(
    (
        "allowed_token_ids",
        "bad_words",
        "continue_final_message",
        "echo",
        "guided_choice",
        "guided_grammar",
        "guided_json",
        "guided_regex",
        "prompt_logprobs",
        "stop_token_ids",
        "structural_tag",
        "structured_outputs",
        "use_beam_search",
    ),
    refused("only engines hold an answer to it", False, []),
)
_NOT_TAKEN = not_taken(FIELDS, _OF_ENGINES)
_KNOWN = FIELDS.keys() | _OF_ENGINES
_LONGEST_NAME = 64


def dropped_fields(body: Mapping[str, Any]) -> list[str]:
    """Return the fields that are left out; raises InvalidRequest for the first that is refused.

    What neither OpenAI nor this table knows is an engine's own, and a hint.
    """
    unknown = [_shown(name) for name, value in body.items() if name not in _KNOWN and value is not None]
    return fields.dropped_fields(body, _NOT_TAKEN) + unknown


def _shown(name: str) -> str:
    """Return an unknown field's name as a header may have it; a name that no field has is told as a sign."""
    plain = name.isascii() and name.replace("_", "").replace(".", "").replace("-", "").isalnum()
    return name if plain and len(name) <= _LONGEST_NAME else "?"
