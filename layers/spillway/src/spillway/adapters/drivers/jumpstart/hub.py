"""From a JumpStart hub document to what SageMaker has to be told: which image, weights, environment, resources.

A document describes a model at its top level and overlays it by named, ranked configurations. Unknown fields are
ignored: the format grows.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from spillway.domain.errors import InvalidRequest
from spillway.domain.paths.containers import DJL_LMI, SGLANG, TGI, VLLM, container_in
from spillway.domain.paths.jumpstart import sagemaker_instance_type
from spillway.domain.paths.model_catalog import hub_task
from spillway.domain.task import Task

Document = Mapping[str, Any]

# These servers take OpenAI's chat format as they come; Text Generation Inference must be told to.
_SPEAK_CHAT = (VLLM, DJL_LMI, SGLANG)
_CHAT_SWITCH = {"MESSAGES_API_ENABLED": "true"}
# A component reserves this much memory for each copy when the document says nothing; the weights are on the GPU.
_LEAST_MEMORY_MB = 1024


@dataclass(frozen=True)
class Hosting:
    """What one model needs on one instance type; times in seconds, None where the document leaves it to SageMaker.

    ``tool_call_parser`` is what the environment has the container read calls of tools by, ``version`` the release of
    its ``framework``.
    """

    instance_type: str
    image: str
    data_source: Mapping[str, Any]
    additional_sources: tuple[Mapping[str, Any], ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    network_isolation: bool = False
    memory_mb: int = _LEAST_MEMORY_MB
    accelerators: int = 1
    download_seconds: int | None = None
    startup_seconds: int | None = None
    ami_version: str | None = None
    framework: str = ""
    version: str | None = None
    tool_call_parser: str | None = None


def task_of(document: Document) -> Task | None:
    """Return what the model is for, None where the document does not tell."""
    return hub_task(str(document.get("Task") or ""))


def needs_eula(document: Document) -> bool:
    """Whether the model's provider wants its licence accepted."""
    return bool(_base(document).get("GatedBucket") or eula_of(document))


def eula_of(document: Document) -> str | None:
    """Return where the licence can be read, None when the document names none."""
    base = _base(document)
    return base.get("HostingEulaExternalLink") or _readable(base.get("HostingEulaUri"))


def instance_type_of(document: Document, wanted: tuple[str, ...]) -> str:
    """Return the first wanted type that the model supports, its own default when none is wanted.

    Raises InvalidRequest, with the supported ones, when it supports none of the wanted.
    """
    supported = supported_types(document)
    if not wanted:
        return str(_base(document)["DefaultInferenceInstanceType"])
    for name in map(sagemaker_instance_type, wanted):
        if name in supported:
            return name
    raise InvalidRequest(
        f"JumpStart hosts this model on none of {', '.join(wanted)}", param="capacity.instance_types", allowed=supported
    )


def supported_types(document: Document) -> list[str]:
    """Return the types that the model runs on, whether or not a region has them."""
    return list(_base(document).get("SupportedInferenceInstanceTypes") or [])


def hosting_of(document: Document, instance_type: str, *, accept_eula: bool, weights: str | None = None) -> Hosting:
    """Return what to create; ``weights`` (an S3 prefix of the user's own) take the place of the hub's."""
    base = _base(document)
    if base.get("HostingModelPackageArn"):
        raise InvalidRequest("model.id is a marketplace model, which needs a subscription of its own", param="model.id")
    variants = base.get("HostingInstanceTypeVariants") or {}
    layers = [_variant(variants, instance_type.split(".")[1]), _variant(variants, instance_type)]
    resources = dict(base.get("HostingResourceRequirements") or {})
    environment = {item["Name"]: str(item["Default"]) for item in base.get("InferenceEnvironmentVariables") or []}
    image = base.get("HostingEcrUri")
    for layer in layers:
        image = _aliased(variants, layer.get("ImageUri")) or image
        environment |= {name: str(value) for name, value in (layer.get("EnvironmentVariables") or {}).items()}
        resources |= layer.get("ResourceRequirements") or {}
    if not image:
        raise InvalidRequest(f"the hub document names no image for {instance_type}", param="capacity.instance_types")
    framework, version = container_in(image) or (_framework(base), None)
    if framework == TGI:
        environment |= _CHAT_SWITCH
    accepted = accept_eula and needs_eula(document)
    return Hosting(
        instance_type=instance_type,
        image=image,
        data_source=_source(_own(weights) if weights else _hub_weights(base), accepted and not weights),
        additional_sources=tuple(_additional(base, accepted)),
        environment=environment,
        network_isolation=bool(base.get("InferenceEnableNetworkIsolation")),
        memory_mb=int(resources.get("MinMemoryMb") or _LEAST_MEMORY_MB),
        accelerators=int(resources.get("NumAccelerators") or 1),
        download_seconds=base.get("ModelDataDownloadTimeout"),
        startup_seconds=base.get("ContainerStartupHealthCheckTimeout"),
        ami_version=base.get("InferenceAmiVersion"),
        framework=framework,
        version=version or _version(base, framework),
    )


