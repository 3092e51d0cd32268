"""A fleet as Spillway makes one, for the tests of the simulated cloud."""

import base64
import itertools
from dataclasses import dataclass, field
from typing import Any

from tests.sandbox.cloud import fleet_api
from tests.sandbox.cloud.agents import start_agents
from tests.sandbox.cloud.clock import ManualClock
from tests.sandbox.cloud.fleet import Fleet, FleetTimes
from tests.sandbox.cloud.load_balancer import LoadBalancer
from tests.sandbox.cloud.metrics import Metrics
from tests.sandbox.cloud.moto_cloud import MotoCloud
from tests.sandbox.cloud.ports import EngineLoad
from tests.sandbox.engine_command import Command
from tests.unit.sandbox.cloud.conftest import Clients

NAME = "spill-chat"
USER_DATA = "#!/bin/bash\nARGS=(serve Qwen/Qwen3-8B --served-model-name chat --port 8000)\n"


@dataclass
class FakeEngine:
    """An engine that only remembers what was done to it."""

    url: str
    model: str
    present: EngineLoad = field(default_factory=EngineLoad)
    ended: str = ""

    def load(self) -> EngineLoad:
        return self.present

    def stop(self) -> None:
        self.ended = "stopped"

    def kill(self) -> None:
        self.ended = "killed"


class FakeEngines:
    """Starts :class:`FakeEngine`."""

    def __init__(self) -> None:
        self.all: dict[str, FakeEngine] = {}
        self._ports = itertools.count(9001)

    def launch(self, instance_key: str, command: Command) -> FakeEngine:
        engine = FakeEngine(f"http://127.0.0.1:{next(self._ports)}", command.served_name)
        self.all[instance_key] = engine
        return engine


class FleetCloud:
    """A network, a load balancer and the simulated fleet behind moto."""

    def __init__(self, moto: MotoCloud, clients: Clients, clock: ManualClock) -> None:
        self.clock, self.faults = clock, moto.faults
        self.events: list[tuple[str, dict[str, Any]]] = []
        self.engines, self.metrics = FakeEngines(), Metrics()
        self.autoscaling, self.ec2, self.elb = clients("autoscaling"), clients("ec2"), clients("elbv2")
        self.cloudwatch = clients("cloudwatch")
        self.metrics.install(moto.patches)
        self.fleet = Fleet(clock, self.engines, self._emit, moto.faults, FleetTimes())
        fleet_api.install(self.fleet, moto.patches)
        start_agents(self.fleet, self.metrics)
        self.load_balancer = LoadBalancer(self.fleet)
        vpc = self.ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        self.subnets = [self._subnet(vpc, f"10.0.{index}.0/24", f"us-east-1{zone}") for index, zone in enumerate("ab")]
        self.target_group = self._target_group(vpc)
        self.listener = self._listener()

    def _emit(self, source: str, detail_type: str, detail: dict[str, Any]) -> None:
        assert source in ("aws.autoscaling", "aws.ec2")
        self.events.append((detail_type, detail))

    def _subnet(self, vpc: str, block: str, zone: str) -> str:
        answer = self.ec2.create_subnet(VpcId=vpc, CidrBlock=block, AvailabilityZone=zone)
        return str(answer["Subnet"]["SubnetId"])

    def _target_group(self, vpc: str) -> str:
        answer = self.elb.create_target_group(
            Name=NAME,
            Protocol="HTTP",
            Port=8000,
            VpcId=vpc,
            HealthCheckPath="/health",
            HealthCheckIntervalSeconds=10,
            HealthCheckTimeoutSeconds=5,
            HealthyThresholdCount=2,
            UnhealthyThresholdCount=2,
        )
        return str(answer["TargetGroups"][0]["TargetGroupArn"])

    def _listener(self) -> str:
        balancer = self.elb.create_load_balancer(Name="fleets", Subnets=self.subnets, Scheme="internal")
        fixed = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404", "MessageBody": "no fleet"}}
        answer = self.elb.create_listener(
            LoadBalancerArn=balancer["LoadBalancers"][0]["LoadBalancerArn"],
            Protocol="HTTP",
            Port=80,
            DefaultActions=[fixed],
        )
        return str(answer["Listeners"][0]["ListenerArn"])

    def make(
        self,
        desired: int,
        types: tuple[str, ...] = ("g6.xlarge",),
        health: str = "EC2",
        spot: bool = False,
        most: int = 4,
        user_data: str = USER_DATA,
        **more: Any,
    ) -> None:
        """Make launch template and group, as the fleet driver does."""
        tags = [{"Key": "spillway:deployment", "Value": "chat"}, {"Key": "spillway:stack", "Value": "spill"}]
        data: dict[str, Any] = {
            "ImageId": "ami-12345678",
            "InstanceType": types[0],
            "UserData": base64.b64encode(user_data.encode()).decode(),
            "TagSpecifications": [{"ResourceType": "instance", "Tags": tags}],
        }
        template = self.ec2.create_launch_template(
            LaunchTemplateName=NAME,
            LaunchTemplateData=data,
            TagSpecifications=[{"ResourceType": "launch-template", "Tags": tags}],
        )["LaunchTemplate"]
        specification = {"LaunchTemplateId": template["LaunchTemplateId"], "Version": "$Latest"}
        policy = {
            "LaunchTemplate": {
                "LaunchTemplateSpecification": specification,
                "Overrides": [{"InstanceType": found} for found in types],
            },
            "InstancesDistribution": {"OnDemandPercentageAboveBaseCapacity": 0 if spot else 100},
        }
        self.autoscaling.create_auto_scaling_group(
            AutoScalingGroupName=NAME,
            MixedInstancesPolicy=policy,
            MinSize=0,
            MaxSize=most,
            DesiredCapacity=desired,
            VPCZoneIdentifier=",".join(self.subnets),
            TargetGroupARNs=[self.target_group],
            HealthCheckType=health,
            HealthCheckGracePeriod=300,
            Tags=[{**tag, "PropagateAtLaunch": True} for tag in tags],
            **more,
        )

    def route(self) -> None:
        """Make the listener rule of the deployment."""
        rewrite = {"Regex": "^.*/fleets/chat(/.*)$", "Replace": "$1"}
        self.elb.create_rule(
            ListenerArn=self.listener,
            Priority=10,
            Conditions=[{"Field": "path-pattern", "PathPatternConfig": {"Values": ["*/fleets/chat/*"]}}],
            Actions=[{"Type": "forward", "TargetGroupArn": self.target_group}],
            Transforms=[{"Type": "url-rewrite", "UrlRewriteConfig": {"Rewrites": [rewrite]}}],
            Tags=[{"Key": "spillway:deployment", "Value": "chat"}, {"Key": "spillway:stack", "Value": "spill"}],
        )

    def group(self) -> dict[str, Any]:
        """Return the group as DescribeAutoScalingGroups shows it."""
        groups = self.autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[NAME])["AutoScalingGroups"]
        return dict(groups[0]) if groups else {}

    def states(self) -> list[str]:
        """Return the instances' lifecycle states."""
        return [found["LifecycleState"] for found in self.group()["Instances"]]

    def health(self) -> list[str]:
        """Return the targets' states."""
        found = self.elb.describe_target_health(TargetGroupArn=self.target_group)["TargetHealthDescriptions"]
        return [target["TargetHealth"]["State"] for target in found]

    def named(self, detail_type: str) -> list[dict[str, Any]]:
        """Return the details of all events of one type."""
        return [detail for kind, detail in self.events if kind == detail_type]

    def ids(self) -> list[str]:
        """Return the ids of the instances that are there."""
        return list(self.fleet.machines)
