"""JumpStart's containers are told by their environment how to read what their model says."""

from typing import Any

import pytest

from spillway.adapters.drivers.jumpstart.containers import told
from spillway.adapters.drivers.jumpstart.hub import Hosting
from spillway.domain.errors import InvalidRequest
from tests.builders import a_spec
from tests.sandbox.cloud.containers import command_of

REGISTRY = "763104351884.dkr.ecr.us-east-1.amazonaws.com"
VLLM = ("vllm", f"{REGISTRY}/vllm:0.18.0-gpu-py312-cu129-ubuntu22.04-sagemaker")
LMI = ("djl-lmi", f"{REGISTRY}/djl-inference:0.35.0-lmi17.0.0-cu128")
OLD_LMI = ("djl-lmi", f"{REGISTRY}/djl-inference:0.29.0-lmi11.0.0-cu124")
TGI = ("huggingface-llm", f"{REGISTRY}/huggingface-pytorch-tgi-inference:2.6.0-tgi3.3.7-gpu-py311-cu124-ubuntu22.04")
# As the real hub document of gpt-oss-20b has them for its LMI container.
HUBS_OWN = {"OPTION_ENABLE_AUTO_TOOL_CHOICE": "true", "OPTION_TOOL_CALL_PARSER": "openai", "OPTION_ASYNC_MODE": "true"}


def a_hosting(container: tuple[str, str], environment: dict[str, str] | None = None) -> Hosting:
    return Hosting("ml.g5.2xlarge", container[1], {}, environment=environment or {}, framework=container[0])


def a_hub_model(model: str = "Qwen/Qwen3-8B", **engine: Any) -> Any:
    return a_spec(path="jumpstart", model={"id": model}, engine=engine)


@pytest.mark.parametrize(("container", "prefix"), [(VLLM, "SM_VLLM_"), (LMI, "OPTION_")])
def test_a_container_is_told_what_is_known_of_its_model(container: tuple[str, str], prefix: str) -> None:
    hosting = told(a_hosting(container, {"A": "1"}), a_hub_model())
    assert hosting.environment == {
        "A": "1",
        f"{prefix}ENABLE_AUTO_TOOL_CHOICE": "true",
        f"{prefix}TOOL_CALL_PARSER": "hermes",
        f"{prefix}REASONING_PARSER": "qwen3",
    }
    assert hosting.tool_call_parser == "hermes"
    command = command_of({"Image": hosting.image, "Environment": hosting.environment}, "chat")
    assert (command.tool_call_parser, command.reasoning_parser) == ("hermes", "qwen3")


def test_the_documents_own_parser_comes_before_what_is_known() -> None:
    hosting = told(a_hosting(LMI, HUBS_OWN), a_hub_model(reasoning_parser="none"))
    assert hosting.environment == HUBS_OWN
    assert hosting.tool_call_parser == "openai"


def test_the_users_wish_comes_before_the_documents() -> None:
    hosting = told(a_hosting(LMI, HUBS_OWN), a_hub_model(tool_call_parser="llama3_json", reasoning_parser="none"))
    assert hosting.environment == HUBS_OWN | {"OPTION_TOOL_CALL_PARSER": "llama3_json"}
    assert hosting.tool_call_parser == "llama3_json"


def test_parsers_are_switched_off() -> None:
    hosting = told(a_hosting(LMI, HUBS_OWN), a_hub_model(tool_call_parser="none", reasoning_parser="none"))
    assert hosting.environment == {"OPTION_ASYNC_MODE": "true"}
    assert hosting.tool_call_parser is None


def test_a_model_that_is_not_known_is_left_to_the_document() -> None:
    hosting = told(
        a_hosting(VLLM, {"SM_VLLM_MAX_MODEL_LEN": "8192"}), a_hub_model("huggingface-llm-falcon-3-7B-Instruct")
    )
    assert hosting.environment == {"SM_VLLM_MAX_MODEL_LEN": "8192"}
    assert hosting.tool_call_parser is None


def test_flags_are_variables() -> None:
    args = {"max-num-seqs": 8, "enforce-eager": True, "limit-mm-per-prompt": {"image": 0}}
    hosting = told(a_hosting(VLLM), a_hub_model("acme/none", args=args))
    assert hosting.environment == {
        "SM_VLLM_MAX_NUM_SEQS": "8",
        "SM_VLLM_ENFORCE_EAGER": "true",
        "SM_VLLM_LIMIT_MM_PER_PROMPT": '{"image":0}',
    }


@pytest.mark.parametrize("container", [OLD_LMI, TGI, ("", "an-image")])
def test_a_container_that_has_no_setting_is_told_nothing(container: tuple[str, str]) -> None:
    hosting = a_hosting(container, {"A": "1"})
    assert told(hosting, a_hub_model(tool_call_parser="none")) == hosting


@pytest.mark.parametrize(
    ("engine", "param"),
    [
        ({"tool_call_parser": "hermes"}, "engine.tool_call_parser"),
        ({"reasoning_parser": "qwen3"}, "engine.reasoning_parser"),
        ({"args": {"max-num-seqs": 8}}, "engine.args"),
    ],
)
def test_a_wish_that_a_container_has_no_setting_for_is_refused(engine: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest, match=r"djl-inference:0\.29\.0") as caught:
        told(a_hosting(OLD_LMI), a_hub_model(**engine))
    assert caught.value.param == param


def an_embedder(model: str = "huggingface-textembedding-acme-1b", task: str | None = None) -> Any:
    return a_spec(path="jumpstart", model={"id": model, "task": task})


def test_a_container_of_vllms_is_told_that_its_model_embeds() -> None:
    hosting = told(a_hosting(VLLM), an_embedder())
    assert hosting.environment == {"SM_VLLM_RUNNER": "pooling"}
    assert command_of({"Image": hosting.image, "Environment": hosting.environment}, "embed").task == "embed"


@pytest.mark.parametrize("container", [LMI, OLD_LMI, TGI], ids=["lmi", "old lmi", "tgi"])
def test_a_container_that_embeds_in_a_protocol_of_its_own_is_refused(container: tuple[str, str]) -> None:
    with pytest.raises(InvalidRequest, match="a fleet serves such models") as refused:
        told(a_hosting(container), an_embedder())
    assert refused.value.param == "model.task"
