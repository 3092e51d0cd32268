"""What Bedrock's open-weight models answer at the most, where, and what they can do; light, the gateway knows it too.

Compiled 2026-11-30: APIs and regions from Bedrock's user guide ("API compatibility by model", about 2026-03; regional
availability, about 2026-08); tools, images and schemas from clients that adapt to each model (pydantic-ai 2.68,
langchain-aws 1.9, strands-agents 1.62) and the issues named; longest answers and contexts from litellm's price map
1.110.2, a third party's hint: what a model says of itself when it refuses comes before it. Which models think before
they answer is known from their families. No call of Bedrock tells whether a model takes tools; nothing here was tried
against an account. None is unknown; a model that is missing is asked, not ruled out.
"""

import re
from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True)
class BedrockModel:
    """``most_output`` is the tokens of its longest answer, ``context_length`` those of prompt and answer.

    ``chat`` and ``responses`` say whether the runtime's OpenAI-compatible endpoint serves them; Converse serves all of
    these models. ``reasons``: an answer begins with thoughts, which count as output. ``tool_choice`` is a call that
    must be made.
    """

    most_output: int | None
    context_length: int | None
    chat: bool = True
    responses: bool = False
    reasons: bool = False
    thoughts_in_text: bool = False
    tools: bool | None = True
    streamed_tools: bool | None = None
    tool_choice: bool | None = None
    images: bool | None = False
    json_schema: bool | None = None
    system: bool = True


class AskedModel(NamedTuple):
    """A model as a deployment names it, in the field ``param``, and whether a global profile may answer for it."""

    id: str
    param: str
    allow_global: bool


@dataclass(frozen=True)
class CalledModel:
    """A model as Bedrock's catalog has it: the id that calls use, the model's own, and the regions that may answer.

    A profile that is not kept to a geography has ``global`` among its regions.
    """

    called_id: str
    model_id: str
    regions: tuple[str, ...]


