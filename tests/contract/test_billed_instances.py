"""What EC2 tells of a stack's instances, in the words that moto takes from AWS."""

from typing import Any

import boto3

from spillway.adapters.observe.billed_instances import fleet_instances, instance_of


def test_the_stacks_instances_are_found_by_their_tags_whether_they_run_or_not(aws: None) -> None:
    ec2 = boto3.client("ec2", region_name="us-east-1")

    def launch(stack: str, deployment: str) -> str:
        tags: list[Any] = [
            {"Key": "spillway:stack", "Value": stack},
            {"Key": "spillway:deployment", "Value": deployment},
        ]
        made = ec2.run_instances(
            ImageId="ami-12c6146b",
            InstanceType="g5.2xlarge",
            MinCount=1,
            MaxCount=1,
            TagSpecifications=[{"ResourceType": "instance", "Tags": tags}],
        )
        return made["Instances"][0]["InstanceId"]

    running, dead = launch("ours", "aa"), launch("ours", "aa")
    launch("theirs", "aa")
    ec2.terminate_instances(InstanceIds=[dead])

    found = fleet_instances(ec2, "ours")
    assert list(found) == ["aa"]
    by_id = {one.id: one for one in (instance_of(each, answers=True) for each in found["aa"])}
    assert by_id.keys() == {running, dead}
    assert (by_id[running].runs, by_id[running].answers, by_id[running].ended_at) == (True, True, None)
    assert (by_id[dead].runs, by_id[dead].answers) == (False, False)
    ended = by_id[dead].ended_at
    assert ended is not None
    assert (ended - by_id[dead].launched_at).total_seconds() < 60
