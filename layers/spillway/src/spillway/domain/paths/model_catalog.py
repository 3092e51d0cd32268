"""What is known about models, so that one request works on every path whichever id it names a model by.

Hugging Face ids have a slash, Bedrock ids a dot and no slash, JumpStart ids neither. Bedrock's ids are those of its
catalog, JumpStart's those of SageMakerPublicHub. Instance types are ones whose GPU memory holds the weights in the
precision they are published in, with room for a KV cache, most wanted first.
"""

from dataclasses import dataclass

from spillway.domain.errors import InvalidRequest
from spillway.domain.paths.bedrock_models import own_id


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

_BY_ID = {
    known.lower(): model
    for model in MODELS
    for known in (model.id, model.bedrock_id, model.jumpstart_id)
    if known is not None
}


def find(model_id: str) -> Model | None:
    """Return what is known about a model by any of its ids, None for a model that isn't listed."""
    return _BY_ID.get(own_id(model_id) if is_bedrock_id(model_id) else model_id.lower())


def is_hugging_face_id(model_id: str) -> bool:
    """Whether an id has the form ``organisation/name``."""
    return "/" in model_id and not model_id.startswith("arn:")


def is_bedrock_id(model_id: str) -> bool:
    """Whether an id has the form of a Bedrock model, inference profile or ARN."""
    return model_id.startswith("arn:") or ("." in model_id and "/" not in model_id)


def is_jumpstart_id(model_id: str) -> bool:
    """Whether an id has the form of a JumpStart hub model: hub names have neither dots nor slashes."""
    return "." not in model_id and "/" not in model_id and ":" not in model_id


def hugging_face_id(model_id: str) -> str:
    """Return the id that an engine loads a model by; InvalidRequest when the request's id leads to none."""
    if is_hugging_face_id(model_id):
        return model_id
    if model := find(model_id):
        return model.id
    raise unknown_model(
        "a fleet", "a Hugging Face id such as 'meta-llama/Llama-3.1-8B-Instruct'", [m.id for m in MODELS]
    )


def unknown_model(path: str, wanted: str, known: list[str]) -> InvalidRequest:
    """Return the error for an id that leads to no model of a path."""
    return InvalidRequest(
        f"this names no model that {path} is known to have: give {wanted}", param="model.id", allowed=known
    )
