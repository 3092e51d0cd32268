"""The guards as CloudFormation meets them: asked at each kind of request, in each state of the stack."""

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber
from moto import mock_aws

from functions.guard_stack import app
from spillway.adapters.aws.custom_resource import respond
from spillway.adapters.aws.stacks import stack_status
from spillway.bootstrap.guard import GuardServices, guard_services
from spillway.domain.deployments.deployment import Inventory
from spillway.domain.deployments.status import Status
from spillway.services.guard_stack import GuardStack
from spillway.settings import Settings
from tests.builders import a_deployment, a_spec
from tests.fakes import FakeDeployments
from tests.unit.services.cloudformation import CloudFormation, listening

ON = {"ServiceToken": "arn", "ServiceTimeout": "60", "GuardRunning": "true", "EnableFleets": "true", "VpcId": ""}
OFF = {**ON, "EnableFleets": "false"}
ELSEWHERE = {**ON, "VpcId": "vpc-0a"}
UNGUARDED = {"GuardRunning": "false"}


@dataclass
class Account:
    """A stack in some state, with deployments."""

    stack: str = "spillway"
    status: str = "UPDATE_IN_PROGRESS"
    deployments: FakeDeployments = field(default_factory=FakeDeployments)
    asked: list[str] = field(default_factory=list)

    def status_of(self, stack_id: str) -> str:
        self.asked.append(stack_id)
        return self.status

    def inventory(self) -> Inventory:
        return self.deployments.all()

    def services(self) -> GuardServices:
        return GuardServices(GuardStack(self.stack, "eu-west-1", self.inventory, self.status_of), respond)


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Account:
    made = Account()
    monkeypatch.setattr(app, "container", made.services)
    return made


def _cloud(logical_id: str) -> Iterator[CloudFormation]:
    resource = {"LogicalResourceId": logical_id, "ResourceType": f"Custom::{logical_id}"}
    made = CloudFormation(app.handler, {**resource, "ResourceProperties": ON})
    with listening(made):
        yield made


@pytest.fixture
def change(account: Account) -> Iterator[CloudFormation]:
    yield from _cloud("ChangeGuard")


@pytest.fixture
def deletion(account: Account) -> Iterator[CloudFormation]:
    yield from _cloud("DeletionGuard")


def a_fleet(**changes: Any) -> FakeDeployments:
    return FakeDeployments(a_deployment(**changes))


def update(cloud: CloudFormation, before: Mapping[str, str], after: Mapping[str, str]) -> dict[str, Any]:
    return cloud.send("Update", "ChangeGuard", OldResourceProperties=before, ResourceProperties=after)


@pytest.mark.parametrize("status", sorted(set(Status) - {Status.RETIRED}))
def test_the_stack_is_not_deleted_under_what_is_not_retired(
    account: Account, deletion: CloudFormation, status: Status
) -> None:
    account.status, account.deployments = "DELETE_IN_PROGRESS", a_fleet(status=status)
    answer = deletion.send("Delete", "DeletionGuard")
    assert answer["Status"] == "FAILED"
    assert answer["PhysicalResourceId"] == "DeletionGuard"
    assert f"support-llama (fleet, {status})" in answer["Reason"]
    assert "DELETE /deployments/<name>" in answer["Reason"]
    assert "delete-stack --region eu-west-1 --stack-name spillway --retain-resources DeletionGuard" in answer["Reason"]


def test_any_path_keeps_the_stack_from_being_deleted(account: Account, deletion: CloudFormation) -> None:
    spec = a_spec(path="bedrock", model={"id": "meta.llama3-1-8b-instruct-v1:0"}, capacity=None, spill=None)
    account.status, account.deployments = "DELETE_IN_PROGRESS", a_fleet(spec=spec)
    assert deletion.send("Delete", "DeletionGuard")["Status"] == "FAILED"


def test_a_record_that_cannot_be_read_may_be_one_that_runs(account: Account, deletion: CloudFormation) -> None:
    account.status, account.deployments = "DELETE_IN_PROGRESS", a_fleet(status=Status.RETIRED)
    account.deployments.unreadable = {"support-llama"}
    assert "support-llama (its record cannot be read)" in deletion.send("Delete", "DeletionGuard")["Reason"]


