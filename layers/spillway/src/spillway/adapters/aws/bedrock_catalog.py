"""Bedrock's catalog: by which id a model is called here, and which regions may answer."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from spillway.adapters.aws.errors import VALIDATION_CODES, code_of, is_gone, translated
from spillway.domain.errors import InvalidRequest, SpillwayError
from spillway.domain.paths.bedrock_models import AskedModel, CalledModel

if TYPE_CHECKING:
    from mypy_boto3_bedrock import BedrockClient
    from mypy_boto3_bedrock.type_defs import GetFoundationModelResponseTypeDef, InferenceProfileSummaryTypeDef

logger = logging.getLogger(__name__)

GLOBAL = "global"
# As many as a person looks at, and no more unlike than a forgotten version or a slip of the finger.
_NEAREST, _LIKENESS = 5, 0.6


@dataclass(frozen=True)
class BedrockCatalog:
    """The catalog as one region sees it."""

    region: str
    bedrock: "BedrockClient"

    def resolve(self, asked: str, *, allow_global: bool = False) -> CalledModel:
        """Return what a model or profile id, or a profile's ARN, leads to.

        A model that is offered on demand is called here, any other by a profile that stays in the geography, and by a
        global one only if that is allowed; whoever names a profile gets that one. Raises InvalidRequest when the id
        leads to nothing.
        """
        if model := self._foundation_model(asked):
            details = model["modelDetails"]
            base = details["modelId"]
            if "ON_DEMAND" in details.get("inferenceTypesSupported", []):
                return CalledModel(asked, base, (self.region,))
            profile = self._profile_of(base, allow_global=allow_global)
            return CalledModel(profile["inferenceProfileId"], base, _regions(_arns(profile)))
        with translated(param="model.id"):
            try:
                found = self.bedrock.get_inference_profile(inferenceProfileIdentifier=asked)
            except ClientError as err:
                if is_gone(err) or code_of(err) in VALIDATION_CODES:
                    raise _refused(f"Bedrock has no model or inference profile '{asked}' in {self.region}") from err
                raise
        arns = [model.get("modelArn", asked) for model in found["models"]]
        return CalledModel(asked, arns[0].rsplit("/", 1)[-1], _regions(arns))

    def _foundation_model(self, model_id: str) -> "GetFoundationModelResponseTypeDef | None":
        with translated():
            try:
                return self.bedrock.get_foundation_model(modelIdentifier=model_id)
            except ClientError as err:
                if is_gone(err) or code_of(err) in VALIDATION_CODES:
                    return None
                raise

    def nearest(self, asked: str) -> list[str]:
        """Return the ids of models and profiles here that are most like one that leads to nothing."""
        models = self.bedrock.list_foundation_models()["modelSummaries"]
        known = {model["modelId"] for model in models} | {profile["inferenceProfileId"] for profile in self._profiles()}
        return get_close_matches(asked.lower(), sorted(known), _NEAREST, _LIKENESS)

    def _profile_of(self, model_id: str, *, allow_global: bool) -> "InferenceProfileSummaryTypeDef":
        """Return the profile that carries a model; one that stays in the geography comes before a global one."""
        with translated():
            found = [
                profile for profile in self._profiles() if any(arn.endswith(f"/{model_id}") for arn in _arns(profile))
            ]
        if not found:
            raise _refused(f"{model_id} can't be called on demand in {self.region}, and no inference profile has it")
        ids = {profile["inferenceProfileId"]: profile for profile in found}
        chosen = min(ids, key=lambda profile: (profile.startswith(f"{GLOBAL}."), profile))
        if chosen.startswith(f"{GLOBAL}.") and not allow_global:
            raise _refused(
                f"{model_id} is called in {self.region} by {chosen} alone, which may answer from any region of the "
                "world: name that profile, or set allow_global beside the model to true"
            )
        return ids[chosen]

    def _profiles(self) -> "Iterator[InferenceProfileSummaryTypeDef]":
        pages = self.bedrock.get_paginator("list_inference_profiles").paginate(typeEquals="SYSTEM_DEFINED")
        for page in pages:
            yield from page["inferenceProfileSummaries"]


class RegionalCatalog:
    """Implements the ``ModelCatalog`` port. The client is made when it is first needed."""

    def __init__(self, region: str, client: "Callable[[], BedrockClient]") -> None:
        self._region = region
        self._client = client

    def find(self, models: Sequence[AskedModel]) -> Mapping[str, CalledModel | None]:
        """As ModelCatalog.find."""
        return {asked.id: self._resolved(asked) for asked in models}

    def _resolved(self, asked: AskedModel) -> CalledModel | None:
        try:
            return self._catalog.resolve(asked.id, allow_global=asked.allow_global)
        except InvalidRequest as err:
            raise InvalidRequest(err.message, param=asked.param, allowed=self._nearest(asked.id)) from err
        except (SpillwayError, ClientError, BotoCoreError) as err:
            logger.warning("catalog not read", extra={"model": asked.id, "error": str(err)})
            return None

    def _nearest(self, asked: str) -> list[str] | None:
        try:
            return self._catalog.nearest(asked)
        except (ClientError, BotoCoreError) as err:
            logger.warning("catalog not listed", extra={"model": asked, "error": str(err)})
            return None

    @property
    def _catalog(self) -> BedrockCatalog:
        return BedrockCatalog(self._region, self._client())


def _arns(profile: "InferenceProfileSummaryTypeDef") -> list[str]:
    return [model.get("modelArn", "") for model in profile["models"]]


def _regions(arns: Sequence[str]) -> tuple[str, ...]:
    """Return the regions of model ARNs, each once; an ARN without a region is any of them."""
    return tuple(dict.fromkeys(arn.split(":")[3] or GLOBAL for arn in arns if arn.count(":") > 3))


def _refused(sentence: str) -> InvalidRequest:
    return InvalidRequest(sentence, param="model.id")
