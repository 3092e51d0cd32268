"""An engine's command line is read as vLLM reads it: what it cannot take ends the process."""

import base64
from typing import Any

import pytest

from tests.sandbox.cloud.boot_scripts import command_in
from tests.sandbox.cloud.containers import command_of
from tests.sandbox.engine_command import Command, EngineEnded, read_command

VLLM = "763104351884.dkr.ecr.us-east-1.amazonaws.com/vllm:0.18.0-gpu-py312-cu129-ubuntu22.04-sagemaker"
LMI = "763104351884.dkr.ecr.us-east-1.amazonaws.com/djl-inference:{}-cu128"
TOOLS = ["--enable-auto-tool-choice", "--tool-call-parser", "hermes"]


def script(arguments: str, *, token: str = "''", more: str = "") -> str:
    text = f"#!/bin/bash\nTOKEN_SECRET={token}\nARGS=({arguments})\n{more}"
    return base64.b64encode(text.encode()).decode()


def test_a_command_says_what_is_served_and_what_is_parsed() -> None:
    words = ["--served-model-name", "chat", "--max-model-len", "4096", "--reasoning-parser", "qwen3"]
    assert read_command(["serve", "Qwen/Qwen3-8B", *words, *TOOLS]) == Command(
        "Qwen/Qwen3-8B", "chat", 4096, "hermes", "qwen3"
    )


def test_a_parser_alone_turns_nothing_on() -> None:
    assert read_command(["serve", "m", "--tool-call-parser", "hermes"]).tool_call_parser is None


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--enable-auto-tool-choice"], "requires --tool-call-parser"),
        (["--enable-auto-tool-choice", "--tool-call-parser", "qwen4"], "invalid tool call parser: qwen4"),
        (["--reasoning-parser", "none"], "invalid reasoning parser: none"),
        (["--tool-parser", "hermes"], "unrecognized arguments: --tool-parser hermes"),
        (["--max-model", "8192"], "unrecognized arguments"),
        (["--max-model-len", "many"], "invalid int value"),
        (["--dtype", "bf16"], "invalid choice"),
        (["--default-chat-template-kwargs", "{no"], "invalid"),
        (["--structured-outputs-config", '{"backend": "jsonformer"}'], "Invalid structured outputs backend"),
    ],
)
def test_what_vllm_cannot_take_ends_it(words: list[str], says: str) -> None:
    with pytest.raises(EngineEnded, match=says):
        read_command(["serve", "m", *words])


def test_the_boot_scripts_own_command_line_counts() -> None:
    words = """serve Qwen/Qwen3-8B --served-model-name chat --tensor-parallel-size "$(nvidia-smi -L | wc -l)" """
    assert command_in(script(words + " ".join(TOOLS))).tool_call_parser == "hermes"


@pytest.mark.parametrize(
    ("arguments", "token", "says"),
    [
        ("serve acme/none-7B", "''", "not a valid model identifier"),
        ("serve meta-llama/Llama-3.1-8B-Instruct", "''", "gated repo"),
        ("serve Qwen/Qwen3-8B --chat-template /run/none.jinja", "''", "doesn't exist"),
        ("run Qwen/Qwen3-8B", "''", "invalid choice"),
    ],
)
def test_a_model_or_a_template_that_is_not_there_does_not_serve(arguments: str, token: str, says: str) -> None:
    with pytest.raises(EngineEnded, match=says):
        command_in(script(arguments, token=token))


def test_a_gated_model_serves_with_a_token_and_a_template_that_was_fetched() -> None:
    secret = "arn:aws:secretsmanager:us-east-1:123456789012:secret:hf"
    words = "serve meta-llama/Llama-3.1-8B-Instruct --chat-template /run/t.jinja"
    assert (
        command_in(script(words, token=secret, more="curl -o /run/t.jinja https://x\n")).chat_template == "/run/t.jinja"
    )


@pytest.mark.parametrize(
    ("image", "environment", "parser"),
    [
        (VLLM, {"SM_VLLM_ENABLE_AUTO_TOOL_CHOICE": "true", "SM_VLLM_TOOL_CALL_PARSER": "openai"}, "openai"),
        (VLLM, {"SM_VLLM_ENABLE_AUTO_TOOL_CHOICE": "false", "SM_VLLM_TOOL_CALL_PARSER": "openai"}, None),
        (VLLM, {"OPTION_ENABLE_AUTO_TOOL_CHOICE": "true", "OPTION_TOOL_CALL_PARSER": "openai"}, None),
        (VLLM, {"SM_VLLM_MAX_MODEL_LEN": "8192", "A": "1"}, None),
        (
            LMI.format("0.34.0-lmi16.0.0"),
            {
                "OPTION_ENABLE_AUTO_TOOL_CHOICE": "true",
                "OPTION_TOOL_CALL_PARSER": "openai",
                "OPTION_ASYNC_MODE": "true",
            },
            "openai",
        ),
        (
            LMI.format("0.29.0-lmi11.0.0"),
            {"OPTION_ENABLE_AUTO_TOOL_CHOICE": "true", "OPTION_TOOL_CALL_PARSER": "openai"},
            None,
        ),
    ],
)
def test_a_containers_environment_is_its_command_line(image: str, environment: dict[str, str], parser: str) -> None:
    container: dict[str, Any] = {"Image": image, "Environment": environment}
    assert command_of(container, "chat").tool_call_parser == parser


def test_a_container_that_is_told_nonsense_does_not_start() -> None:
    with pytest.raises(EngineEnded, match="requires --tool-call-parser"):
        command_of({"Image": VLLM, "Environment": {"SM_VLLM_ENABLE_AUTO_TOOL_CHOICE": "true"}}, "chat")


OVERRIDES = '{"architectures": ["Qwen3ForSequenceClassification"]}'


@pytest.mark.parametrize(
    ("words", "task"),
    [
        (["Qwen/Qwen3-Embedding-8B"], "generate"),
        (["Qwen/Qwen3-Embedding-8B", "--runner", "pooling"], "embed"),
        (["BAAI/bge-m3"], "embed"),
        (["BAAI/bge-reranker-v2-m3", "--runner", "pooling"], "score"),
        (["Qwen/Qwen3-Reranker-4B", "--runner", "pooling"], "embed"),
        (["Qwen/Qwen3-Reranker-4B", "--runner", "pooling", "--hf-overrides", OVERRIDES], "score"),
    ],
)
def test_what_an_engine_serves_a_model_for_follows_from_its_command(words: list[str], task: str) -> None:
    assert read_command(["serve", *words]).task == task


def test_a_context_that_its_model_has_not_ends_an_engine() -> None:
    with pytest.raises(EngineEnded, match="greater than the derived max_model_len"):
        read_command(["serve", "BAAI/bge-large-en-v1.5", "--max-model-len", "8192"])
