"""What SageMaker's containers speak of OpenAI's protocol, by their framework and release.

Sources: the code of djl-serving (0.29 to 0.36) and of text-generation-inference (2.0 to 3.3.7), and vLLM's.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

DJL_LMI = "djl-lmi"
TGI = "huggingface-llm"
VLLM = "vllm"
SGLANG = "sglang"

# The resources of a deployment that name its container.
FRAMEWORK = "framework"
VERSION = "framework_version"

# An image's repository tells its framework, whatever a hub document says: one configuration of gpt-oss-20b's is vLLM on
# some instance types and DJL's LMI on others.
_FRAMEWORKS = {
    "djl-inference": DJL_LMI,
    "huggingface-pytorch-tgi-inference": TGI,
    "huggingface-vllm": VLLM,
    "sglang": SGLANG,
    "vllm": VLLM,
}
# TGI's release stands behind PyTorch's: 2.1.1-tgi2.0.0-gpu-….
_RELEASE = re.compile(r":(?:\S*-tgi)?(\d+\.\d+\.\d+)")

# LMI's first release that passes a request on to vLLM's own server code; before, it writes answers itself.
_LMI_ON_VLLMS_SERVER = (0, 35)
# LMI's first release that reads a request as vLLM does, tools and limits included.
_LMI_WITH_TOOLS = (0, 32)


@dataclass(frozen=True)
class Protocol:
    """What a container has of OpenAI's protocol.

    ``completions``: text completions; without them they are mapped onto chat. ``tools``: calls in OpenAI's form, where
    the container has a parser for them. ``is_vllms``: requests are read and answers written by vLLM's own server code.
    ``cuts_answers``: an answer whose request names no limit ends after a few dozen tokens. ``wants_model``: a request
    must name a model, whichever. ``is_strict``: it refuses values that OpenAI takes.
    """

    completions: bool
    tools: bool
    is_vllms: bool
    cuts_answers: bool = False
    wants_model: bool = False
    is_strict: bool = False


_VLLMS = Protocol(completions=True, tools=True, is_vllms=True)
_ROLLING_LMI = Protocol(completions=False, tools=True, is_vllms=False)
_OLD_LMI = Protocol(completions=False, tools=False, is_vllms=False, cuts_answers=True)
# Tools would be a grammar's: up to 3.1 calls are named "tools" or come as lists of text, and of none is one left out.
_TGI = Protocol(completions=False, tools=False, is_vllms=False, cuts_answers=True, wants_model=True, is_strict=True)


def container_in(image: str) -> tuple[str, str | None] | None:
    """Return the framework and the release of an image of AWS's, None for one that its address does not tell."""
    framework = _FRAMEWORKS.get(image.rsplit("/", 1)[-1].split(":", 1)[0])
    if framework is None:
        return None
    release = _RELEASE.search(image)
    return framework, release[1] if release else None


def protocol_of(framework: str | None, version: str | None) -> Protocol | None:
    """Return what a container speaks; None for one of which nothing is known.

    An LMI container of an unknown release is taken for one of the newest.
    """
    if framework == TGI:
        return _TGI
    if framework == DJL_LMI:
        release = _release(version)
        if release is None or release >= _LMI_ON_VLLMS_SERVER:
            return _VLLMS
        return _ROLLING_LMI if release >= _LMI_WITH_TOOLS else _OLD_LMI
    return _VLLMS if framework == VLLM else None


def protocol_in(resources: Mapping[str, str]) -> Protocol | None:
    """Return what the container of a deployment with these resources speaks; None as protocol_of."""
    return protocol_of(resources.get(FRAMEWORK), resources.get(VERSION))


def _release(version: str | None) -> tuple[int, int] | None:
    numbers = re.match(r"(\d+)\.(\d+)", version or "")
    return (int(numbers[1]), int(numbers[2])) if numbers else None
