# ruff: noqa: N803 - parameters bear the names that the API gives them
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

from botocore.exceptions import ClientError

from spillway.adapters.observe.capacity_reader import AwsCapacityReader
from spillway.domain.deployments.deployment import Deployment
from spillway.domain.observations.capacity import Capacity, EndpointInstances, Instance
from tests.builders import NOW, a_deployment, a_spec

BIG = 250
MINUTE = timedelta(minutes=1)
YESTERDAY = NOW - timedelta(days=1)


class FakePages:
    """A paginator over ready-made pages that counts calls."""

    def __init__(self, calls: list[Any], answer: Any) -> None:
        self._calls, self._answer = calls, answer

    def paginate(self, **params: Any) -> Any:
        self._calls.append(params)
        return [self._answer(**params)]


class FakeAutoScaling:
    def __init__(self, *groups: dict[str, Any]) -> None:
        self.groups = {group["AutoScalingGroupName"]: group for group in groups}
        self.calls: list[Any] = []

    def get_paginator(self, operation: str) -> FakePages:
        assert operation == "describe_auto_scaling_groups"
        return FakePages(self.calls, self._answer)

    def _answer(self, AutoScalingGroupNames: list[str], **_: Any) -> Any:
        return {"AutoScalingGroups": [self.groups[name] for name in AutoScalingGroupNames if name in self.groups]}


class FakeEc2:
    """Instances by the deployment whose tag they bear; ``failure`` is raised by every call."""

    def __init__(self, **instances: list[dict[str, Any]]) -> None:
        self.instances = instances
        self.calls: list[Any] = []
        self.failure: Exception | None = None

    def get_paginator(self, operation: str) -> FakePages:
        assert operation == "describe_instances"
        return FakePages(self.calls, self._answer)

    def _answer(self, **_: Any) -> Any:
        if self.failure:
            raise self.failure
        tagged = [
            {**one, "Tags": [{"Key": "spillway:deployment", "Value": name}]}
            for name, each in self.instances.items()
            for one in each
        ]
        return {"Reservations": [{"Instances": [one]} for one in tagged]}


class FakeSageMaker:
    """Endpoints at rest since yesterday of one instance each, but for those in ``endpoints``."""

    def __init__(self, *components: tuple[str, str, int, int]) -> None:
        self.components = components
        self.endpoints: dict[str, dict[str, Any]] = {}
        self.calls: list[Any] = []
        self.described: list[str] = []
        self.counted: list[str] = []
        self.failure: Exception | None = None

    def get_paginator(self, operation: str) -> FakePages:
        if operation == "list_endpoints":
            return FakePages([], lambda **_: {"Endpoints": [self._endpoint(one[0]) for one in self.components]})
        assert operation == "list_inference_components"
        found = [
            {"InferenceComponentName": name, "InferenceComponentStatus": status, "LastModifiedTime": YESTERDAY}
            for name, status, _, _ in self.components
        ]
        return FakePages(self.calls, lambda **_: {"InferenceComponents": found})

    def describe_endpoint(self, EndpointName: str) -> Any:
        self.counted.append(EndpointName)
        if self.failure:
            raise self.failure
        return {"ProductionVariants": [{"CurrentInstanceCount": 3}], **self._endpoint(EndpointName)}

    def _endpoint(self, name: str) -> dict[str, Any]:
        rest = {"EndpointStatus": "InService", "CreationTime": YESTERDAY, "LastModifiedTime": YESTERDAY}
        return {"EndpointName": name, **rest, **self.endpoints.get(name, {})}

    def describe_inference_component(self, InferenceComponentName: str) -> Any:
        self.described.append(InferenceComponentName)
        desired, current = next(c[2:] for c in self.components if c[0] == InferenceComponentName)
        return {"RuntimeConfig": {"DesiredCopyCount": desired, "CurrentCopyCount": current}, "FailureReason": "broken"}


def read(
    *deployments: Deployment, autoscaling: Any = None, sagemaker: Any = None, ec2: Any = None, now: datetime = NOW
) -> Mapping[str, Capacity]:
    clients: Any = (autoscaling or FakeAutoScaling(), sagemaker or FakeSageMaker(), ec2 or FakeEc2())
    return AwsCapacityReader("spillway", *clients).read(deployments, now)


