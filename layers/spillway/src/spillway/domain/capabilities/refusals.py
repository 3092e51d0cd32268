"""What a target's refusal tells of the target: that it cannot do this at all, or that the request is too long for it.

Everything else that is refused is the client's own mistake, which another target would refuse as well.
"""

import re
from dataclasses import dataclass

from spillway.domain.capabilities.card import Ability
from spillway.domain.capabilities.demand import Demand
from spillway.domain.errors import InvalidRequest


@dataclass(frozen=True)
class Lesson:
    """``ability`` is what the target lacks, None where the words name none that we tell apart.

    ``is_too_long`` says that the request does not fit; ``context_length`` is what would, in tokens, where it is told.
    """

    ability: Ability | None = None
    is_too_long: bool = False
    context_length: int | None = None


# Words → the ability that is lacking. The first that is found counts.
_LACKING: tuple[tuple[re.Pattern[str], Ability | None], ...] = tuple(
    (re.compile(words, re.IGNORECASE), ability)
    for words, ability in (
        # vLLM 0.32 without its flags for tools, recorded: '"auto" tool choice requires --…', and
        # 'tool_choice=required requires --…'.
        (r"tool[ _]choice\S* requires --", Ability.TOOLS),
        # LMI 0.32 to 0.34, in djl-serving's code: 'tool_choice = "required" is not supported!'
        (r'tool_choice = "required" is not supported', Ability.TOOL_CHOICE),
        # vLLM 0.32, recorded: 'tiny-llama is not a multimodal model'; its limit of images, where one is set.
        (r"is not a multimodal model|at most 0 image", Ability.IMAGES),
        # Converse, n8n-io/n8n#14206.
        (r"doesn't support tool use in streaming mode", Ability.STREAMED_TOOLS),
        # Converse, langchain-ai/langchain-aws#447.
        (r"doesn't support tool use", Ability.TOOLS),
        # Converse, strands-agents/harness-sdk#1241, vercel/ai#4396: 'This model doesn't support the
        # toolConfig.toolChoice.any field. Remove toolConfig.toolChoice.any and try again.'
        (r"doesn't support the toolConfig\.toolChoice[\w.]* field", Ability.TOOL_CHOICE),
        (r"doesn't support the toolConfig[\w.]* field", Ability.TOOLS),
        # Converse, 567-labs/instructor#1753.
        (r"doesn't support system (messages|prompts)|doesn't support the system field", Ability.SYSTEM),
        (r"doesn't support the (outputConfig|response_format)[\w.]* field", Ability.JSON_SCHEMA),
        (r"doesn't support the n field", Ability.CHOICES),
        (r"doesn't support the (top_)?logprobs field", Ability.LOGPROBS),
        (r"doesn't support (the )?image", Ability.IMAGES),
        # What one grammar engine has no form for another may have. vLLM with xgrammar, vllm-project/vllm#16880:
        # 'The provided JSON schema contains features not supported by xgrammar.'; with guidance, by llguidance 1.7.6:
        # 'Unimplemented keys: ["not"]'; Bedrock, BerriAI/litellm#29624: 'output_config.format.schema: For 'number'
        # type, properties maximum, minimum are not supported'.
        (r"JSON schema contains features not supported|Unimplemented keys: |schema: .* not supported", None),
        # Converse's sentence for every other field, langchain-ai/langchain-aws#664 for one.
        (r"doesn't support the [\w.]+ field", None),
    )
)
# The number, where there is one, is the context's length.
_TOO_LONG = tuple(
    re.compile(words, re.IGNORECASE)
    for words in (
        # vLLM 0.32, recorded: 'This model's maximum context length is 1024 tokens. However, …', and
        # 'max_tokens=5000 cannot be greater than max_model_len=1024.'
        r"maximum context length is (\d+)",
        r"max_model_len=(\d+)",
        # TGI, as its clients match it: '`inputs` tokens + `max_new_tokens` must be <= 4096. Given: …',
        # '`inputs` must have less than 4095 tokens. Given: 5000'.
        r"`inputs` tokens \+ `max_new_tokens` must be <= (\d+)",
        r"`inputs` must have less than \d+ tokens",
        # Bedrock, RooCodeInc/Roo-Code#3713, daisuke-awaji/moca#254, and AWS's own sentence.
        r"exceed(?:s)? (?:the )?context limit",
        r"(?:prompt|input) is too long",
        # Titan's embeddings, as quoted in public reports.
        r"Too many input tokens\. Max input tokens: (\d+)",
    )
)
# Our own translations name the field that they have no form for.
_BY_PARAM = {
    "n": (Ability.CHOICES,),
    "tools": (Ability.TOOLS,),
    "prompt": (Ability.PROMPTS,),
    "logprobs": (Ability.LOGPROBS,),
    "top_logprobs": (Ability.LOGPROBS,),
    "include.message.output_text.logprobs": (Ability.LOGPROBS,),
    "response_format": (Ability.JSON_OBJECT, Ability.JSON_SCHEMA),
    "text.format": (Ability.JSON_OBJECT, Ability.JSON_SCHEMA),
}
# Of text completions, what chat has no form for and an engine's own endpoint has; prompts of tokens are such, too.
_WITHOUT_CHAT_FORM = frozenset({"suffix", "echo", "best_of", "prompt"})
_WRONG_TYPE = "invalid_type"


def lesson_of(message: str, demand: Demand) -> Lesson | None:
    """Return what an upstream's words tell of it; None for what is the client's mistake.

    An ability is believed to be lacking only by a request that demands it.
    """
    for words in _TOO_LONG:
        if found := words.search(message):
            return Lesson(is_too_long=True, context_length=int(found[1]) if words.groups else None)
    for words, ability in _LACKING:
        if words.search(message):
            return Lesson(ability if ability in demand.abilities else None)
    return None


def lesson_of_field(err: InvalidRequest, demand: Demand) -> Lesson | None:
    """Return what it tells that a request has no form on a target; None where that may be a mistake of the client."""
    param = err.param or ""
    if err.code == _WRONG_TYPE:
        return None
    for ability in _BY_PARAM.get(param, ()):
        if ability in demand.abilities:
            return Lesson(ability)
    # An image may be one that only an engine fetches.
    is_image = Ability.IMAGES in demand.abilities and ".content." in param
    return Lesson() if is_image or param in _WITHOUT_CHAT_FORM else None
