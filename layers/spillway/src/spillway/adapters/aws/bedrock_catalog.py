"""Bedrock's catalog: by which id a model is called here, and which regions may answer."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from spillway.adapters.aws.errors import VALIDATION_CODES, code_of, is_gone, translated
from spillway.domain.errors import InvalidRequest, SpillwayError

if TYPE_CHECKING:
    from mypy_boto3_bedrock import BedrockClient
    from mypy_boto3_bedrock.type_defs import GetFoundationModelResponseTypeDef, InferenceProfileSummaryTypeDef

logger = logging.getLogger(__name__)

GLOBAL = "global"


@dataclass(frozen=True)
class Resolved:
    """A model as Bedrock has it: its own id, the id that calls must use, and the regions that may serve them.

    A profile that is not kept to a geography has ``global`` among its regions.
    """

    model_id: str
    called_id: str
    regions: tuple[str, ...]


@dataclass(frozen=True)
class BedrockCatalog:
    """The catalog as one region sees it."""

    region: str
    bedrock: "BedrockClient"

    def resolve(self, asked: str) -> Resolved:
        """Return what a model or profile id, or a profile's ARN, leads to; InvalidRequest when that is nothing."""
        if model := self._foundation_model(asked):
            details = model["modelDetails"]
            base = details["modelId"]
            if "ON_DEMAND" in details.get("inferenceTypesSupported", []):
                return Resolved(base, asked, (self.region,))
            profile = self._profile_of(base)
            return Resolved(base, profile["inferenceProfileId"], _regions(_arns(profile)))
        with translated(param="model.id"):
            try:
                found = self.bedrock.get_inference_profile(inferenceProfileIdentifier=asked)
            except ClientError as err:
                if is_gone(err) or code_of(err) in VALIDATION_CODES:
                    raise _refused(f"Bedrock has no model or inference profile '{asked}' in {self.region}") from err
                raise
        arns = [model.get("modelArn", asked) for model in found["models"]]
        return Resolved(arns[0].rsplit("/", 1)[-1], asked, _regions(arns))

    def _foundation_model(self, model_id: str) -> "GetFoundationModelResponseTypeDef | None":
        with translated():
            try:
                return self.bedrock.get_foundation_model(modelIdentifier=model_id)
            except ClientError as err:
                if is_gone(err) or code_of(err) in VALIDATION_CODES:
                    return None
                raise

    def _profile_of(self, model_id: str) -> "InferenceProfileSummaryTypeDef":
        """Return the profile that carries a model; one that stays in the geography comes before a global one."""
        with translated():
            pages = self.bedrock.get_paginator("list_inference_profiles").paginate(typeEquals="SYSTEM_DEFINED")
            found = [
                profile
                for page in pages
                for profile in page["inferenceProfileSummaries"]
                if any(arn.endswith(f"/{model_id}") for arn in _arns(profile))
            ]
        if not found:
            raise _refused(f"{model_id} can't be called on demand in {self.region}, and no inference profile has it")
        ids = {profile["inferenceProfileId"]: profile for profile in found}
        return ids[min(ids, key=lambda profile: (profile.startswith(f"{GLOBAL}."), profile))]


class ServingRegions:
    """Implements the ``ModelRegions`` port. The client is made when it is first needed."""

    def __init__(self, region: str, client: "Callable[[], BedrockClient]") -> None:
        self._region = region
        self._client = client

    def of(self, model_ids: Sequence[str]) -> Mapping[str, tuple[str, ...] | None]:
        """Return the regions by the id that calls use; None, and the id as it was asked, where Bedrock does not say."""
        found: dict[str, tuple[str, ...] | None] = {}
        for asked in model_ids:
            try:
                resolved = BedrockCatalog(self._region, self._client()).resolve(asked)
            except (SpillwayError, ClientError, BotoCoreError) as err:
                logger.warning("regions unknown", extra={"model": asked, "error": str(err)})
                found[asked] = None
                continue
            found[resolved.called_id] = resolved.regions
        return found


def _arns(profile: "InferenceProfileSummaryTypeDef") -> list[str]:
    return [model.get("modelArn", "") for model in profile["models"]]


def _regions(arns: Sequence[str]) -> tuple[str, ...]:
    """Return the regions of model ARNs, each once; an ARN without a region is any of them."""
    return tuple(dict.fromkeys(arn.split(":")[3] or GLOBAL for arn in arns if arn.count(":") > 3))


def _refused(sentence: str) -> InvalidRequest:
    return InvalidRequest(sentence, param="model.id")
