"""A model's name leads to its parsers, and a name that only looks like it leads to none."""

import pytest

from spillway.domain.engines.vllm import VLLM
from spillway.domain.engines.vllm_parsers import parsers_of
from tests.sandbox import engine_command


@pytest.mark.parametrize(
    ("model", "tools", "thoughts"),
    [
        ("meta-llama/Llama-3.1-8B-Instruct", "llama3_json", None),
        ("meta-llama/Llama-3.3-70B-Instruct", "llama3_json", None),
        ("meta-llama/Llama-3.2-1B-Instruct", "llama3_json", None),
        ("mistralai/Mistral-Small-3.2-24B-Instruct-2506", "mistral", None),
        ("mistralai/Magistral-Small-2509", "mistral", "mistral"),
        ("mistralai/Mixtral-8x7B-Instruct-v0.1", None, None),
        ("Qwen/Qwen2.5-7B-Instruct", "hermes", None),
        ("Qwen/Qwen2.5-Coder-32B-Instruct", None, None),
        ("Qwen/QwQ-32B", "hermes", "deepseek_r1"),
        ("Qwen/Qwen3-0.6B", "hermes", "qwen3"),
        ("Qwen/Qwen3-30B-A3B", "hermes", "qwen3"),
        ("Qwen/Qwen3-30B-A3B-Instruct-2507", "hermes", None),
        ("Qwen/Qwen3-30B-A3B-Thinking-2507", "hermes", "qwen3"),
        # The same architecture as the line before, and another form of calls.
        ("Qwen/Qwen3-Coder-30B-A3B-Instruct", "qwen3_coder", None),
        ("Qwen/Qwen3-Coder-Next", "qwen3_coder", None),
        ("Qwen/Qwen3.5-35B-A3B", "qwen3_coder", "qwen3"),
        ("Qwen/Qwen3-Embedding-0.6B", None, None),
        ("Qwen/Qwen3-Reranker-4B", None, None),
        ("deepseek-ai/DeepSeek-R1-Distill-Llama-8B", None, "deepseek_r1"),
        ("deepseek-ai/DeepSeek-V3.2", "deepseek_v32", "deepseek_v3"),
        ("openai/gpt-oss-120b", "openai", "openai_gptoss"),
        ("microsoft/phi-4", None, None),
        ("tiiuae/Falcon3-7B-Instruct", None, None),
        ("zai-org/GLM-4.5-Air", "glm45", "glm45"),
        ("zai-org/GLM-4.7-Flash", "glm47", "glm45"),
        ("moonshotai/Kimi-K2-Instruct-0905", "kimi_k2", None),
        ("moonshotai/Kimi-K2-Thinking", "kimi_k2", "kimi_k2"),
        ("MiniMaxAI/MiniMax-M2.1", "minimax_m2", "minimax_m2"),
        ("nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-BF16", "qwen3_coder", "nemotron_v3"),
        ("nvidia/NVIDIA-Nemotron-Nano-9B-v2", None, None),
        ("allenai/Olmo-3-7B-Instruct", "olmo3", None),
        # Quantised copies write as what they were made of.
        ("RedHatAI/Meta-Llama-3.1-8B-Instruct-quantized.w8a8", "llama3_json", None),
        ("nvidia/Llama-3.1-8B-Instruct-NVFP4", "llama3_json", None),
        ("Qwen/Qwen3-32B-FP8", "hermes", "qwen3"),
        ("Qwen/Qwen3-32B-AWQ", "hermes", "qwen3"),
        # Models of others' training, whose names hold a family's.
        ("NousResearch/Hermes-3-Llama-3.1-8B", None, None),
        ("nvidia/Llama-3_3-Nemotron-Super-49B-v1_5", None, None),
        ("acme/Llama-3.1-8B-Instruct-Legal", None, None),
        ("meta-llama/Llama-3.1-8B", None, None),
    ],
)
def test_a_name_leads_to_parsers(model: str, tools: str | None, thoughts: str | None) -> None:
    parsers = parsers_of(model)
    assert (parsers.tool_call, parsers.reasoning) == (tools, thoughts)


@pytest.mark.parametrize(
    ("model", "tools"),
    [
        ("google/gemma-3-12b-it", "pythonic"),
        ("google/gemma-4-31B-it", "gemma4"),
        ("google/gemma-4-E4B-it", "gemma4"),
        ("meta-llama/Llama-4-Scout-17B-16E-Instruct", "llama4_pythonic"),
        ("deepseek-ai/DeepSeek-V3.1", "deepseek_v31"),
        ("microsoft/Phi-4-mini-instruct", "phi4_mini_json"),
    ],
)
def test_families_whose_own_template_shows_no_tools_say_so(model: str, tools: str) -> None:
    assert (parsers_of(model).tool_call, parsers_of(model).needs_template) == (tools, True)


def test_the_names_are_those_of_the_images_release() -> None:
    assert VLLM.tool_call_parsers == engine_command.TOOL_CALL_PARSERS
    assert VLLM.reasoning_parsers == engine_command.REASONING_PARSERS
