"""SageMaker's models, endpoint configurations and endpoints; components are in ``ml_components``.

moto's own know no inference components, no GPU types since g4dn, and no time.
"""

import itertools
import threading
from collections import defaultdict
from typing import Any

from tests.sandbox.cloud.calls import AwsError
from tests.sandbox.cloud.clock import SandboxClock
from tests.sandbox.cloud.faults import Faults
from tests.sandbox.cloud.metrics import Metrics
from tests.sandbox.cloud.ml_copies import NO_INSTANCES, Copies, MlTimes
from tests.sandbox.cloud.ml_resources import (
    Component,
    Endpoint,
    Resource,
    Shelf,
    instance_types_of,
    invalid,
    known_instance_types,
    tags_of,
)
from tests.sandbox.cloud.moto_cloud import ACCOUNT
from tests.sandbox.cloud.ports import Emit, EngineHost
from tests.sandbox.sagemaker_runtime import NO_CAPACITY, Hosted, Refusal


class SageMaker:
    """The state of SageMaker in the sandbox; ``made`` are all endpoints that ever were."""

    def __init__(
        self, clock: SandboxClock, engines: EngineHost, emit: Emit, metrics: Metrics, faults: Faults, times: MlTimes
    ) -> None:
        self.clock, self.faults, self.times = clock, faults, times
        self._emit, self._metrics = emit, metrics
        self.models: Shelf[Resource] = Shelf("model")
        self.configurations: Shelf[Resource] = Shelf("endpoint-config")
        self.endpoints: Shelf[Endpoint] = Shelf("endpoint")
        self.made: list[Endpoint] = []
        self.components: Shelf[Component] = Shelf("inference-component")
        self.lock = threading.RLock()
        self.copies = Copies(clock, engines, faults, times, self.models, self.components)
        self._turns: dict[str, itertools.count[int]] = defaultdict(itertools.count)

    def shelves(self) -> list[Shelf[Any]]:
        """Return every kind of resource."""
        return [self.models, self.configurations, self.endpoints, self.components]

    def resolve(self, endpoint: str, component: str | None) -> Hosted | Refusal:
        """Return the engine that an invocation goes to, with its container."""
        with self.lock:
            found = self.endpoints.get(endpoint)
            if found is None or found.status not in ("InService", "Updating"):
                return Refusal(400, "ValidationError", f"Endpoint {endpoint} of account {ACCOUNT} not found.")
            if not component:
                return Refusal(400, "ValidationError", _NO_COMPONENT_NAMED)
            hosted = self.components.get(component)
            if hosted is None or hosted.given["EndpointName"] != endpoint:
                message = f"Inference Component {component} of account {ACCOUNT} not found."
                return Refusal(400, "ValidationError", message)
            ready = hosted.ready
            image = self.models.take(hosted.given["Specification"]["ModelName"]).given["PrimaryContainer"]["Image"]
        if not ready:
            at = self.clock.time()
            dimensions = {"InferenceComponentName": component}
            self._metrics.put("AWS/SageMaker", "NoCapacityInvocationFailures", dimensions, [1.0], at)
            return NO_CAPACITY
        return Hosted(ready[next(self._turns[component]) % len(ready)].url, str(image))

    def lose_copy(self, component: str) -> None:
        """Kill one copy's container now; it is started again."""
        with self.lock:
            found = self.components.take(component)
            self.copies.lose(found, self.endpoints.take(found.given["EndpointName"]))

    def new_model(self, params: dict[str, Any]) -> dict[str, Any]:
        """Answer CreateModel."""
        self.models.free(params["ModelName"])
        model = self._resource("model", params["ModelName"], params)
        self.models[model.name] = model
        return {"ModelArn": model.arn}

    def new_configuration(self, params: dict[str, Any]) -> dict[str, Any]:
        """Answer CreateEndpointConfig."""
        name = params["EndpointConfigName"]
        self.configurations.free(name)
        for number, variant in enumerate(params["ProductionVariants"], 1):
            self._check_variant(number, variant, params)
        self.configurations[name] = self._resource("endpoint-config", name, params)
        return {"EndpointConfigArn": self.configurations[name].arn}

    def new_endpoint(self, params: dict[str, Any]) -> dict[str, Any]:
        """Answer CreateEndpoint."""
        name = params["EndpointName"]
        self.endpoints.free(name)
        configuration = self.configurations.take(params["EndpointConfigName"])
        variant = configuration.given["ProductionVariants"][0]
        wanted = int(variant.get("InitialInstanceCount", 1))
        types = instance_types_of(variant)
        self._check_quota(types[0], wanted)
        now = self.clock.now()
        endpoint = Endpoint("endpoint", name, params, now, now, tags_of(params), desired_instances=wanted)
        endpoint.instance_type = types[0]
        endpoint.counts.append((now.timestamp(), wanted))
        self.endpoints[name] = endpoint
        self.made.append(endpoint)
        self._tell(endpoint)
        self.clock.call_later(self.times.endpoint_seconds, self._settle, endpoint, types)
        return {"EndpointArn": endpoint.arn}

    def drop_endpoint(self, params: dict[str, Any]) -> dict[str, Any]:
        """Answer DeleteEndpoint; its components have to go first."""
        endpoint = self.endpoints.take(params["EndpointName"])
        if endpoint.status in ("Creating", "Updating", "Deleting"):
            raise invalid(f'Cannot update in-progress endpoint "{endpoint.arn}".')
        if any(found.given["EndpointName"] == endpoint.name for found in self.components.values()):
            raise invalid(f'Cannot delete endpoint "{endpoint.arn}" that has inference components.')
        endpoint.status, endpoint.desired_instances, endpoint.modified = "Deleting", 0, self.clock.now()
        endpoint.has(0, self.clock.time())
        self._tell(endpoint)
        self.clock.call_later(self.times.endpoint_delete_seconds, self.endpoints.pop, endpoint.name, None)
        return {}

    def _settle(self, endpoint: Endpoint, types: list[str]) -> None:
        with self.lock:
            possible = [found for found in types if found not in self.faults.insufficient_capacity]
            endpoint.modified = self.clock.now()
            if possible:
                endpoint.status, endpoint.instance_type = "InService", possible[0]
                endpoint.has(endpoint.desired_instances, self.clock.time())
            else:
                endpoint.status, endpoint.reason = "Failed", NO_INSTANCES
                endpoint.has(0, self.clock.time())
        self._tell(endpoint)

    def _check_variant(self, number: int, variant: dict[str, Any], params: dict[str, Any]) -> None:
        for instance_type in instance_types_of(variant):
            if instance_type not in known_instance_types():
                raise invalid(
                    f"1 validation error detected: Value '{instance_type}' at 'productionVariants.{number}.member."
                    "instanceType' failed to satisfy constraint: Member must satisfy enum value set"
                )
        if model := variant.get("ModelName"):
            self.models.take(model)
        elif not params.get("ExecutionRoleArn"):
            raise invalid("ExecutionRoleArn is required for an endpoint configuration without ModelName.")

    def _check_quota(self, instance_type: str, delta: int) -> None:
        limit = self.faults.resource_limit.get(instance_type)
        used = sum(found.desired_instances for found in self.endpoints.values() if found.instance_type == instance_type)
        if limit is not None and used + delta > limit:
            raise AwsError(
                "ResourceLimitExceeded",
                f"The account-level service limit '{instance_type} for endpoint usage' is {limit} Instances, with "
                f"current utilization of {used} Instances and a request delta of {delta} Instances. Please use AWS "
                "Service Quotas to request an increase for this quota. If AWS Service Quotas is not available, "
                "contact AWS support to request an increase for this quota.",
            )

    def _resource(self, kind: str, name: str, params: dict[str, Any]) -> Resource:
        return Resource(kind, name, params, self.clock.now(), self.clock.now(), tags_of(params))

    def _tell(self, endpoint: Endpoint) -> None:
        """Emit the endpoint's state; the event's statuses are UPPER_SNAKE."""
        words = {"InService": "IN_SERVICE"}
        detail = {
            "EndpointName": endpoint.name,
            "EndpointArn": endpoint.arn,
            "EndpointConfigName": endpoint.given["EndpointConfigName"],
            "ProductionVariants": [],
            "EndpointStatus": words.get(endpoint.status, endpoint.status.upper()),
            "FailureReason": endpoint.reason,
            "CreationTime": endpoint.created.timestamp() * 1000,
            "LastModifiedTime": endpoint.modified.timestamp() * 1000,
            "Tags": endpoint.tags,
        }
        self._emit("aws.sagemaker", "SageMaker Endpoint State Change", detail)


_NO_COMPONENT_NAMED = (
    "Inference Component Name header is required for endpoints to which you plan to deploy inference components. "
    "Please include Inference Component Name header or consider using SageMaker models."
)