_MODELS = {
    # Llama: auto is the only choice of tools, and they are refused in streams (n8n-io/n8n#14206).
    "meta.llama3-1-8b-instruct-v1:0": BedrockModel(
        4_096, 128_000, chat=False, streamed_tools=False, tool_choice=False, json_schema=False
    ),
    "meta.llama3-1-70b-instruct-v1:0": BedrockModel(
        4_096, 128_000, chat=False, streamed_tools=False, tool_choice=False, json_schema=False
    ),
    "meta.llama3-2-1b-instruct-v1:0": BedrockModel(
        4_096, 128_000, chat=False, tools=False, streamed_tools=False, tool_choice=False, json_schema=False
    ),
    "meta.llama3-2-3b-instruct-v1:0": BedrockModel(
        4_096, 128_000, chat=False, tools=False, streamed_tools=False, tool_choice=False, json_schema=False
    ),
    "meta.llama3-3-70b-instruct-v1:0": BedrockModel(
        4_096, 128_000, chat=False, streamed_tools=False, tool_choice=False, json_schema=False
    ),
    "meta.llama4-scout-17b-instruct-v1:0": BedrockModel(
        8_192, 10_000_000, chat=False, streamed_tools=False, tool_choice=False, images=True, json_schema=False
    ),
    "meta.llama4-maverick-17b-instruct-v1:0": BedrockModel(
        8_192, 1_000_000, chat=False, streamed_tools=False, tool_choice=False, images=True, json_schema=False
    ),
    # No system prompts: 567-labs/instructor#1753.
    "mistral.mistral-7b-instruct-v0:2": BedrockModel(
        None, None, chat=False, tools=False, streamed_tools=False, tool_choice=False, json_schema=False, system=False
    ),
    "mistral.mixtral-8x7b-instruct-v0:1": BedrockModel(
        4_096, 32_000, chat=False, tools=False, streamed_tools=False, tool_choice=False, json_schema=False, system=False
    ),
    "mistral.magistral-small-2509": BedrockModel(40_000, 128_000, reasons=True, images=True, json_schema=True),
    "mistral.devstral-2-123b": BedrockModel(32_000, 256_000),
    "mistral.ministral-3-3b-instruct": BedrockModel(8_000, 128_000, images=True, json_schema=True),
    "mistral.ministral-3-8b-instruct": BedrockModel(8_000, 128_000, images=True, json_schema=True),
    "mistral.ministral-3-14b-instruct": BedrockModel(8_000, 128_000, images=True, json_schema=True),
    "mistral.mistral-large-3-675b-instruct": BedrockModel(
        32_000, 256_000, tool_choice=True, images=True, json_schema=True
    ),
    "qwen.qwen3-32b-v1:0": BedrockModel(8_192, 32_768, reasons=True, streamed_tools=True, json_schema=True),
    "qwen.qwen3-235b-a22b-2507-v1:0": BedrockModel(8_192, 262_144, streamed_tools=True, json_schema=True),
    "qwen.qwen3-next-80b-a3b": BedrockModel(8_000, 256_000, streamed_tools=True, json_schema=True),
    "qwen.qwen3-coder-30b-a3b-v1:0": BedrockModel(16_384, 262_144, streamed_tools=True, json_schema=True),
    "qwen.qwen3-coder-480b-a35b-v1:0": BedrockModel(16_384, 262_144, streamed_tools=True, json_schema=True),
    "qwen.qwen3-coder-next": BedrockModel(16_000, 256_000, streamed_tools=True, json_schema=True),
    "qwen.qwen3-vl-235b-a22b": BedrockModel(8_000, 256_000, streamed_tools=True, images=True, json_schema=True),
    # No tools: langchain-ai/langchain-aws#447.
    "deepseek.r1-v1:0": BedrockModel(
        8_192,
        128_000,
        chat=False,
        reasons=True,
        tools=False,
        streamed_tools=False,
        tool_choice=False,
        json_schema=False,
    ),
    "deepseek.v3-v1:0": BedrockModel(8_000, 128_000, reasons=True, tool_choice=True),
    "deepseek.v3.2": BedrockModel(8_000, 163_840, reasons=True, tool_choice=True),
    "google.gemma-3-4b-it": BedrockModel(8_000, 128_000, tools=None, images=True, json_schema=False),
    "google.gemma-3-12b-it": BedrockModel(8_000, 128_000, tools=None, images=True, json_schema=True),
    "google.gemma-3-27b-it": BedrockModel(8_000, 128_000, tools=None, images=True, json_schema=True),
    "openai.gpt-oss-20b-1:0": BedrockModel(
        16_384, 128_000, responses=True, reasons=True, thoughts_in_text=True, streamed_tools=True, json_schema=False
    ),
    "openai.gpt-oss-120b-1:0": BedrockModel(
        16_384, 128_000, responses=True, reasons=True, thoughts_in_text=True, streamed_tools=True, json_schema=False
    ),
    "zai.glm-4.7": BedrockModel(
        128_000, 203_000, reasons=True, streamed_tools=True, tool_choice=True, json_schema=True
    ),
    "zai.glm-4.7-flash": BedrockModel(
        128_000, 203_000, reasons=True, streamed_tools=True, tool_choice=True, json_schema=True
    ),
    "zai.glm-5": BedrockModel(128_000, 200_000, reasons=True, streamed_tools=True, tool_choice=True, json_schema=True),
    "moonshot.kimi-k2-thinking": BedrockModel(
        16_000, 256_000, chat=False, reasons=True, streamed_tools=True, json_schema=True
    ),
    "moonshotai.kimi-k2.5": BedrockModel(
        16_000, 262_144, reasons=True, streamed_tools=True, images=True, json_schema=True
    ),
    "moonshotai.kimi-k3": BedrockModel(
        131_072, 868_928, reasons=True, streamed_tools=True, images=True, json_schema=True
    ),
    "minimax.minimax-m2": BedrockModel(8_000, 196_000, reasons=True, json_schema=True),
    "minimax.minimax-m2.1": BedrockModel(8_000, 196_000, reasons=True, json_schema=True),
    "minimax.minimax-m2.5": BedrockModel(8_000, 196_000, reasons=True, json_schema=True),
    "nvidia.nemotron-nano-3-30b": BedrockModel(8_000, 256_000, reasons=True, json_schema=True),
    "nvidia.nemotron-super-3-120b": BedrockModel(32_000, 256_000, reasons=True),
    "nvidia.nemotron-nano-9b-v2": BedrockModel(8_000, 128_000, reasons=True, json_schema=True),
    "nvidia.nemotron-nano-12b-v2": BedrockModel(8_000, 128_000, reasons=True, images=True, json_schema=True),
}

# In the ARN of a profile that users make to count its cost apart.
APPLICATION_PROFILE = ":application-inference-profile/"
# A cross-region inference profile is the model's id behind its geography.
_GEOGRAPHY = re.compile(r"^(us|us-gov|eu|apac|jp|au|ca|in|global)\.")


def own_id(identifier: str) -> str:
    """Return the model's own id behind the id or ARN of a model or of a cross-region profile.

    An application profile's name says nothing of its model: it comes back as it is.
    """
    return _GEOGRAPHY.sub("", identifier.rsplit("/", 1)[-1].lower())


def bedrock_model(identifier: str) -> BedrockModel | None:
    """Return what is known of a model, by its id or by that of a cross-region profile; None where nothing is."""
    return _MODELS.get(own_id(identifier))
