"""What an account has: quotas, public images, and what deployments leave behind in it."""

import pytest
from botocore.exceptions import ClientError

from tests.sandbox.cloud import machine_images
from tests.sandbox.cloud.clock import ManualClock
from tests.sandbox.cloud.leftovers import tagged_leftovers
from tests.sandbox.cloud.moto_cloud import MotoCloud
from tests.sandbox.cloud.quotas import Quotas
from tests.unit.sandbox.cloud.conftest import Clients
from tests.unit.sandbox.cloud.fleets import NAME, FleetCloud
from tests.unit.sandbox.cloud.test_sagemaker import Cloud as SageMakerCloud


def test_ec2_quotas_are_read_by_code(moto: MotoCloud, clients: Clients) -> None:
    quotas = Quotas(moto.faults)
    quotas.install(moto.front)
    api = clients("service-quotas")
    assert api.get_service_quota(ServiceCode="ec2", QuotaCode="L-DB2E81BA")["Quota"]["Value"] == 192.0
    quotas.values["L-DB2E81BA"] = 0.0
    assert api.get_aws_default_service_quota(ServiceCode="ec2", QuotaCode="L-DB2E81BA")["Quota"]["Value"] == 0.0
    for service, code in (("ec2", "L-00000000"), ("none", "L-DB2E81BA")):
        with pytest.raises(ClientError, match="NoSuchResourceException"):
            api.get_service_quota(ServiceCode=service, QuotaCode=code)


def test_sagemaker_quotas_are_found_by_name(moto: MotoCloud, clients: Clients) -> None:
    Quotas(moto.faults).install(moto.front)
    moto.faults.resource_limit["ml.g5.xlarge"] = 1
    pages = clients("service-quotas").get_paginator("list_service_quotas").paginate(ServiceCode="sagemaker")
    values = {quota["QuotaName"]: quota["Value"] for page in pages for quota in page["Quotas"]}
    assert values["ml.g5.xlarge for endpoint usage"] == 1.0
    assert values["ml.p5.48xlarge for endpoint usage"] == 4.0


def test_the_deep_learning_image_can_be_found(clients: Clients) -> None:
    ssm, ec2 = clients("ssm"), clients("ec2")
    machine_images.install()
    image = ssm.get_parameter(Name=machine_images.PARAMETERS[0])["Parameter"]["Value"]
    found = ec2.describe_images(ImageIds=[image])["Images"][0]
    assert (found["RootDeviceName"], found["Architecture"]) == ("/dev/xvda", "x86_64")


def test_leftovers_of_a_fleet_are_named_until_they_are_gone(
    moto: MotoCloud, clients: Clients, clock: ManualClock
) -> None:
    cloud = FleetCloud(moto, clients, clock)
    cloud.make(desired=1)
    cloud.route()
    clock.advance(60)
    (instance,) = cloud.ids()
    tags = [{"Key": "spillway:deployment", "Value": "chat"}, {"Key": "spillway:stack", "Value": "spill"}]
    cloud.elb.add_tags(ResourceArns=[cloud.target_group], Tags=tags)

    kinds = [found.split(" (")[0] for found in tagged_leftovers("spill")]
    assert [kind for kind in kinds if not kind.startswith("listener rule")] == [
        f"Auto Scaling group {NAME}",
        f"instance {instance}",
        f"launch template {NAME}",
        f"target group {NAME}",
    ]
    assert sum(kind.startswith("listener rule") for kind in kinds) == 1
    assert tagged_leftovers("another") == []

    cloud.autoscaling.delete_auto_scaling_group(AutoScalingGroupName=NAME, ForceDelete=True)
    clock.advance(60)
    rule = cloud.elb.describe_rules(ListenerArn=cloud.listener)["Rules"][0]["RuleArn"]
    cloud.elb.delete_rule(RuleArn=rule)
    cloud.elb.delete_target_group(TargetGroupArn=cloud.target_group)
    cloud.ec2.delete_launch_template(LaunchTemplateName=NAME)
    assert tagged_leftovers("spill") == []


def test_leftovers_on_sagemaker_are_named(moto: MotoCloud, clients: Clients, clock: ManualClock) -> None:
    cloud = SageMakerCloud(moto, clients, clock)
    cloud.serving()
    assert tagged_leftovers("spill", cloud.state) == [
        "SageMaker endpoint spill-chat (chat)",
        "SageMaker endpoint-config spill-chat (chat)",
        "SageMaker inference-component spill-chat (chat)",
        "SageMaker model spill-chat (chat)",
    ]