def test_the_reason_of_a_full_stack_fits_into_cloudformations_4096_bytes(
    account: Account, deletion: CloudFormation
) -> None:
    account.status = "DELETE_IN_PROGRESS"
    account.deployments = FakeDeployments(*(a_deployment(f"d{number:039}") for number in range(200)))
    answer = deletion.send("Delete", "DeletionGuard")
    assert len(json.dumps(answer)) < 4096
    assert "and 195 more" in answer["Reason"]


@pytest.mark.parametrize(
    ("status", "state", "properties"),
    [
        ("DELETE_IN_PROGRESS", Status.RETIRED, ON),
        ("DELETE_IN_PROGRESS", Status.SERVING, UNGUARDED),
        # The guard goes, and not the stack: an upgrade that brought it, or a first deploy, is rolled back.
        ("UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS", Status.SERVING, ON),
        ("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", Status.SERVING, ON),
        ("ROLLBACK_IN_PROGRESS", Status.SERVING, ON),
    ],
)
def test_the_deletion_guard_lets_go(
    account: Account, deletion: CloudFormation, status: str, state: Status, properties: dict[str, str]
) -> None:
    account.status, account.deployments = status, a_fleet(status=state)
    assert deletion.send("Delete", "DeletionGuard", ResourceProperties=properties)["Status"] == "SUCCESS"


def test_an_update_of_what_the_deletion_guard_names_is_no_deletion(account: Account, deletion: CloudFormation) -> None:
    account.deployments = a_fleet()
    for kind in ("Create", "Update"):
        assert deletion.send(kind, "DeletionGuard")["Status"] == "SUCCESS"


@pytest.mark.parametrize("after", [OFF, ELSEWHERE, {**ON, "Zones": "use1-az4"}, {**ON, "Whatever": "is new"}])
def test_fleets_are_not_switched_off_or_moved_under_a_fleet(
    account: Account, change: CloudFormation, after: dict[str, str]
) -> None:
    account.deployments = a_fleet()
    answer = update(change, ON, after)
    assert answer["Status"] == "FAILED"
    assert "support-llama (fleet, serving)" in answer["Reason"]
    assert "GuardRunning=false" in answer["Reason"]


@pytest.mark.parametrize(
    ("status", "before", "after"),
    [
        ("UPDATE_IN_PROGRESS", OFF, ON),
        ("UPDATE_IN_PROGRESS", OFF, {**OFF, "VpcId": "vpc-0a"}),
        ("UPDATE_IN_PROGRESS", ON, {**ON, "ServiceTimeout": "30"}),
        ("UPDATE_IN_PROGRESS", ON, {**OFF, **UNGUARDED}),
        # CloudFormation rolls back by the same request with both properties exchanged.
        ("UPDATE_ROLLBACK_IN_PROGRESS", ELSEWHERE, ON),
        ("UPDATE_ROLLBACK_IN_PROGRESS", OFF, ON),
    ],
)
def test_the_change_guard_lets_go(
    account: Account, change: CloudFormation, status: str, before: dict[str, str], after: dict[str, str]
) -> None:
    account.status, account.deployments = status, a_fleet()
    assert update(change, before, after)["Status"] == "SUCCESS"


def test_only_fleets_keep_fleets_where_they_are(account: Account, change: CloudFormation) -> None:
    spec = a_spec(path="jumpstart", model={"id": "meta-textgeneration-llama-3-1-8b-instruct", "accept_eula": True})
    account.deployments = FakeDeployments(a_deployment(spec=spec), a_deployment("old", status=Status.RETIRED))
    assert update(change, ON, OFF)["Status"] == "SUCCESS"


def test_the_upgrade_that_brings_the_guard_moves_fleets_unless_their_vpc_is_the_users(
    account: Account, change: CloudFormation
) -> None:
    account.deployments = a_fleet()
    for properties, outcome in ((OFF, "FAILED"), (ON, "FAILED"), (ELSEWHERE, "SUCCESS")):
        assert change.send("Create", ResourceProperties=properties)["Status"] == outcome
    account.deployments = a_fleet(status=Status.RETIRED)
    assert change.send("Create", ResourceProperties=ON)["Status"] == "SUCCESS"


