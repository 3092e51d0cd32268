"""The five verbs of the Bedrock path: there is nothing to start or stop, only a model to find and be let in to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from spillway.adapters.aws.bedrock_catalog import BedrockCatalog
from spillway.adapters.aws.errors import translated
from spillway.domain.deployments.deployment import Deployment
from spillway.domain.errors import InvalidRequest
from spillway.domain.observations.capacity import Capacity
from spillway.domain.paths.bedrock import bedrock_id, bedrock_target, is_on_marketplace
from spillway.domain.paths.bedrock_models import CalledModel
from spillway.domain.paths.targets import BedrockTarget

if TYPE_CHECKING:
    from mypy_boto3_bedrock import BedrockClient

RESOLVED = "bedrock_model_id"
OWN = "bedrock_own_model_id"


@dataclass(frozen=True)
class BedrockDriver:
    """``provision`` settles which id to call: the model's own, or the inference profile that it needs.

    ``may_subscribe``: the smoke test's call, which is the first, may subscribe the account to a model.
    """

    region: str
    bedrock: "BedrockClient"
    may_subscribe: bool

    def preflight(self, deployment: Deployment) -> None:
        """Check that the model exists, is offered in this region, and may be called by this account."""
        model_id = self._resolve(deployment).model_id
        with translated(param="model.id"):
            found = self.bedrock.get_foundation_model_availability(modelId=model_id)
        if found["regionAvailability"] != "AVAILABLE":
            raise _refused(f"{model_id} is not offered in {self.region}")
        if found["authorizationStatus"] != "AUTHORIZED":
            raise _refused(f"this account may not use {model_id}: ask its administrator for access to it in Bedrock")
        agreement = found["agreementAvailability"]
        if agreement["status"] == "ERROR":
            raise _refused(f"{model_id}: {agreement.get('errorMessage', 'its agreement could not be read')}")
        if agreement["status"] != "NOT_AVAILABLE":
            return
        if not deployment.spec.model.accept_eula:
            raise InvalidRequest(
                f"the first call of {model_id} accepts its provider's agreement: set model.accept_eula to true",
                param="model.accept_eula",
            )
        if is_on_marketplace(model_id) and not self.may_subscribe:
            raise _refused(self._unsubscribed(model_id))

    def makes(self, deployment: Deployment) -> Sequence[str]:
        """Name nothing: Bedrock itself needs nothing made."""
        return []

    def provision(self, deployment: Deployment, desired: int) -> Mapping[str, str]:
        """Return the id to call; Bedrock itself needs nothing made."""
        found = self._resolve(deployment)
        return {RESOLVED: found.called_id, OWN: found.model_id}

    def probe(self, deployment: Deployment) -> Capacity:
        """Say ready: Bedrock always is."""
        return Capacity(desired=1, ready=1)

    def scale(self, deployment: Deployment, desired: int) -> None:
        """Do nothing: Bedrock scales by itself."""

    def release(self, deployment: Deployment) -> Sequence[str]:
        """Return nothing: nothing was made."""
        return []

    def target(self, deployment: Deployment) -> BedrockTarget:
        """Return the model under the id that ``provision`` settled."""
        called_id = deployment.resources.get(RESOLVED) or bedrock_id(deployment.spec.model.id)
        return bedrock_target(called_id, deployment.resources.get(OWN, called_id), deployment.spec.model.api)

    def _unsubscribed(self, model_id: str) -> str:
        where = f"--model-id {model_id} --region {self.region}"
        return (
            f"{model_id} is sold through AWS Marketplace, and this account is not subscribed to it. Whoever may "
            "subscribe (aws-marketplace:Subscribe and ViewSubscriptions) opens it in the model catalog of Bedrock's "
            f"console and calls it once in the playground, or runs 'aws bedrock list-foundation-model-agreement-offers "
            f"{where}' and 'aws bedrock create-foundation-model-agreement {where} --offer-token …'. Or let the smoke "
            "test subscribe: deploy the stack with AllowModelSubscriptions=true"
        )

    def _resolve(self, deployment: Deployment) -> CalledModel:
        model = deployment.spec.model
        catalog = BedrockCatalog(self.region, self.bedrock)
        return catalog.resolve(bedrock_id(model.id), allow_global=model.allow_global)


def _refused(sentence: str) -> InvalidRequest:
    return InvalidRequest(sentence, param="model.id")