def _base(document: Document) -> dict[str, Any]:
    """Return the top level under the best-ranked configuration that the gateway can talk to."""
    ranked = document.get("InferenceConfigRankings", {}).get("overall", {}).get("Rankings") or []
    overlays = [_overlay(document, name) for name in ranked]
    best = next((overlay for overlay in overlays if _framework(overlay) in _SPEAK_CHAT), None)
    return {**document, **(best or (overlays[0] if overlays else {}))}


def _overlay(document: Document, name: str) -> dict[str, Any]:
    components = document.get("InferenceConfigComponents") or {}
    overlay: dict[str, Any] = {}
    for component in document.get("InferenceConfigs", {}).get(name, {}).get("ComponentNames", []):
        overlay |= components.get(component, {})
    return overlay


def _framework(fields: Mapping[str, Any]) -> str:
    return str((fields.get("HostingEcrSpecs") or {}).get("Framework", ""))


def _version(fields: Mapping[str, Any], framework: str) -> str | None:
    """Return the release that a document names, where it names that of the framework that the image has."""
    specs = fields.get("HostingEcrSpecs") or {}
    return specs.get("FrameworkVersion") if specs.get("Framework") == framework else None


def _variant(variants: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = (variants.get("Variants") or {}).get(name, {}).get("Properties") or {}
    return found


def _aliased(variants: Mapping[str, Any], image: str | None) -> str | None:
    if image and image.startswith("$"):
        return str((variants.get("Aliases") or {})[image.removeprefix("$")])
    return image


def _hub_weights(base: Mapping[str, Any]) -> dict[str, str]:
    uri = str(base["HostingArtifactUri"])
    return {
        "S3Uri": uri,
        "S3DataType": base.get("HostingArtifactS3DataType") or ("S3Prefix" if uri.endswith("/") else "S3Object"),
        "CompressionType": base.get("HostingArtifactCompressionType") or ("None" if uri.endswith("/") else "Gzip"),
    }


def _own(weights: str) -> dict[str, str]:
    return {"S3Uri": f"{weights.rstrip('/')}/", "S3DataType": "S3Prefix", "CompressionType": "None"}


def _source(source: Mapping[str, Any], accepted: bool) -> dict[str, Any]:
    known = {key: source[key] for key in ("S3Uri", "S3DataType", "CompressionType")}
    return {**known, "ModelAccessConfig": {"AcceptEula": True}} if accepted else known


def _additional(base: Mapping[str, Any], accepted: bool) -> list[dict[str, Any]]:
    """Return the draft models and scripts that a configuration mounts beside the weights."""
    kinds = base.get("HostingAdditionalDataSources") or {}
    return [
        {
            "ChannelName": item["ChannelName"],
            "S3DataSource": _source(item["S3DataSource"], accepted and "HostingEulaUri" in item),
        }
        for items in kinds.values()
        for item in items
    ]


def _readable(uri: str | None) -> str | None:
    """Return an S3 URI of a public bucket as a link for a browser."""
    if uri is None or not uri.startswith("s3://"):
        return uri
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return f"https://{bucket}.s3.amazonaws.com/{key}"
