"""What is known about models, so that one request works on every path whichever id it names a model by.

Hugging Face ids have a slash, Bedrock ids a dot and no slash, JumpStart ids neither. Bedrock's ids are those of its
catalog, JumpStart's those of SageMakerPublicHub. Instance types are ones whose GPU memory holds the weights in the
precision they are published in, with room for a KV cache, most wanted first.
"""

from dataclasses import dataclass

from spillway.domain.errors import InvalidRequest
from spillway.domain.paths.bedrock_embeddings import bedrock_task
from spillway.domain.paths.bedrock_models import own_id
from spillway.domain.task import Task


@dataclass(frozen=True)
class Model:
    """One model under its ids. ``weights_gb`` are gigabytes on disk; ``gated`` weights need a Hugging Face token.

    ``context_length`` is the most tokens that an engine can be started with, None where that was not looked up.
    """

    id: str
    bedrock_id: str | None
    jumpstart_id: str | None
    instance_types: tuple[str, ...]
    weights_gb: int
    gated: bool = False
    task: Task = Task.CHAT
    context_length: int | None = None


_ONE_GPU_8B = ("g6e.xlarge", "g5.2xlarge", "g6.2xlarge")
_FOUR_GPUS = ("g6e.12xlarge", "g5.48xlarge")
_ONE_SMALL_GPU = ("g6.xlarge", "g5.xlarge", "g6e.xlarge")

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
    Model(
        "BAAI/bge-m3",
        None,
        "huggingface-sentencesimilarity-bge-m3",
        _ONE_SMALL_GPU,
        3,
        task=Task.EMBED,
        context_length=8_192,
    ),
    Model(
        "BAAI/bge-large-en-v1.5",
        None,
        "huggingface-sentencesimilarity-bge-large-en-v1-5",
        _ONE_SMALL_GPU,
        2,
        task=Task.EMBED,
        context_length=512,
    ),
    Model(
        "intfloat/multilingual-e5-large",
        None,
        "huggingface-sentencesimilarity-multilingual-e5-large",
        _ONE_SMALL_GPU,
        3,
        task=Task.EMBED,
        context_length=512,
    ),
    Model("intfloat/e5-mistral-7b-instruct", None, None, _ONE_GPU_8B, 29, task=Task.EMBED, context_length=32_768),
    Model("Qwen/Qwen3-Embedding-0.6B", None, None, _ONE_SMALL_GPU, 2, task=Task.EMBED, context_length=32_768),
    Model("Qwen/Qwen3-Embedding-4B", None, None, _ONE_SMALL_GPU, 9, task=Task.EMBED, context_length=40_960),
    Model("Qwen/Qwen3-Embedding-8B", None, None, _ONE_GPU_8B, 16, task=Task.EMBED, context_length=40_960),
    Model("BAAI/bge-reranker-v2-m3", None, None, _ONE_SMALL_GPU, 3, task=Task.RERANK, context_length=8_192),
    Model("Qwen/Qwen3-Reranker-0.6B", None, None, _ONE_SMALL_GPU, 2, task=Task.RERANK, context_length=40_960),
    Model("Qwen/Qwen3-Reranker-4B", None, None, _ONE_SMALL_GPU, 9, task=Task.RERANK, context_length=40_960),
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


# As the hub's ids spell tasks (``meta-textgeneration-…``), and its documents in words.
_HUB_TASKS = {
    "textgeneration": Task.CHAT,
    "sentencesimilarity": Task.EMBED,
    "textembedding": Task.EMBED,
    "tcembedding": Task.EMBED,
}


def hub_task(said: str) -> Task | None:
    """Return what JumpStart's hub means by a model's task; None for a word that is not known here."""
    return _HUB_TASKS.get(said.replace(" ", "").lower())


def known_task(model_id: str) -> Task | None:
    """Return what a model is for, by any of its ids; None where none of them tells."""
    if model := find(model_id):
        return model.task
    if is_bedrock_id(model_id):
        return bedrock_task(model_id)
    return hub_task(model_id.split("-")[1]) if is_jumpstart_id(model_id) and "-" in model_id else None


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
