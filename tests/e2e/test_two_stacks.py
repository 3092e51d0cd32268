"""Another stack's deployment has the same name on AWS: it is neither adopted nor deleted, and the user is told."""

from typing import Any

import pytest

from tests.e2e.operator import Operator
from tests.sandbox.sandbox import Sandbox

TIME_FACTOR = 240
SCHEDULES = ()
OWNER = {"spillway:stack": "spillway-their", "spillway:deployment": "own"}
NAME = "their-own"  # with the stack's name before it, as that deployment is called
BASE = f"spillway-{NAME}"
TAGS: Any = [{"Key": key, "Value": value} for key, value in OWNER.items()]


def take_model(client: Any) -> None:
    container = {"Image": "123456789012.dkr.ecr.us-east-1.amazonaws.com/image"}
    role = "arn:aws:iam::123456789012:role/theirs"
    client("sagemaker").create_model(ModelName=BASE, ExecutionRoleArn=role, PrimaryContainer=container, Tags=TAGS)


def take_target_group(client: Any) -> None:
    vpc = client("ec2").describe_vpcs()["Vpcs"][0]["VpcId"]
    client("elbv2").create_target_group(Name=BASE, Protocol="HTTP", Port=80, VpcId=vpc, Tags=TAGS)


@pytest.mark.parametrize(
    ("take", "what", "changes"),
    [
        (
            take_model,
            f"model {BASE}",
            {"path": "jumpstart", "capacity": {"max": 1, "instance_types": ["ml.g5.2xlarge"]}},
        ),
        (take_target_group, f"target group {BASE}", {}),
    ],
)
async def test_a_name_that_is_taken_is_told_with_its_owner_and_left_alone(
    sandbox: Sandbox, operator: Operator, take: Any, what: str, changes: dict[str, Any]
) -> None:
    take(sandbox.deployed.stack.client)
    before = sandbox.emulation.leftovers("spillway-their")
    assert before
    await operator.ask_for(NAME, **changes)
    failed = await operator.until(NAME, "failed")
    assert f"{what} is there already and belongs to deployment 'own' of the stack" in failed["status_reason"]
    await operator.retired(NAME)
    assert sandbox.emulation.leftovers("spillway-their") == before
