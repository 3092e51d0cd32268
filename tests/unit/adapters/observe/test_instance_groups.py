"""Which Auto Scaling group an instance belongs to."""

from typing import TYPE_CHECKING

import boto3
import pytest
from botocore.stub import Stubber

from spillway.adapters.observe.instance_groups import AutoScalingInstanceGroups
from spillway.domain.errors import Retryable
from spillway.ports import InstanceGroups
from tests.fakes import FakeInstanceGroups

if TYPE_CHECKING:
    from mypy_boto3_autoscaling import AutoScalingClient


@pytest.fixture
def autoscaling(aws: None) -> "AutoScalingClient":
    return boto3.client("autoscaling", region_name="us-east-1")


def an_instance(client: "AutoScalingClient") -> str:
    client.create_launch_configuration(LaunchConfigurationName="small", ImageId="ami-12c6146b", InstanceType="t3.micro")
    client.create_auto_scaling_group(
        AutoScalingGroupName="spillway-support-llama",
        LaunchConfigurationName="small",
        MinSize=0,
        MaxSize=1,
        DesiredCapacity=1,
        AvailabilityZones=["us-east-1a"],
    )
    (group,) = client.describe_auto_scaling_groups()["AutoScalingGroups"]
    return group["Instances"][0]["InstanceId"]


@pytest.mark.parametrize("store", ["memory", "autoscaling"])
def test_an_instance_is_found_in_its_group_and_a_foreign_one_in_none(
    store: str, autoscaling: "AutoScalingClient"
) -> None:
    instance = an_instance(autoscaling)
    groups: InstanceGroups = FakeInstanceGroups({instance: "spillway-support-llama"})
    if store == "autoscaling":
        groups = AutoScalingInstanceGroups(autoscaling)
    assert groups.group_of(instance) == "spillway-support-llama"
    assert groups.group_of("i-0123456789abcdef0") is None


def test_a_throttled_call_may_be_tried_again(autoscaling: "AutoScalingClient") -> None:
    with Stubber(autoscaling) as stub:
        stub.add_client_error("describe_auto_scaling_instances", "Throttling", "Rate exceeded", 400)
        with pytest.raises(Retryable):
            AutoScalingInstanceGroups(autoscaling).group_of("i-1")
