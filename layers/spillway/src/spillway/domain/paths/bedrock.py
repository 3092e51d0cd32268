"""The path to Bedrock's catalog."""

from spillway.domain.observations.signals import Signal
from spillway.domain.paths.bedrock_models import bedrock_model, own_id
from spillway.domain.paths.model_catalog import MODELS, find, is_bedrock_id, unknown_model
from spillway.domain.paths.path import Path
from spillway.domain.paths.profile import PathProfile
from spillway.domain.paths.targets import BedrockApi, BedrockTarget

# Providers whose models are not sold through AWS Marketplace: no account needs to subscribe to them (Bedrock's user
# guide, "Use product ID condition keys to control access").
_NOT_ON_MARKETPLACE = ("amazon", "deepseek", "meta", "mistral", "openai", "qwen")


def is_on_marketplace(model_id: str) -> bool:
    """Whether a foundation model, by its own id, may be called only by accounts that subscribe to it."""
    return model_id.split(".", 1)[0] not in _NOT_ON_MARKETPLACE


def bedrock_api(model_id: str, api: BedrockApi | None = None) -> BedrockApi | None:
    """Return the API that a model is called by, the one that the user named first; None where only calls can tell."""
    if api is not None or (known := bedrock_model(model_id)) is None:
        return api
    return "openai" if known.chat else "converse"


def bedrock_target(called_id: str, model_id: str, api: BedrockApi | None = None) -> BedrockTarget:
    """Return where a model answers that is called by ``called_id``; ``api`` is what the user named.

    Of a model that nobody knows the gateway finds the API by its first calls.
    """
    own = None if own_id(called_id) == own_id(model_id) else model_id
    return BedrockTarget(called_id, bedrock_api(model_id, api), own)


def bedrock_id(model_id: str) -> str:
    """Return a model's Bedrock id; InvalidRequest when Bedrock's catalog has no such model."""
    if is_bedrock_id(model_id):
        return model_id
    model = find(model_id)
    if model and model.bedrock_id:
        return model.bedrock_id
    known = [m.id for m in MODELS if m.bedrock_id]
    raise unknown_model("Bedrock", "a Bedrock id such as 'meta.llama3-1-8b-instruct-v1:0'", known)


# What the gateway counts tells of quotas and denials.
BEDROCK = PathProfile(path=Path.BEDROCK, model_id=bedrock_id, signals=frozenset({Signal.TRAFFIC}))
