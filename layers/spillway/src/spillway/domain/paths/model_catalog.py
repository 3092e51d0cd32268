"""What is known about models, so that one request works on every path whichever id it names a model by.

Hugging Face ids have a slash, Bedrock ids a dot and no slash, JumpStart ids neither. Bedrock's ids are those of its
catalog, JumpStart's those of SageMakerPublicHub. Instance types are ones whose GPU memory holds the weights in the
precision they are published in, with room for a KV cache, most wanted first.
"""

import re
from dataclasses import dataclass

from spillway.domain.deployments.spec import DeploymentSpec
from spillway.domain.errors import InvalidRequest


@dataclass(frozen=True)
class Model:
    """One model under its ids. ``weights_gb`` are gigabytes on disk; ``gated`` weights need a Hugging Face token."""

    id: str
    bedrock_id: str | None
    jumpstart_id: str | None
    instance_types: tuple[str, ...]
    weights_gb: int
    gated: bool = False


_ONE_GPU_8B = ("g6e.xlarge", "g5.2xlarge", "g6.2xlarge")
_FOUR_GPUS = ("g6e.12xlarge", "g5.48xlarge")

MODELS = (
    Model(
        "meta-llama/Llama-3.1-8B-Instruct",
        "meta.llama3-1-8b-instruct-v1:0",
        "meta-textgeneration-llama-3-1-8b-instruct",
        _ONE_GPU_8B,
        17,
        gated=True,
    ),
    Model(
        "meta-llama/Llama-3.1-70B-Instruct",
        "meta.llama3-1-70b-instruct-v1:0",
        "meta-textgeneration-llama-3-1-70b-instruct",
        _FOUR_GPUS,
        142,
        gated=True,
    ),
    Model(
        "meta-llama/Llama-3.3-70B-Instruct",
        "meta.llama3-3-70b-instruct-v1:0",
        "meta-textgeneration-llama-3-3-70b-instruct",
        _FOUR_GPUS,
        142,
        gated=True,
    ),
    Model("Qwen/Qwen3-8B", None, "huggingface-reasoning-qwen3-8b", _ONE_GPU_8B, 17),
    Model("Qwen/Qwen3-32B", "qwen.qwen3-32b-v1:0", "huggingface-reasoning-qwen3-32b", _FOUR_GPUS, 66),
    Model("openai/gpt-oss-20b", "openai.gpt-oss-20b-1:0", "openai-reasoning-gpt-oss-20b", ("g6e.xlarge",), 14),
    Model("openai/gpt-oss-120b", "openai.gpt-oss-120b-1:0", "openai-reasoning-gpt-oss-120b", ("g6e.12xlarge",), 66),
    Model(
        "google/gemma-3-4b-it", "google.gemma-3-4b-it", None, ("g6e.xlarge", "g5.xlarge", "g6.xlarge"), 9, gated=True
    ),
    Model("google/gemma-3-12b-it", "google.gemma-3-12b-it", None, ("g6e.xlarge",), 25, gated=True),
    Model("google/gemma-3-27b-it", "google.gemma-3-27b-it", None, _FOUR_GPUS, 55, gated=True),
)

# A cross-region inference profile is the model's id behind its geography.
_GEOGRAPHY = re.compile(r"^(us|us-gov|eu|apac|jp|au|ca|global)\.")
_BY_ID = {
    known.lower(): model
    for model in MODELS
    for known in (model.id, model.bedrock_id, model.jumpstart_id)
    if known is not None
}


def find(model_id: str) -> Model | None:
    """Return what is known about a model by any of its ids, None for a model that isn't listed."""
    bare = model_id.rsplit("/", 1)[-1] if model_id.startswith("arn:") else model_id
    return _BY_ID.get(_GEOGRAPHY.sub("", bare.lower()))


def is_hugging_face_id(model_id: str) -> bool:
    """Whether an id has the form ``organisation/name``."""
    return "/" in model_id and not model_id.startswith("arn:")


def is_bedrock_id(model_id: str) -> bool:
    """Whether an id has the form of a Bedrock model, inference profile or ARN."""
    return model_id.startswith("arn:") or ("." in model_id and "/" not in model_id)


def is_jumpstart_id(model_id: str) -> bool:
    """Whether an id has the form of a JumpStart hub model: hub names have neither dots nor slashes."""
    return "." not in model_id and "/" not in model_id and ":" not in model_id


def hugging_face_id(spec: DeploymentSpec) -> str:
    """Return the id that an engine loads a model by; InvalidRequest when the request's id leads to none."""
    if is_hugging_face_id(spec.model.id):
        return spec.model.id
    if model := find(spec.model.id):
        return model.id
    raise _unknown("a fleet", "a Hugging Face id such as 'meta-llama/Llama-3.1-8B-Instruct'", [m.id for m in MODELS])


def bedrock_id(spec: DeploymentSpec) -> str:
    """Return a model's Bedrock id; InvalidRequest when Bedrock's catalog has no such model."""
    if is_bedrock_id(spec.model.id):
        return spec.model.id
    model = find(spec.model.id)
    if model and model.bedrock_id:
        return model.bedrock_id
    known = [m.id for m in MODELS if m.bedrock_id]
    raise _unknown("Bedrock", "a Bedrock id such as 'meta.llama3-1-8b-instruct-v1:0'", known)


def jumpstart_id(spec: DeploymentSpec) -> str:
    """Return a model's name in the JumpStart hub; InvalidRequest when none is known."""
    if is_jumpstart_id(spec.model.id):
        return spec.model.id
    model = find(spec.model.id)
    if model and model.jumpstart_id:
        return model.jumpstart_id
    known = [m.id for m in MODELS if m.jumpstart_id]
    raise _unknown("JumpStart", "a hub id such as 'meta-textgeneration-llama-3-1-8b-instruct'", known)


def fleet_instance_types(spec: DeploymentSpec) -> tuple[str, ...]:
    """Return the EC2 instance types to try, most wanted first; InvalidRequest when none is given or known."""
    if spec.capacity.instance_types:
        return tuple(ec2_instance_type(name) for name in spec.capacity.instance_types)
    if model := find(spec.model.id):
        return model.instance_types
    raise InvalidRequest(
        f"no instance type is known for {spec.model.id}: name at least one in capacity.instance_types",
        param="capacity.instance_types",
    )


def ec2_instance_type(name: str) -> str:
    """Return an instance type as EC2 writes it: ``ml.g6e.xlarge`` is ``g6e.xlarge``."""
    return name.removeprefix("ml.")


def sagemaker_instance_type(name: str) -> str:
    """Return an instance type as SageMaker writes it: ``g6e.xlarge`` is ``ml.g6e.xlarge``."""
    return f"ml.{name.removeprefix('ml.')}"


def _unknown(path: str, wanted: str, known: list[str]) -> InvalidRequest:
    return InvalidRequest(
        f"model.id names no model that {path} is known to have: give {wanted}", param="model.id", allowed=known
    )