def told(capacity: Capacity) -> Capacity:
    return replace(capacity, instances=None)


def throttled(operation: str) -> ClientError:
    return ClientError({"Error": {"Code": "ThrottlingException", "Message": "Rate exceeded"}}, operation)


def a_group(name: str, desired: int, *states: str) -> dict[str, Any]:
    instances = [
        {
            "InstanceId": f"i-{number}",
            "InstanceType": "g5.2xlarge",
            "LifecycleState": state.split()[0],
            "HealthStatus": state.split()[1] if " " in state else "Healthy",
        }
        for number, state in enumerate(states)
    ]
    return {"AutoScalingGroupName": f"spillway-{name}", "DesiredCapacity": desired, "Instances": instances}


def a_jumpstart(name: str, desired: int) -> Any:
    spec = a_spec(name=name, path="jumpstart")
    return a_deployment(name, spec=spec, desired=desired, resources={"instance_type": "ml.g5.2xlarge"})


def test_instances_count_by_where_they_are_in_their_life() -> None:
    group = a_group("aa", 3, "InService", "InService Unhealthy", "Pending:Wait", "Pending", "Terminating:Wait")
    seen = read(a_deployment("aa"), autoscaling=FakeAutoScaling(group))
    assert told(seen["aa"]) == Capacity(desired=3, ready=1, starting=3, instance_type="g5.2xlarge")


def test_a_fleet_asleep_shows_the_type_it_would_start() -> None:
    seen = read(a_deployment("aa"), a_deployment("gone"), autoscaling=FakeAutoScaling(a_group("aa", 0)))
    assert seen == {"aa": Capacity(instance_type="g6e.xlarge", instances=())}


def test_instances_are_those_that_ec2_tells_of_whatever_their_group_has() -> None:
    def shown(number: int, state: str, reason: str = "") -> dict[str, Any]:
        return {
            "InstanceId": f"i-{number}",
            "InstanceType": "g5.2xlarge",
            "LaunchTime": YESTERDAY,
            "State": {"Name": state},
            "StateTransitionReason": reason,
        }

    ended = shown(2, "terminated", "User initiated (2026-11-24 09:12:34 GMT)")
    taken = shown(3, "shutting-down", "Server.SpotInstanceTermination: Spot instance termination")
    ec2 = FakeEc2(aa=[shown(0, "running"), shown(1, "pending"), ended, taken], gone=[ended])
    group = a_group("aa", 2, "InService", "Pending:Wait")
    seen = read(a_deployment("aa"), a_deployment("gone"), autoscaling=FakeAutoScaling(group), ec2=ec2)
    end = datetime(2026, 11, 24, 9, 12, 34, tzinfo=UTC)
    dead = Instance("i-2", "g5.2xlarge", YESTERDAY, runs=False, ended_at=end)
    assert seen["aa"].instances == (
        Instance("i-0", "g5.2xlarge", YESTERDAY, answers=True),
        Instance("i-1", "g5.2xlarge", YESTERDAY),
        dead,
        Instance("i-3", "g5.2xlarge", YESTERDAY, runs=False),
    )
    assert seen["gone"] == Capacity(instances=(dead,))
    assert len(ec2.calls) == 1


def test_a_fleet_is_seen_also_while_ec2_tells_nothing() -> None:
    ec2 = FakeEc2()
    ec2.failure = throttled("DescribeInstances")
    seen = read(a_deployment("aa"), autoscaling=FakeAutoScaling(a_group("aa", 1, "InService")), ec2=ec2)
    assert seen["aa"] == Capacity(1, 1, 0, "g5.2xlarge")


def test_calls_grow_by_batches() -> None:
    autoscaling, sagemaker = FakeAutoScaling(), FakeSageMaker()
    read(*(a_deployment(f"a{number}") for number in range(BIG)), autoscaling=autoscaling, sagemaker=sagemaker)
    assert [len(call["AutoScalingGroupNames"]) for call in autoscaling.calls] == [100, 100, 50]
    assert not sagemaker.calls


def test_a_component_whose_last_workflow_failed_is_asked_for() -> None:
    sagemaker = FakeSageMaker(("spillway-aa", "InService", 1, 1))
    failed = replace(a_jumpstart("aa", 0), hold_until=NOW)
    seen = read(failed, sagemaker=sagemaker)
    assert told(seen["aa"]) == Capacity(desired=1, ready=1, instance_type="ml.g5.2xlarge")


