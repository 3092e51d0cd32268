"""Which refusals tell of the target, and which of the client's own mistake."""

import pytest

from spillway.domain.capabilities.card import Ability
from spillway.domain.capabilities.demand import Demand
from spillway.domain.capabilities.refusals import Lesson, lesson_of, lesson_of_field
from spillway.domain.errors import InvalidRequest

EVERYTHING = Demand(frozenset(Ability))
# In the words that vLLM 0.32 and Bedrock used.
LACKING: dict[str, Ability | None] = {
    '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set': Ability.TOOLS,
    "tool_choice=required requires --tool-call-parser to be set": Ability.TOOLS,
    'Input parsing failed. tool_choice = "required" is not supported!': Ability.TOOL_CHOICE,
    "tiny-llama is not a multimodal model": Ability.IMAGES,
    "This model doesn't support tool use in streaming mode.": Ability.STREAMED_TOOLS,
    "This model doesn't support tool use.": Ability.TOOLS,
    "This model doesn't support the toolConfig.toolChoice.any field. Remove toolConfig.toolChoice.any and try again.": (
        Ability.TOOL_CHOICE
    ),
    "This model doesn't support the toolConfig.toolChoice.tool field.": Ability.TOOL_CHOICE,
    "This model doesn't support the toolConfig field. Remove toolConfig and try again.": Ability.TOOLS,
    "This model doesn't support system messages. Try again without a system message": Ability.SYSTEM,
    "This model doesn't support the outputConfig.textFormat field.": Ability.JSON_SCHEMA,
    "The provided JSON schema contains features not supported by xgrammar.": None,
    'Unimplemented keys: ["not"]': None,
    "output_config.format.schema: For 'number' type, properties maximum, minimum are not supported": None,
    "This model doesn't support the stopSequences field. Remove stopSequences and try again.": None,
}
TOO_LONG = {
    "This model's maximum context length is 1024 tokens. However, your prompt contains at least 1025 input": 1024,
    "max_tokens=5000 cannot be greater than max_model_len=1024. Please request fewer output tokens.": 1024,
    "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096. Given: 4000 `inputs` tokens": 4096,
    "Input validation error: `inputs` must have less than 4095 tokens. Given: 5000": None,
    "The model returned the following errors: prompt is too long: 200049 tokens > 200000 maximum": None,
    "input length and `max_tokens` exceed context limit: 196395 + 64000 > 204698": None,
    "Input is too long for requested model.": None,
}
# As vLLM and Bedrock said of requests that no target takes.
MISTAKES = [
    "top_p must be in (0, 1], got 7.0. (parameter=top_p, value=7.0)",
    "max_tokens must be at least 1, got 0. (parameter=max_tokens, value=0)",
    "Cannot apply chat template to an empty conversation. Provide at least one message.",
    "1 validation error:\n  {'type': 'missing', 'loc': 'body.messages', 'msg': 'Field required'}",
    "The text field in the ContentBlock object at messages.0.content.0 is blank.",
    "A conversation must start with a user message.",
]


@pytest.mark.parametrize("words", LACKING)
def test_what_a_target_lacks_is_learnt(words: str) -> None:
    assert lesson_of(words, EVERYTHING) == Lesson(LACKING[words])


@pytest.mark.parametrize("words", TOO_LONG)
def test_what_is_too_long_is_told_apart_with_the_context_where_it_is_named(words: str) -> None:
    assert lesson_of(words, Demand()) == Lesson(is_too_long=True, context_length=TOO_LONG[words])


@pytest.mark.parametrize("words", MISTAKES)
def test_the_clients_own_mistakes_teach_nothing(words: str) -> None:
    assert lesson_of(words, EVERYTHING) is None


def test_no_ability_is_believed_to_be_lacking_that_was_not_demanded() -> None:
    assert lesson_of("This model doesn't support tool use.", Demand()) == Lesson()


@pytest.mark.parametrize(
    ("param", "demanded", "lesson"),
    [
        ("n", Ability.CHOICES, Lesson(Ability.CHOICES)),
        ("response_format", Ability.JSON_OBJECT, Lesson(Ability.JSON_OBJECT)),
        ("response_format", Ability.JSON_SCHEMA, Lesson(Ability.JSON_SCHEMA)),
        # A format that is none.
        ("response_format", Ability.TOOLS, None),
        ("prompt", Ability.PROMPTS, Lesson(Ability.PROMPTS)),
        # Prompts of tokens, and what only an engine's own endpoint has.
        ("prompt", Ability.TOOLS, Lesson()),
        ("suffix", Ability.TOOLS, Lesson()),
        ("tools", Ability.TOOLS, Lesson(Ability.TOOLS)),
        ("messages.0.content.1", Ability.IMAGES, Lesson()),
        ("messages.0.content.1", Ability.TOOLS, None),
        ("messages.1.role", Ability.TOOLS, None),
        (None, Ability.TOOLS, None),
    ],
)
def test_a_field_without_a_form_tells_of_the_target_if_it_is_sound(
    param: str | None, demanded: Ability, lesson: Lesson | None
) -> None:
    assert lesson_of_field(InvalidRequest("no", param=param), Demand(frozenset({demanded}))) == lesson


def test_a_value_of_a_wrong_type_is_the_clients_mistake_on_whatever_target() -> None:
    err = InvalidRequest("tools must be a list", param="tools", code="invalid_type")
    assert lesson_of_field(err, EVERYTHING) is None
