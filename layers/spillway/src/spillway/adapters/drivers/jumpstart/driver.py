"""The five verbs of the JumpStart path."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from spillway.adapters.aws.errors import is_gone, translated
from spillway.adapters.aws.quotas import Quotas
from spillway.adapters.drivers.jumpstart import hub
from spillway.adapters.drivers.jumpstart.containers import told
from spillway.adapters.drivers.jumpstart.resources import Endpoint
from spillway.domain.deployments.deployment import Deployment
from spillway.domain.deployments.resource_names import Names
from spillway.domain.errors import CapacityUnavailable, InvalidRequest
from spillway.domain.observations.capacity import Capacity
from spillway.domain.paths.containers import FRAMEWORK, VERSION
from spillway.domain.paths.jumpstart import jumpstart_id
from spillway.domain.paths.targets import SageMakerTarget

if TYPE_CHECKING:
    from mypy_boto3_sagemaker import SageMakerClient

PUBLIC_HUB = "SageMakerPublicHub"
# How Service Quotas names the quota of each type that SageMaker has for endpoints in a region.
_QUOTA = " for endpoint usage"
_FAILED = ("Failed", "OutOfService", "UpdateRollbackFailed")
_DELETABLE = ("InService", *_FAILED)


@dataclass(frozen=True)
class JumpstartDriver:
    """The endpoint takes the model only once it is in service: ``provision`` is repeated and goes one step further."""

    stack: str
    region: str
    sagemaker: "SageMakerClient"
    endpoint: Endpoint
    quotas: Quotas

    def preflight(self, deployment: Deployment) -> None:
        """Check the hub's document, the licence, the instance type and its endpoint quota."""
        spec, document = deployment.spec, self._document(deployment)
        if not document.get("DynamicContainerDeploymentSupported", True):
            raise InvalidRequest(f"{spec.model.id} cannot be hosted as an inference component", param="model.id")
        if (task := hub.task_of(document)) and task is not spec.task:
            raise InvalidRequest(
                f"model.task is '{spec.task}', and JumpStart's hub says that {spec.model.id} is for {task}",
                param="model.task",
                allowed=[task],
            )
        if hub.needs_eula(document) and not spec.model.accept_eula and not spec.model.weights:
            where = hub.eula_of(document) or "the model's page in SageMaker JumpStart"
            raise InvalidRequest(
                f"{spec.model.id} has a licence to accept: read {where}, then set model.accept_eula to true",
                param="model.accept_eula",
            )
        hosting = self._hosting(deployment, document)
        name = f"{hosting.instance_type}{_QUOTA}"
        quota = self.quotas.named("sagemaker", name)
        if quota is None:
            self._check_offered(hosting.instance_type, document)
        elif quota < spec.capacity.max:
            raise CapacityUnavailable(
                f"capacity.max is {spec.capacity.max}, and the SageMaker quota '{name}' is {quota:g}. "
                "Ask for more in Service Quotas, or lower capacity.max."
            )

    def makes(self, deployment: Deployment) -> Sequence[str]:
        """Name model, endpoint config, endpoint and component, which all bear the same name."""
        base = self._names(deployment).base
        return [f"{kind} {base}" for kind in ("model", "endpoint config", "endpoint", "inference component")]

    def provision(self, deployment: Deployment, desired: int) -> Mapping[str, str]:
        """Make what can be made now; once the endpoint is in service, that is the component with its copies.

        Raises Conflict, before anything is made, where a name is taken by another owner's.
        """
        names, hosting = self._names(deployment), self._hosting(deployment, self._document(deployment))
        endpoint = self.endpoint.describe(names)
        if endpoint is None:
            self.endpoint.create(names, hosting, deployment.endpoint_max)
        else:
            self.endpoint.expect_owned(names, "endpoint", endpoint["EndpointArn"])
            if endpoint["EndpointStatus"] == "InService":
                self._host(names, hosting, desired)
        found = {
            "instance_type": hosting.instance_type,
            "max_instances": str(deployment.endpoint_max),
            "tool_call_parser": hosting.tool_call_parser,
            **_container(deployment, hosting),
        }
        return {name: value for name, value in found.items() if value}

    def probe(self, deployment: Deployment) -> Capacity:
        """Count copies: ready are those in service, starting those still wanted."""
        names = self._names(deployment)
        instance_type = deployment.resources.get("instance_type")
        endpoint = self.endpoint.describe(names)
        if endpoint is None:
            return Capacity(instance_type=instance_type)
        if endpoint["EndpointStatus"] in _FAILED:
            raise CapacityUnavailable(_reason(endpoint, f"endpoint {names.base}"))
        component = self.endpoint.describe_component(names)
        if component is None:
            # The endpoint's first instance is paid for while the model isn't on it yet.
            return Capacity(desired=deployment.desired, starting=1, instance_type=instance_type)
        return _capacity_of(component, names, instance_type)

    def scale(self, deployment: Deployment, desired: int) -> None:
        """Ask for another number of copies; SageMaker starts and stops instances to fit."""
        names = self._names(deployment)
        component = self.endpoint.describe_component(names)
        if component is None:
            raise CapacityUnavailable(f"the inference component {names.base} of {deployment.name} is gone")
        self.endpoint.expect_owned(names, "inference component", component["InferenceComponentArn"])
        if _copies(component, "DesiredCopyCount") != desired:
            self.endpoint.set_copies(names, desired)

    def release(self, deployment: Deployment) -> Sequence[str]:
        """Delete the component, then the endpoint, then config and model; what is another owner's is not there."""
        names = self._names(deployment)
        component = self.endpoint.describe_component(names)
        if component and self.endpoint.is_owned(names, component["InferenceComponentArn"]):
            if component.get("InferenceComponentStatus") != "Deleting":
                self.endpoint.delete_component(names)
            if self.endpoint.describe_component(names):
                return [f"inference component {names.base}", f"endpoint {names.base}"]
        endpoint = self.endpoint.describe(names)
        if endpoint and self.endpoint.is_owned(names, endpoint["EndpointArn"]):
            if endpoint["EndpointStatus"] in _DELETABLE:
                self.endpoint.delete(names)
            if self.endpoint.describe(names):
                return [f"endpoint {names.base}"]
        self.endpoint.delete_plans(names)
        return []

    def target(self, deployment: Deployment) -> SageMakerTarget:
        """Return endpoint and component, which bear the same name, with the container that answers."""
        base, resources = self._names(deployment).base, deployment.resources
        return SageMakerTarget(base, base, resources.get(FRAMEWORK), resources.get(VERSION), deployment.spec.task)

    def _document(self, deployment: Deployment) -> Mapping[str, Any]:
        hub_id = jumpstart_id(deployment.spec.model.id)
        with translated(param="model.id"):
            try:
                found = self.sagemaker.describe_hub_content(
                    HubName=PUBLIC_HUB, HubContentType="Model", HubContentName=hub_id
                )
            except ClientError as err:
                if is_gone(err):
                    sentence = f"JumpStart's public hub has no model '{hub_id}' in this region"
                    raise InvalidRequest(sentence, param="model.id") from err
                raise
        document: Mapping[str, Any] = json.loads(found["HubContentDocument"])
        return document

    def _check_offered(self, instance_type: str, document: Mapping[str, Any]) -> None:
        """Raise InvalidRequest for a type that this region's endpoints don't have.

        SageMaker has no call that tells. Service Quotas lists every type's quota; where it lists none at all, it says
        nothing either way.
        """
        offered = self.quotas.names("sagemaker", _QUOTA)
        if not offered or instance_type in offered:
            return
        usable = [name for name in hub.supported_types(document) if name in offered]
        there = f"of those that JumpStart hosts the model on, it has {', '.join(usable)}" if usable else "nor any other"
        raise InvalidRequest(
            f"capacity.instance_types: SageMaker offers no {instance_type} for endpoints in {self.region}; {there}",
            param="capacity.instance_types",
            allowed=usable,
        )

    def _hosting(self, deployment: Deployment, document: Mapping[str, Any]) -> hub.Hosting:
        spec = deployment.spec
        instance_type = hub.instance_type_of(document, spec.capacity.instance_types)
        accepted, weights = spec.model.accept_eula, spec.model.weights
        return told(hub.hosting_of(document, instance_type, accept_eula=accepted, weights=weights), spec)

    def _host(self, names: Names, hosting: hub.Hosting, desired: int) -> None:
        component = self.endpoint.describe_component(names)
        if component is None:
            self.endpoint.create_component(names, hosting, desired)
            return
        self.endpoint.expect_owned(names, "inference component", component["InferenceComponentArn"])
        if _is_settled(component) and _copies(component, "DesiredCopyCount") != desired:
            self.endpoint.set_copies(names, desired)

    def _names(self, deployment: Deployment) -> Names:
        return Names(self.stack, deployment.name)