def test_components_at_rest_are_not_asked_for_one_by_one() -> None:
    sagemaker = FakeSageMaker(
        ("spillway-aa", "InService", 0, 0), ("spillway-bb", "Updating", 2, 1), ("somebody-elses", "InService", 0, 0)
    )
    seen = read(a_jumpstart("aa", 2), a_jumpstart("bb", 2), sagemaker=sagemaker)
    assert {name: told(one) for name, one in seen.items()} == {
        "aa": Capacity(2, 2, 0, "ml.g5.2xlarge"),
        "bb": Capacity(2, 1, 1, "ml.g5.2xlarge"),
    }
    assert sagemaker.described == ["spillway-bb"]


def test_endpoints_at_rest_are_counted_in_turn_and_each_within_a_quarter_of_an_hour() -> None:
    names = [f"a{number}" for number in range(60)]
    sagemaker = FakeSageMaker(*((f"spillway-{name}", "InService", 1, 1) for name in names))
    a_look = [len(sagemaker.counted)]
    for minute in range(15):
        seen = read(*(a_jumpstart(name, 1) for name in names), sagemaker=sagemaker, now=NOW + minute * MINUTE)
        a_look.append(len(sagemaker.counted))
        counts = {one.instances.count for one in seen.values() if isinstance(one.instances, EndpointInstances)}
        assert counts <= {None, 3}
    assert sorted(sagemaker.counted) == sorted(f"spillway-{name}" for name in names)
    assert max(after - before for before, after in pairwise(a_look)) < 15


def test_an_endpoint_that_changes_is_counted_at_every_look() -> None:
    sagemaker = FakeSageMaker(("spillway-aa", "InService", 1, 1), ("spillway-bb", "InService", 1, 1))
    changed = NOW - 29 * MINUTE
    sagemaker.endpoints = {
        "spillway-aa": {"LastModifiedTime": changed},
        "spillway-bb": {"EndpointStatus": "Creating", "CreationTime": changed, "ProductionVariants": []},
    }
    for minute in range(-1, 1):
        now = NOW + minute * MINUTE
        seen = read(a_jumpstart("aa", 1), a_jumpstart("bb", 1), a_jumpstart("cc", 1), sagemaker=sagemaker, now=now)
        assert seen["aa"].instances == EndpointInstances(3, "ml.g5.2xlarge", YESTERDAY, changed, 1)
        # SageMaker tells no counts of one that it makes, and it makes one instance.
        assert seen["bb"].instances == EndpointInstances(1, "ml.g5.2xlarge", changed, YESTERDAY, 1)
        gone = seen["cc"].instances
        assert isinstance(gone, EndpointInstances)
        assert gone.count == 0


def test_an_endpoint_that_cannot_be_counted_now_is_left_to_the_next_look() -> None:
    sagemaker = FakeSageMaker(("spillway-aa", "InService", 1, 1))
    sagemaker.endpoints = {"spillway-aa": {"LastModifiedTime": NOW}}
    sagemaker.failure = throttled("DescribeEndpoint")
    assert read(a_jumpstart("aa", 1), sagemaker=sagemaker)["aa"] == Capacity(1, 1, 0, "ml.g5.2xlarge")


def test_a_storm_of_changes_is_looked_at_in_part_and_spilled_for_the_rest() -> None:
    names = [f"a{number}" for number in range(60)]
    sagemaker = FakeSageMaker(*((f"spillway-{name}", "Updating", 1, 1) for name in names))
    seen = read(*(a_jumpstart(name, 1) for name in names), sagemaker=sagemaker)
    assert len(sagemaker.described) == 50
    assert seen["a0"].ready == 1
    assert told(seen["a59"]) == Capacity(1, 0, 1, "ml.g5.2xlarge")


def test_a_failed_component_says_why() -> None:
    sagemaker = FakeSageMaker(("spillway-aa", "Failed", 2, 1))
    assert read(a_jumpstart("aa", 2), sagemaker=sagemaker)["aa"].problem == "broken"


def test_bedrock_is_ready_without_a_call() -> None:
    assert read(a_deployment("aa", spec=a_spec(name="aa", path="bedrock"))) == {"aa": Capacity(1, 1)}
