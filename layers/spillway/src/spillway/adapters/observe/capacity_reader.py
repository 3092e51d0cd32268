"""What runs, for every deployment at once: the number of calls grows by batches, not by deployments."""

import logging
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import replace
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from spillway.adapters.aws.errors import is_gone, translated
from spillway.adapters.drivers.fleet.group_state import capacity_of, in_service
from spillway.adapters.observe.billed_instances import EndpointLooks, Hosted, fleet_instances, instance_of
from spillway.domain.deployments.deployment import Deployment
from spillway.domain.deployments.resource_names import Names
from spillway.domain.errors import Retryable
from spillway.domain.observations.capacity import Capacity, EndpointInstances, Instance
from spillway.domain.paths.model_catalog import find
from spillway.domain.paths.profile import CapacitySource

if TYPE_CHECKING:
    from mypy_boto3_autoscaling import AutoScalingClient
    from mypy_boto3_autoscaling.type_defs import AutoScalingGroupTypeDef
    from mypy_boto3_ec2 import EC2Client
    from mypy_boto3_ec2.type_defs import InstanceTypeDef
    from mypy_boto3_sagemaker import SageMakerClient

logger = logging.getLogger(__name__)

# Auto Scaling describes at most this many groups in one call.
_GROUPS = 100
# Components that are changing are asked for one by one; a read asks for no more than this many.
_CHANGING = 50


