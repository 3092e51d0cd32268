"""The places that can answer a request; plain data, so that the gateway's start stays light."""

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, assert_never

BedrockApi: TypeAlias = Literal["converse", "openai"]


@dataclass(frozen=True)
class BedrockTarget:
    """A Bedrock catalog model, or inference profile, reached by Converse or the OpenAI-compatible endpoint."""

    model_id: str
    api: BedrockApi


@dataclass(frozen=True)
class ImportedTarget:
    """A model of the user's own in Bedrock (Custom Model Import), reached by InvokeModel with OpenAI's bodies."""

    model_arn: str
    # Custom model units that one copy of it runs on: what is billed.
    units_per_copy: int | None = None


@dataclass(frozen=True)
class SageMakerTarget:
    """A SageMaker real-time endpoint, and the inference component on it."""

    endpoint: str
    component: str


@dataclass(frozen=True)
class FleetTarget:
    """A fleet's engines behind the internal load balancer, by the deployment's name."""

    deployment: str


Target: TypeAlias = BedrockTarget | ImportedTarget | SageMakerTarget | FleetTarget


def path_of(target: Target) -> str:
    """Return the path that a target belongs to: ``bedrock``, ``import``, ``jumpstart`` or ``fleet``."""
    match target:
        case BedrockTarget():
            return "bedrock"
        case ImportedTarget():
            return "import"
        case SageMakerTarget():
            return "jumpstart"
        case FleetTarget():
            return "fleet"
        case _:
            assert_never(target)


def target_to_json(target: Target) -> dict[str, Any]:
    """Return a target as a JSON object, tagged with its ``kind``."""
    return {"kind": path_of(target), **vars(target)}


def target_from_json(data: dict[str, Any]) -> Target:
    """Read back what :func:`target_to_json` wrote; raises ``ValueError`` for a kind that is none."""
    fields = {key: value for key, value in data.items() if key != "kind"}
    match data["kind"]:
        case "bedrock":
            return BedrockTarget(**fields)
        case "import":
            return ImportedTarget(**fields)
        case "jumpstart":
            return SageMakerTarget(**fields)
        case "fleet":
            return FleetTarget(**fields)
        case other:
            raise ValueError(f"unknown kind of target: {other}")


# Providers whose catalog models predate the OpenAI-compatible endpoint: Converse serves all of them.
_CONVERSE_PROVIDERS = ("meta", "mistral", "amazon", "cohere", "ai21", "deepseek")


def bedrock_api_for(model_id: str) -> BedrockApi:
    """Return the API to call a Bedrock model by when the user named none.

    A cross-region profile carries its geography first (``us.meta.…``).
    """
    bare = model_id.rsplit("/", 1)[-1]
    providers = bare.split(".")[:2]
    return "converse" if any(provider in _CONVERSE_PROVIDERS for provider in providers) else "openai"
