"""The models that the emulated Bedrock knows; its control plane and its runtime share one catalog."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime


@dataclass
class FoundationModel:
    """A catalog model; change the settings to take access, the region or the agreement away.

    ``endpoints`` are those of the OpenAI-compatible endpoint that serve it; Converse and InvokeModel serve all.
    ``output_burndown`` is what a token of an answer counts against the quota: one for all but some of Anthropic's.
    """

    id: str
    authorized: bool = True
    region_available: bool = True
    entitled: bool = True
    agreement: str = "AVAILABLE"
    lifecycle: str = "ACTIVE"
    inference_types: tuple[str, ...] = ("ON_DEMAND",)
    most_output_tokens: int = 8_192
    output_burndown: int = 1
    endpoints: tuple[str, ...] = ("chat/completions",)

    @property
    def embeds(self) -> bool:
        """Whether it returns vectors, by InvokeModel alone."""
        return ".titan-embed-" in self.id or ".embed-" in self.id

    @property
    def provider(self) -> str:
        return self.id.split(".", 1)[0].title()


@dataclass(frozen=True)
class ImportedModel:
    """A custom import; ``architecture`` and the number of units are what Bedrock found in the weights."""

    arn: str
    name: str
    job_name: str
    job_arn: str
    s3_uri: str
    created_at: datetime
    architecture: str = "llama"
    instruct_supported: bool = True
    units_per_copy: int = 2
    tags: dict[str, str] = field(default_factory=dict)


# Where a cross-region profile that is called from us-east-1 may answer, by the geography before its name: one model ARN
# for each region, and for a global one the caller's own and one without a region (Bedrock's user guide).
GEOGRAPHIES = {"us": ("us-east-1", "us-east-2", "us-west-2"), "global": ("us-east-1", "")}


@dataclass
class Catalog:
    """Foundation models by id, cross-region profiles with the regions of their geography, imported models by ARN."""

    models: dict[str, FoundationModel]
    profiles: dict[str, str]
    regions: dict[str, tuple[str, ...]] = field(default_factory=lambda: dict(GEOGRAPHIES))
    imported: dict[str, ImportedModel] = field(default_factory=dict)

    def foundation(self, identifier: str) -> FoundationModel | None:
        """Return the foundation model behind a model id, a profile id or the ARN of either."""
        bare = identifier.rsplit("/", 1)[-1]
        return self.models.get(self.profiles.get(bare, bare))

    def find_imported(self, identifier: str) -> ImportedModel | None:
        """Return the imported model with that ARN or name."""
        by_name = (model for model in self.imported.values() if model.name == identifier)
        return self.imported.get(identifier) or next(by_name, None)

    def knows(self, identifier: str) -> bool:
        """Tell whether the runtime can be called with this identifier."""
        return self.foundation(identifier) is not None or self.find_imported(identifier) is not None


DEFAULT_MODEL_IDS = (
    "meta.llama3-1-8b-instruct-v1:0",
    "meta.llama3-1-70b-instruct-v1:0",
    "meta.llama3-3-70b-instruct-v1:0",
    "qwen.qwen3-32b-v1:0",
    "qwen.qwen3-coder-30b-a3b-v1:0",
    "openai.gpt-oss-20b-1:0",
    "openai.gpt-oss-120b-1:0",
    "mistral.ministral-3-8b-instruct",
    "mistral.mistral-large-3-675b-instruct",
    "amazon.titan-embed-text-v1",
    "amazon.titan-embed-text-v2:0",
    "cohere.embed-english-v3",
    "cohere.embed-v4:0",
)
# The longest answers of those whose is not 8,192, by litellm's price map 1.110.2 (a third party's hint).
MOST_OUTPUT_TOKENS = {
    "meta.llama3-1-8b-instruct-v1:0": 4_096,
    "meta.llama3-1-70b-instruct-v1:0": 4_096,
    "meta.llama3-3-70b-instruct-v1:0": 4_096,
    "qwen.qwen3-coder-30b-a3b-v1:0": 16_384,
    "openai.gpt-oss-20b-1:0": 16_384,
    "openai.gpt-oss-120b-1:0": 16_384,
    "mistral.ministral-3-8b-instruct": 8_000,
    "mistral.mistral-large-3-675b-instruct": 32_000,
}
# Sold through AWS Marketplace: a new account has no agreement.
MARKETPLACE_MODEL_ID = "google.gemma-3-4b-it"


def default_catalog(model_ids: Iterable[str] = DEFAULT_MODEL_IDS) -> Catalog:
    """Return a catalog where all is available but one model, which the account has to subscribe to.

    Meta's models and Cohere's newest also have a ``us.`` profile.
    """
    models = {model_id: _model(model_id) for model_id in model_ids}
    models[MARKETPLACE_MODEL_ID] = FoundationModel(MARKETPLACE_MODEL_ID, agreement="NOT_AVAILABLE")
    with_profile = [model_id for model_id in models if model_id.startswith(("meta.", "cohere.embed-v4"))]
    return Catalog(models, {f"us.{model_id}": model_id for model_id in with_profile})


def _model(model_id: str) -> FoundationModel:
    """Return a model with what Bedrock's user guide says of it for us-east-1 (about 2026-08, its APIs about 2026-03).

    Meta's are called by an inference profile alone there, and on no API of OpenAI's; Responses are gpt-oss's alone.
    """
    if (model := FoundationModel(model_id, endpoints=())).embeds:
        return model
    is_metas, is_openais = model_id.startswith("meta."), model_id.startswith("openai.")
    return FoundationModel(
        model_id,
        inference_types=("INFERENCE_PROFILE",) if is_metas else ("ON_DEMAND",),
        most_output_tokens=MOST_OUTPUT_TOKENS.get(model_id, 8_192),
        endpoints=() if is_metas else ("chat/completions", *(["responses"] if is_openais else [])),
    )
