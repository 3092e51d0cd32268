"""The five verbs of the fleet path."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from spillway.adapters.aws.errors import translated
from spillway.adapters.aws.quotas import Quotas
from spillway.adapters.drivers.fleet.config import FleetConfig
from spillway.adapters.drivers.fleet.group import Group, is_fitting, mark_of
from spillway.adapters.drivers.fleet.group_state import capacity_of, in_service, refusal
from spillway.adapters.drivers.fleet.launch_template import LaunchTemplate
from spillway.adapters.drivers.fleet.load_balancer_route import LoadBalancerRoute
from spillway.adapters.drivers.fleet.preflight import FleetPreflight
from spillway.adapters.drivers.fleet.user_data import has_proxy
from spillway.domain.deployments.deployment import Deployment
from spillway.domain.deployments.resource_names import DEPLOYMENT_TAG, STACK_TAG, Names
from spillway.domain.deployments.spec import DeploymentSpec
from spillway.domain.engines.registry import engine_of
from spillway.domain.errors import CapacityUnavailable, Retryable
from spillway.domain.observations.capacity import Capacity
from spillway.domain.paths.targets import FleetTarget

if TYPE_CHECKING:
    from mypy_boto3_autoscaling import AutoScalingClient
    from mypy_boto3_autoscaling.type_defs import AutoScalingGroupTypeDef
    from mypy_boto3_ec2 import EC2Client
    from mypy_boto3_elbv2 import ElasticLoadBalancingv2Client
    from mypy_boto3_service_quotas import ServiceQuotasClient
    from mypy_boto3_ssm import SSMClient

_NOT_TERMINATED = ["pending", "running", "shutting-down", "stopping", "stopped"]


@dataclass(frozen=True)
class FleetDriver:
    """Everything is named after the deployment, so that each verb finds what an earlier or half-done one made."""

    config: FleetConfig
    ec2: "EC2Client"
    checks: FleetPreflight
    template: LaunchTemplate
    route: LoadBalancerRoute
    group: Group

    def preflight(self, deployment: Deployment) -> None:
        """Check the model, the instance types, the vCPU quota, the machine image and whose what is there is."""
        self.checks.check(deployment.spec)
        self._look(self._names(deployment))

    def makes(self, deployment: Deployment) -> Sequence[str]:
        """Name route, launch template and group; instances have no names before they run."""
        names = self._names(deployment)
        return [
            f"target group {names.target_group}",
            f"listener rule to target group {names.target_group}",
            f"launch template {names.base}",
            f"Auto Scaling group {names.base}",
        ]

    def provision(self, deployment: Deployment, desired: int) -> Mapping[str, str]:
        """Make route, launch template and group, or what is missing of them; a group that is there is resized."""
        names, offer = self._names(deployment), self.checks.offer(deployment.spec)
        spec = offer.within(deployment.spec)
        group = self._look(names)
        if group and group.get("Status"):
            raise Retryable(f"Auto Scaling group {names.base} is still being deleted: {group['Status']}")
        group_arn, rule_arn = self.route.ensure(names, engine_of(spec.engine.name).health_path)
        if group is None:
            self.template.ensure(spec, names, self.checks.image_id())
            self.group.create(spec, names, group_arn, desired, offer.subnet_ids)
        else:
            self._fit(group, spec, names, desired, offer.subnet_ids)
        parser = spec.engine.options.tool_call_parser
        return {
            "target_group_arn": group_arn,
            "rule_arn": rule_arn,
            "instance_type": spec.wanted_instance_types[0],
            **({"tool_call_parser": parser} if parser else {}),
        }

    def probe(self, deployment: Deployment) -> Capacity:
        """Count instances; ready are those in service whose engine answers the load balancer."""
        names = self._names(deployment)
        wanted_type = deployment.spec.wanted_instance_types[0]
        group = self.group.describe(names)
        if group is None:
            return Capacity(instance_type=wanted_type)
        healthy = self.route.healthy(names) if group.get("Instances") else frozenset()
        seen = capacity_of(group, wanted_type, lambda one: in_service(one) and one["InstanceId"] in healthy)
        if seen.billed >= seen.desired:
            return seen
        problem = refusal(self.group.activities(names), mark_of(group))
        if problem and not seen.billed:
            raise CapacityUnavailable(problem)
        return Capacity(seen.desired, seen.ready, seen.starting, seen.instance_type, problem)

    def scale(self, deployment: Deployment, desired: int) -> None:
        """Resize the group, by what the spec says now; the load balancer drains the instances that go."""
        names = self._names(deployment)
        group = self.group.describe(names)
        if group is None:
            raise CapacityUnavailable(f"the Auto Scaling group {names.base} of {deployment.name} is gone")
        offer = self.checks.offer(deployment.spec)
        self._fit(group, offer.within(deployment.spec), names, desired, offer.subnet_ids)

    def release(self, deployment: Deployment) -> Sequence[str]:
        """Delete group and instances, then the route, then the launch template that the group still refers to."""
        names = self._names(deployment)
        remaining = []
        if group := self.group.find(names):
            # A group on its way out has a status; asking again would be an error.
            if not group.get("Status"):
                self.group.delete(names)
            if self.group.find(names):
                remaining.append(f"Auto Scaling group {names.base}")
        remaining += self._instances(names)
        remaining += self.route.delete(names)
        if not remaining:
            self.template.delete(names)
        return remaining

    def target(self, deployment: Deployment) -> FleetTarget:
        """Return the fleet by its name, which its route and its engines know."""
        return FleetTarget(deployment.name, deployment.spec.task)

    def _look(self, names: Names) -> "AutoScalingGroupTypeDef | None":
        """Return the group; Conflict, before anything is made, where a name is taken by another owner's."""
        group = self.group.describe(names)
        self.route.group_arn(names)
        self.template.is_there(names)
        return group

    def _fit(
        self,
        group: "AutoScalingGroupTypeDef",
        spec: DeploymentSpec,
        names: Names,
        desired: int,
        subnet_ids: Sequence[str],
    ) -> None:
        if is_fitting(group, spec, desired, subnet_ids):
            return
        # First the template: a call that ends in between is repeated while the group still shows the old maximum.
        if has_proxy(group["MaxSize"]) != has_proxy(max(spec.capacity.max, desired)):
            self.template.renew(spec, names, self.checks.image_id())
        self.group.resize(spec, names, desired, subnet_ids)

    def _instances(self, names: Names) -> list[str]:
        filters = [
            {"Name": f"tag:{STACK_TAG}", "Values": [names.stack]},
            {"Name": f"tag:{DEPLOYMENT_TAG}", "Values": [names.deployment]},
            {"Name": "instance-state-name", "Values": _NOT_TERMINATED},
        ]
        with translated():
            pages = self.ec2.get_paginator("describe_instances").paginate(Filters=filters)  # type: ignore[arg-type]
            return [
                f"instance {instance['InstanceId']}"
                for page in pages
                for reservation in page["Reservations"]
                for instance in reservation["Instances"]
            ]

    def _names(self, deployment: Deployment) -> Names:
        return Names(self.config.stack, deployment.name)


@dataclass(frozen=True)
class FleetClients:
    """The AWS clients of a fleet."""

    ec2: "EC2Client"
    autoscaling: "AutoScalingClient"
    elb: "ElasticLoadBalancingv2Client"
    ssm: "SSMClient"
    service_quotas: "ServiceQuotasClient"


def fleet_driver(config: FleetConfig, clients: FleetClients) -> FleetDriver:
    """Put a driver together."""
    return FleetDriver(
        config=config,
        ec2=clients.ec2,
        checks=FleetPreflight(config, clients.ec2, clients.ssm, Quotas(clients.service_quotas)),
        template=LaunchTemplate(config, clients.ec2),
        route=LoadBalancerRoute(config, clients.elb),
        group=Group(config, clients.autoscaling),
    )