@pytest.mark.parametrize(
    ("stack", "status", "outcome"),
    [
        ("Spillway", "CREATE_IN_PROGRESS", "FAILED"),
        ("spillway", "CREATE_IN_PROGRESS", "SUCCESS"),
        # A first deploy that failed, was kept, and is tried again.
        ("Spillway", "UPDATE_IN_PROGRESS", "FAILED"),
    ],
)
def test_a_name_that_cannot_work_fails_the_first_deploy(
    account: Account, change: CloudFormation, stack: str, status: str, outcome: str
) -> None:
    account.stack, account.status, account.deployments = stack, status, FakeDeployments()
    answer = change.send("Create")
    assert answer["Status"] == outcome
    assert ("sam deploy --stack-name spillway" in answer["Reason"]) is (outcome == "FAILED")


def test_a_stack_that_lives_with_a_bad_name_is_upgraded(account: Account, change: CloudFormation) -> None:
    """It may only run on Bedrock, where no name matters; an upgrade is no time to end that."""
    account.stack, account.deployments = "Spillway", a_fleet(status=Status.RETIRED)
    assert change.send("Create")["Status"] == "SUCCESS"


@pytest.mark.parametrize(
    ("before", "after", "refused"),
    [
        (ON, ELSEWHERE, True),
        ({**ON, "Zones": "z-az1,z-az2,none"}, {**ON, "Zones": "z-az1,z-az4,none"}, True),
        ({**ON, "Zones": "z-az1,z-az2,none"}, {**ON, "Zones": "z-az1,z-az2,z-az4"}, False),
        ({**ELSEWHERE, "SubnetIds": "a,b"}, {**ELSEWHERE, "SubnetIds": "b,c"}, False),
        (OFF, {**ELSEWHERE, "EnableFleets": "true"}, False),
        (ELSEWHERE, {**OFF, "VpcId": ""}, False),
    ],
)
@pytest.mark.parametrize("guards", ["true", "false"])
def test_what_aws_cannot_change_is_refused_though_nothing_runs(
    account: Account,
    change: CloudFormation,
    before: dict[str, str],
    after: dict[str, str],
    refused: bool,
    guards: str,
) -> None:
    account.deployments = a_fleet(status=Status.RETIRED)
    answer = update(change, before, {**after, "GuardRunning": guards})
    assert ("EnableFleets=false first" in answer["Reason"]) is refused
    assert (answer["Status"] == "FAILED") is refused


def test_the_change_guard_goes_with_the_stack(account: Account, change: CloudFormation) -> None:
    account.status, account.deployments = "DELETE_IN_PROGRESS", a_fleet()
    assert change.send("Delete", "ChangeGuard")["Status"] == "SUCCESS"
    assert account.asked == []


def test_what_cannot_be_told_is_refused_at_once(
    account: Account, deletion: CloudFormation, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_stack_id: str) -> str:
        raise RuntimeError("no answer")

    monkeypatch.setattr(account, "status_of", broken)
    with pytest.raises(RuntimeError):
        deletion.send("Delete", "DeletionGuard")
    (answer,) = deletion.answers
    assert answer["Status"] == "FAILED"
    assert "log stream 2026/11/24/[$LATEST]abc" in answer["Reason"]


def test_a_table_that_is_gone_holds_nothing_that_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "SPILLWAY_STACK", "DEPLOYMENTS_TABLE"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with mock_aws():
        services = guard_services(Settings({**os.environ, "AWS_REGION": "us-east-1"}))
        assert services.guard.inventory() == Inventory(())


def test_the_status_is_cloudformations() -> None:
    client = boto3.client("cloudformation", "us-east-1", aws_access_key_id="t", aws_secret_access_key="t")
    stack = {"StackName": "spillway", "CreationTime": "2026-11-24T00:00:00Z", "StackStatus": "DELETE_IN_PROGRESS"}
    with Stubber(client) as stub:
        stub.add_response("describe_stacks", {"Stacks": [stack]}, {"StackName": "arn:stack"})
        assert stack_status(client)("arn:stack") == "DELETE_IN_PROGRESS"
