"""Launch templates, user data, target groups and rules as AWS takes them, and no more of them."""

import base64
import gzip
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.sandbox.cloud.clock import ManualClock
from tests.sandbox.cloud.launch_templates import USER_DATA_BYTES
from tests.sandbox.cloud.moto_cloud import MotoCloud
from tests.unit.sandbox.cloud.conftest import Clients
from tests.unit.sandbox.cloud.fleets import NAME, USER_DATA, FleetCloud

PROXIED = USER_DATA + "docker run --detach --name proxy haproxy\n"


@pytest.fixture
def cloud(moto: MotoCloud, clients: Clients, clock: ManualClock) -> FleetCloud:
    return FleetCloud(moto, clients, clock)


def encoded(user_data: bytes) -> dict[str, str]:
    return {"UserData": base64.b64encode(user_data).decode()}


def add_version(cloud: FleetCloud, **data: Any) -> None:
    image = {"ImageId": "ami-12345678", "InstanceType": "g6.xlarge"}
    cloud.ec2.create_launch_template_version(LaunchTemplateName=NAME, LaunchTemplateData={**image, **data})


@pytest.mark.parametrize("script", [PROXIED.encode(), gzip.compress(PROXIED.encode())], ids=["plain", "packed"])
def test_instances_are_launched_by_a_later_version(cloud: FleetCloud, script: bytes) -> None:
    cloud.make(desired=1)
    cloud.clock.advance(300)
    add_version(cloud, **encoded(script))
    cloud.autoscaling.set_desired_capacity(AutoScalingGroupName=NAME, DesiredCapacity=2)
    cloud.clock.advance(300)
    first, second = cloud.fleet.machines.values()
    assert (first.proxied, second.proxied) == (False, True)
    assert cloud.states() == ["InService"] * 2


def test_user_data_is_limited_wherever_it_is_given(cloud: FleetCloud) -> None:
    cloud.make(desired=0)
    add_version(cloud, **encoded(b"x" * USER_DATA_BYTES))
    too_long = b"x" * (USER_DATA_BYTES + 1)
    for make in (
        lambda: add_version(cloud, **encoded(too_long)),
        lambda: cloud.ec2.create_launch_template(LaunchTemplateName="other", LaunchTemplateData=encoded(too_long)),
    ):
        with pytest.raises(ClientError, match=r"InvalidUserData.Malformed.*limited to 16384 bytes"):
            make()
    with pytest.raises(ClientError, match=r"InvalidParameterValue.*limited to 16384 bytes"):
        cloud.ec2.run_instances(ImageId="ami-12345678", MinCount=1, MaxCount=1, UserData=too_long.decode())
    with pytest.raises(ClientError, match=r"InvalidUserData.Malformed.*BASE64"):
        add_version(cloud, UserData="§")


def test_a_target_group_made_again_is_the_same_unless_it_differs(cloud: FleetCloud) -> None:
    vpc = cloud.ec2.describe_vpcs(Filters=[{"Name": "cidr", "Values": ["10.0.0.0/16"]}])["Vpcs"][0]["VpcId"]
    settings = {"Name": "twice", "Protocol": "HTTP", "Port": 8000, "VpcId": vpc, "HealthCheckPath": "/health"}
    made = [cloud.elb.create_target_group(**settings)["TargetGroups"][0]["TargetGroupArn"] for _ in range(2)]
    assert made[0] == made[1]
    with pytest.raises(ClientError, match="DuplicateTargetGroupName"):
        cloud.elb.create_target_group(**{**settings, "HealthCheckPath": "/other"})


def test_a_load_balancer_has_a_hundred_rules(cloud: FleetCloud) -> None:
    def add(priority: int) -> None:
        condition = {"Field": "path-pattern", "PathPatternConfig": {"Values": [f"*/fleets/{priority}/*"]}}
        action = {"Type": "forward", "TargetGroupArn": cloud.target_group}
        cloud.elb.create_rule(ListenerArn=cloud.listener, Priority=priority, Conditions=[condition], Actions=[action])

    for priority in range(1, 101):
        add(priority)
    with pytest.raises(ClientError, match="TooManyRules"):
        add(101)