class AwsCapacityReader:
    """Implements the ``CapacityReader`` port over Auto Scaling, EC2 and SageMaker.

    A fleet's instances are in service only once their engines have answered, so the group alone says what is ready.
    SageMaker's list has no copy counts: a component at rest runs what was last asked for. One that is changing, or
    whose last workflow failed, is described; those beyond the limit count as not ready, which sends their requests to
    the spill target.
    """

    def __init__(
        self, stack: str, autoscaling: "AutoScalingClient", sagemaker: "SageMakerClient", ec2: "EC2Client"
    ) -> None:
        self._stack = stack
        self._autoscaling = autoscaling
        self._sagemaker = sagemaker
        self._ec2 = ec2

    def read(self, deployments: Sequence[Deployment], now: datetime) -> Mapping[str, Capacity]:
        """Return the capacity of each deployment that has anything running or asked for, or had until lately."""
        by_source: dict[CapacitySource, list[Deployment]] = {source: [] for source in CapacitySource}
        for deployment in deployments:
            by_source[deployment.spec.profile.capacity].append(deployment)
        return {
            **self._fleets(by_source[CapacitySource.GROUP]),
            **self._endpoints(by_source[CapacitySource.ENDPOINT], now),
            **{one.name: Capacity(desired=1, ready=1) for one in by_source[CapacitySource.NOWHERE]},
        }

    def _fleets(self, deployments: Sequence[Deployment]) -> Mapping[str, Capacity]:
        if not deployments:
            return {}
        groups = {deployment.name: group for deployment, group in self._groups(deployments)}
        try:
            instances = fleet_instances(self._ec2, self._stack)
        except Retryable as err:
            # What runs is decided on all the same; its time is counted by the next look.
            logger.warning("instances not counted", extra={"error": str(err)})
            instances = None
        found = {}
        for deployment in deployments:
            group = groups.get(deployment.name)
            capacity = capacity_of(group, _wanted_type(deployment), in_service) if group else Capacity()
            answering = {one["InstanceId"] for one in group["Instances"] if in_service(one)} if group else set()
            shown = None if instances is None else instances.get(deployment.name, ())
            if group or shown:
                found[deployment.name] = replace(capacity, instances=_instances(shown, answering))
        return found

    def _groups(self, deployments: Sequence[Deployment]) -> "Iterator[tuple[Deployment, AutoScalingGroupTypeDef]]":
        by_group = {self._base(deployment): deployment for deployment in deployments}
        names = iter(by_group)
        pages = self._autoscaling.get_paginator("describe_auto_scaling_groups")
        while batch := list(islice(names, _GROUPS)):
            with translated():
                found = pages.paginate(AutoScalingGroupNames=batch, PaginationConfig={"PageSize": _GROUPS})
                groups = [group for page in found for group in page["AutoScalingGroups"]]
            for group in groups:
                yield by_group[group["AutoScalingGroupName"]], group

    def _endpoints(self, deployments: Sequence[Deployment], now: datetime) -> Mapping[str, Capacity]:
        by_name = {self._base(deployment): deployment for deployment in deployments}
        if not by_name:
            return {}
        found: dict[str, Capacity] = {}
        changed: dict[str, datetime] = {}
        described = 0
        for summary in self._components():
            name, status = summary["InferenceComponentName"], summary.get("InferenceComponentStatus")
            deployment = by_name.get(name)
            if deployment is None or status == "Deleting":
                continue
            changed[name] = summary["LastModifiedTime"]
            # A workflow that failed may not have been able to take back what it had asked for.
            if status == "InService" and deployment.hold_until is None:
                found[name] = _copies(deployment, deployment.desired, deployment.desired)
                continue
            described += 1
            found[name] = self._described(deployment, name, status, look=described <= _CHANGING)
        hosted = {
            name: Hosted(kind, found[name].ready if name in found else 0, changed.get(name))
            for name, deployment in by_name.items()
            if (kind := _wanted_type(deployment)) is not None
        }
        instances = self._endpoint_instances(hosted, now)
        return {
            deployment.name: replace(found.get(name, Capacity()), instances=instances.get(name))
            for name, deployment in by_name.items()
            if name in found or name in instances
        }

    def _endpoint_instances(self, hosted: Mapping[str, Hosted], now: datetime) -> Mapping[str, EndpointInstances]:
        try:
            return EndpointLooks(self._sagemaker, self._stack).look(hosted, now)
        except Retryable as err:
            logger.warning("instances not counted", extra={"error": str(err)})
            return {}

    def _components(self) -> list[Any]:
        with translated():
            # A long name is cut and closed with a digest, but it always begins with the stack's.
            pages = self._sagemaker.get_paginator("list_inference_components").paginate(
                NameContains=self._stack[:50], PaginationConfig={"PageSize": 100}
            )
            return [summary for page in pages for summary in page["InferenceComponents"]]

    def _described(self, deployment: Deployment, name: str, status: str | None, *, look: bool) -> Capacity:
        if not look:
            return _copies(deployment, deployment.desired, 0)
        with translated():
            try:
                found = self._sagemaker.describe_inference_component(InferenceComponentName=name)
            except ClientError as err:
                if is_gone(err):
                    return Capacity(instance_type=_wanted_type(deployment))
                raise
        runtime = found.get("RuntimeConfig", {})
        current = runtime.get("CurrentCopyCount", 0)
        # What failed isn't starting, though it is still wanted.
        desired = runtime.get("DesiredCopyCount", 0)
        if status == "Failed":
            return Capacity(desired, min(current, desired), 0, _wanted_type(deployment), found.get("FailureReason"))
        return _copies(deployment, desired, current)

    def _base(self, deployment: Deployment) -> str:
        return Names(self._stack, deployment.name).base


def _instances(shown: "Sequence[InstanceTypeDef] | None", answering: Set[str]) -> tuple[Instance, ...] | None:
    return None if shown is None else tuple(instance_of(one, answers=one["InstanceId"] in answering) for one in shown)


def _copies(deployment: Deployment, desired: int, current: int) -> Capacity:
    ready = min(current, desired)
    return Capacity(desired, ready, desired - ready, _wanted_type(deployment))


def _wanted_type(deployment: Deployment) -> str | None:
    """Return the type that was provisioned, else the first one wanted; None for a model that isn't known."""
    if known := deployment.resources.get("instance_type"):
        return known
    types = deployment.spec.capacity.instance_types
    model = find(deployment.spec.model.id)
    first = types[0] if types else model.instance_types[0] if model else None
    return None if first is None else deployment.spec.profile.instance_type(first)