def jumpstart_driver(
    stack: str, region: str, role_arn: str, sagemaker: "SageMakerClient", quotas: Quotas
) -> JumpstartDriver:
    """Put a driver together; ``role_arn`` is the role that endpoints run as."""
    return JumpstartDriver(stack, region, sagemaker, Endpoint(role_arn, sagemaker), quotas)


def _container(deployment: Deployment, hosting: hub.Hosting) -> Mapping[str, str | None]:
    """Return the container's framework and release: the model was made with it once, whatever the hub has since."""
    known = deployment.resources
    if FRAMEWORK in known:
        return {FRAMEWORK: known[FRAMEWORK], VERSION: known.get(VERSION)}
    return {FRAMEWORK: hosting.framework, VERSION: hosting.version}


def _capacity_of(component: Any, names: Names, instance_type: str | None) -> Capacity:
    desired, current = _copies(component, "DesiredCopyCount"), _copies(component, "CurrentCopyCount")
    problem = None
    if component.get("InferenceComponentStatus") == "Failed":
        problem = _reason(component, f"inference component {names.base}")
        if desired and not current:
            raise CapacityUnavailable(problem)
    starting = 0 if problem else max(desired - current, 0)
    return Capacity(desired, min(current, desired), starting, instance_type, problem)


def _copies(component: Any, which: str) -> int:
    return int((component.get("RuntimeConfig") or {}).get(which, 0))


def _is_settled(component: Any) -> bool:
    return component.get("InferenceComponentStatus") in ("InService", "Failed")


def _reason(described: Any, what: str) -> str:
    return str(described.get("FailureReason") or f"{what} failed, and SageMaker gives no reason")
