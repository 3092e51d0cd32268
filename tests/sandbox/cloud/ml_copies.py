"""Copies of inference components, and the instances that follow them."""

import math
from dataclasses import dataclass
from typing import Any

from tests.sandbox.cloud.clock import SandboxClock
from tests.sandbox.cloud.containers import command_of
from tests.sandbox.cloud.faults import Faults
from tests.sandbox.cloud.ml_resources import Component, Copy, Endpoint, Resource, Shelf, gpus_of, instance_types_of
from tests.sandbox.cloud.ports import EngineHost
from tests.sandbox.engine_command import EngineEnded

DEPLOYMENT_TAG = "spillway:deployment"

# SageMaker's own sentences.
NO_INSTANCES = (
    "Unable to provision requested ML compute capacity due to InsufficientInstanceCapacity error. "
    "Please retry using a different ML instance type or after some time."
)
NO_HARDWARE = (  # as users have published it
    "There is not enough hardware resources on the instances for this endpoint to create a copy of the inference "
    "component. Please update resource requirements for this inference component, remove existing inference "
    "components, or increase the number of instances for this endpoint."
)
NO_PING = "The container for the inference component did not pass the ping health check. Please check CloudWatch logs."


@dataclass
class MlTimes:
    """How long things take, in sandbox seconds."""

    endpoint_seconds: float = 240.0
    instance_seconds: float = 180.0
    copy_seconds: float = 120.0
    delete_seconds: float = 30.0
    endpoint_delete_seconds: float = 90.0
    release_seconds: float = 600.0
    capacity_timeout_seconds: float = 300.0


class Copies:
    """Starts and ends copies; the caller holds the simulation's lock."""

    def __init__(
        self,
        clock: SandboxClock,
        engines: EngineHost,
        faults: Faults,
        times: MlTimes,
        models: Shelf[Resource],
        components: Shelf[Component],
    ) -> None:
        self._clock, self._engines, self._faults, self._times = clock, engines, faults, times
        self._models, self._components = models, components

    def bring_to(self, component: Component, endpoint: Endpoint, configuration: Resource, wanted: int) -> None:
        """Start or end copies until there are ``wanted``; instances are added first, and released later."""
        component.desired, component.reason = wanted, None
        for surplus in component.copies[wanted:]:
            self._end(surplus)
        del component.copies[wanted:]
        missing = wanted - len(component.copies)
        if missing <= 0:
            component.status = "InService"
            self._clock.call_later(self._times.release_seconds, self._release, endpoint, configuration)
            return
        wait = self._make_room(component, endpoint, configuration.given["ProductionVariants"][0])
        if wait is None:
            return
        for _ in range(missing):
            number = max((found.number for found in component.copies), default=0) + 1
            component.copies.append(copy := Copy(number))
            self._clock.call_later(wait + self._times.copy_seconds, self.load, component, endpoint, copy)

    def _make_room(self, component: Component, endpoint: Endpoint, variant: dict[str, Any]) -> float | None:
        """Add the instances that the copies need; return how long that takes, None (and fail later) if impossible."""
        instances = self._instances_for(endpoint)
        scaling = variant.get("ManagedInstanceScaling", {})
        most = int(scaling.get("MaxInstanceCount", instances)) if scaling.get("Status") == "ENABLED" else 0
        grows = instances > endpoint.instances
        if accelerators_of(component) > gpus_of(endpoint.instance_type) or (grows and instances > most):
            self._fail_later(component, NO_HARDWARE, self._times.copy_seconds)
            return None
        if not grows:
            return 0.0
        possible = [found for found in instance_types_of(variant) if found not in self._faults.insufficient_capacity]
        if not possible:
            self._fail_later(component, NO_INSTANCES, self._times.capacity_timeout_seconds)
            return None
        endpoint.instance_type, endpoint.desired_instances = possible[0], instances
        self._clock.call_later(self._times.instance_seconds, self._arrive, endpoint)
        return self._times.instance_seconds

    def load(self, component: Component, endpoint: Endpoint, copy: Copy) -> None:
        """Let one copy answer, unless its container crashes or it is no longer wanted."""
        if copy.gone or component.status == "Deleting":
            return
        served = served_model_name(component)
        startup = component.given["Specification"].get("StartupParameters", {})
        seconds = float(startup.get("ContainerStartupHealthCheckTimeoutInSeconds", 600))
        if self._faults.crash_while_loading & {endpoint.instance_type, served, component.name}:
            self._fail_later(component, NO_PING, seconds)
            return
        model = self._models.take(component.given["Specification"]["ModelName"])
        try:
            command = command_of(model.given["PrimaryContainer"], served)
        except EngineEnded:
            self._fail_later(component, NO_PING, seconds)
            return
        engine = self._engines.launch(f"{component.name}/{copy.number}", command)
        if copy.gone:
            engine.kill()
            return
        copy.engine = engine
        if len(component.ready) == component.desired and component.status in ("Creating", "Updating"):
            component.status = "InService"

    def lose(self, component: Component, endpoint: Endpoint) -> None:
        """Kill one copy's container; SageMaker starts it again."""
        copy = next(found for found in component.copies if found.engine)
        engine, copy.engine = copy.engine, None
        if engine:
            engine.kill()
        self._clock.call_later(self._times.copy_seconds, self.load, component, endpoint, copy)

    def _end(self, copy: Copy) -> None:
        copy.gone = True
        if copy.engine:
            copy.engine.stop()
            copy.engine = None

    def _fail_later(self, component: Component, reason: str, seconds: float) -> None:
        self._clock.call_later(seconds, self._fail, component, reason, component.desired)

    def _fail(self, component: Component, reason: str, desired: int) -> None:
        """Record a failure, unless something else was asked for meanwhile."""
        if component.status in ("Creating", "Updating") and component.desired == desired:
            component.status, component.reason = "Failed", reason
            for copy in component.copies:
                copy.gone = copy.engine is None
            component.copies = [copy for copy in component.copies if not copy.gone]

    def _arrive(self, endpoint: Endpoint) -> None:
        if endpoint.status != "Deleting":
            endpoint.has(max(endpoint.instances, endpoint.desired_instances), self._clock.time())

    def _release(self, endpoint: Endpoint, configuration: Resource) -> None:
        """Give back the instances that no copy needs, down to the variant's minimum."""
        scaling = configuration.given["ProductionVariants"][0].get("ManagedInstanceScaling", {})
        if scaling.get("Status") == "ENABLED":
            least = max(self._instances_for(endpoint), int(scaling.get("MinInstanceCount", 1)))
            endpoint.desired_instances = min(endpoint.instances, least)
            endpoint.has(endpoint.desired_instances, self._clock.time())

    def _instances_for(self, endpoint: Endpoint) -> int:
        accelerators = 0
        for component in self._components.values():
            if component.given["EndpointName"] == endpoint.name:
                accelerators += component.desired * accelerators_of(component)
        return math.ceil(accelerators / gpus_of(endpoint.instance_type))


def accelerators_of(component: Component) -> int:
    """Return how many accelerators one copy reserves."""
    compute = component.given["Specification"]["ComputeResourceRequirements"]
    return int(compute.get("NumberOfAcceleratorDevicesRequired", 1))


def served_model_name(component: Component) -> str:
    """Return the name that a component's engine answers to: the deployment's tag."""
    return component.tags.get(DEPLOYMENT_TAG, component.name)
