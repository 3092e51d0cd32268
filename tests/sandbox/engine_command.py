"""vLLM's command line as fleets use it: what an engine serves and how, and what ends its process at start.

Flags and their kinds are those of vLLM 0.27 (the release in the fleets' image) and 0.32 alike, refusals are 0.32's.
"""

import argparse
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NoReturn, TypeAlias


def _names(words: str) -> frozenset[str]:
    return frozenset(words.split())


# Registered in 0.27, all of them in 0.32 too.
TOOL_CALL_PARSERS = _names(
    """apertus cohere_command3 cohere_command4 deepseek_v3 deepseek_v31 deepseek_v32 deepseek_v4 ernie45 functiongemma
    gemma4 gigachat3 glm45 glm47 granite granite-20b-fc granite4 hermes hunyuan_a13b hy_v3 inkling internlm jamba
    kimi_k2 kimi_k3 lfm2 llama3_json llama4_json llama4_pythonic longcat mimo minicpm5 minimax_m2 minimax_m3 mistral
    olmo3 openai phi4_mini_json poolside_v1 pythonic qwen3_coder qwen3_xml seed_oss step3 step3p5 xlam"""
)
REASONING_PARSERS = _names(
    """cohere_command3 cohere_command4 deepseek_r1 deepseek_v3 deepseek_v4 ernie45 gemma4 glm45 glm47 granite holo2
    hunyuan_a13b hy_v3 inkling kimi_k2 kimi_k3 mimo minimax_m2 minimax_m2_append_think minimax_m3 mistral nemotron_v3
    olmo3 openai_gptoss poolside_v1 qwen3 seed_oss step3 step3p5"""
)
_WORDS = ("host", "load-format", "chat-template", "config-format", "tokenizer-mode", "quantization", "revision")
_NUMBERS = ("port", "max-model-len", "tensor-parallel-size", "shutdown-timeout", "block-size")
_MORE_NUMBERS = ("max-num-seqs", "max-num-batched-tokens")
_LISTS = ("served-model-name", "allowed-media-domains")
_OBJECTS = ("default-chat-template-kwargs", "hf-overrides", "limit-mm-per-prompt", "structured-outputs-config")
_BACKENDS = ("auto", "xgrammar", "guidance", "outlines", "lm-format-enforcer")
_SWITCHES = (
    "enable-auto-tool-choice",
    "enable-chunked-prefill",
    "enable-expert-parallel",
    "enable-prefix-caching",
    "enforce-eager",
    "exclude-tools-when-tool-choice-none",
    "trust-remote-code",
)
_CHOICES = {
    "chat-template-content-format": ("auto", "string", "openai"),
    "dtype": ("auto", "half", "float16", "bfloat16", "float", "float32"),
    "runner": ("auto", "generate", "pooling", "draft"),
    "kv-cache-dtype": ("auto", "float16", "bfloat16", "fp8", "fp8_e4m3", "fp8_e5m2"),
}


# Models that the engine pools by itself, and those that rank; others do what their architecture was made for, which is
# to chat, also where they were trained to embed (Qwen3-Embedding).
_POOLED = re.compile(r"/(bge-|multilingual-e5-|e5-)", re.IGNORECASE)
_CONTEXTS = {"BAAI/bge-large-en-v1.5": 512, "intfloat/multilingual-e5-large": 512, "BAAI/bge-m3": 8192}
_RANKS = re.compile(r"rerank", re.IGNORECASE)

EngineTask: TypeAlias = Literal["generate", "embed", "score"]


class EngineEnded(Exception):
    """The engine's process ends before it answers; the text is what its log says last."""


@dataclass(frozen=True)
class Command:
    """What one engine was told. Without ``tool_call_parser`` tools are refused, without the other thoughts are text."""

    model: str
    served_name: str
    max_model_len: int | None = None
    tool_call_parser: str | None = None
    reasoning_parser: str | None = None
    chat_template: str | None = None
    runner: str = "auto"
    hf_overrides: Mapping[str, Any] = field(default_factory=dict)

    @property
    def task(self) -> EngineTask:
        """What the engine serves the model for: a published reranker that chats needs to be told its architecture."""
        if self.runner != "pooling" and not (self.runner == "auto" and _POOLED.search(self.model)):
            return "generate"
        is_classifier = bool(_POOLED.search(self.model) and _RANKS.search(self.model))
        named = " ".join(self.hf_overrides.get("architectures", ()))
        return "score" if is_classifier or "ForSequenceClassification" in named else "embed"


def read_command(words: Sequence[str]) -> Command:
    """Return what a command line asks for, from its ``serve`` on. Raises :class:`EngineEnded`."""
    if not words or words[0] != "serve":
        raise EngineEnded(f"vllm: error: invalid choice: {words[:1]}")
    given = _parser().parse_args(list(words[1:]))
    if given.enable_auto_tool_choice and not given.tool_call_parser:
        raise EngineEnded("TypeError: Error: --enable-auto-tool-choice requires --tool-call-parser")
    if given.enable_auto_tool_choice and given.tool_call_parser not in TOOL_CALL_PARSERS:
        raise EngineEnded(f"KeyError: 'invalid tool call parser: {given.tool_call_parser}'")
    if given.reasoning_parser and given.reasoning_parser not in REASONING_PARSERS:
        raise EngineEnded(f"KeyError: 'invalid reasoning parser: {given.reasoning_parser}'")
    context = _CONTEXTS.get(given.model)
    if context and given.max_model_len and given.max_model_len > context:
        raise EngineEnded(
            f"ValueError: User-specified max_model_len ({given.max_model_len}) is greater than the derived "
            f"max_model_len (max_position_embeddings={context})"
        )
    if given.structured_outputs_config and given.structured_outputs_config.get("backend", "auto") not in _BACKENDS:
        raise EngineEnded(f"vllm serve: error: Invalid structured outputs backend {given.structured_outputs_config}")
    return Command(
        model=given.model,
        served_name=given.served_model_name[0] if given.served_model_name else given.model,
        max_model_len=given.max_model_len,
        # The parser alone turns nothing on.
        tool_call_parser=given.tool_call_parser if given.enable_auto_tool_choice else None,
        reasoning_parser=given.reasoning_parser,
        chat_template=given.chat_template,
        runner=given.runner or "auto",
        hf_overrides=given.hf_overrides or {},
    )


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise EngineEnded(f"vllm serve: error: {message}")


def _parser() -> _Parser:
    parser = _Parser(add_help=False, allow_abbrev=False)
    parser.add_argument("model")
    for name in (*_WORDS, "tool-call-parser", "reasoning-parser"):
        parser.add_argument(f"--{name}")
    for name in (*_NUMBERS, *_MORE_NUMBERS):
        parser.add_argument(f"--{name}", type=int)
    for name in _LISTS:
        parser.add_argument(f"--{name}", nargs="+")
    for name in _OBJECTS:
        parser.add_argument(f"--{name}", type=json.loads)
    for name in _SWITCHES:
        parser.add_argument(f"--{name}", action=argparse.BooleanOptionalAction, default=False)
    for name, allowed in _CHOICES.items():
        parser.add_argument(f"--{name}", choices=allowed)
    parser.add_argument("--gpu-memory-utilization", type=float)
    return parser
