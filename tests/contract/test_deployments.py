"""What every ``Deployments`` store does."""

import json
import re
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from spillway.adapters.dynamodb.deployments_table import DeploymentsTable, item_of
from spillway.domain.deployments.status import Status
from spillway.domain.errors import Conflict, InvalidRequest, NotFound, Superseded
from spillway.domain.paths.bedrock_models import CalledModel
from spillway.domain.paths.targets import BedrockTarget
from spillway.ports import Deployments
from tests.builders import NOW, a_deployment, a_spec
from tests.fakes import FakeDeployments
from tests.measuring_builders import a_measured

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from tests.contract.conftest import MakeTable


@pytest.fixture(params=["memory", "dynamodb"])
def store(request: pytest.FixtureRequest) -> Deployments:
    if request.param == "memory":
        return FakeDeployments()
    make: MakeTable = request.getfixturevalue("make_table")
    return DeploymentsTable(request.getfixturevalue("dynamodb"), make("name"))


def test_a_record_comes_back_as_it_was_stored(store: Deployments) -> None:
    deployment = a_deployment(
        spec=a_spec(
            budget={"usd_per_month": 800},
            capacity={
                "max": 4,
                "warm_windows": [{"days": ["mon"], "from": "08:00", "to": "20:00", "time_zone": "Europe/Berlin"}],
            },
        ),
        resources={"target_group": "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/a/b"},
        cold_start_seconds=212.5,
        workflow="arn:aws:states:us-east-1:123456789012:execution:deploy:a",
        target=BedrockTarget("openai.gpt-oss-20b-1:0", "openai"),
        hold_until=NOW + timedelta(minutes=10),
        restore=2,
        measured=a_measured(),
        called={"a.a": CalledModel("us.a.a", "a.a", ("us-east-1", "us-west-2")), "b": None},
    )
    store.create(deployment)
    assert store.get(deployment.name) == deployment


def test_absent_values_stay_absent(store: Deployments) -> None:
    deployment = a_deployment(target=None, desired=0)
    store.create(deployment)
    assert store.get(deployment.name) == deployment


def test_a_name_that_does_not_exist_is_not_found(store: Deployments) -> None:
    with pytest.raises(NotFound) as caught:
        store.get("nobody")
    assert caught.value.param == "name"


@pytest.mark.parametrize("status", [status for status in Status if status is not Status.RETIRED])
def test_a_name_in_use_is_a_conflict_and_changes_nothing(store: Deployments, status: Status) -> None:
    first = a_deployment(status=status)
    store.create(first)
    with pytest.raises(Conflict) as caught:
        store.create(a_deployment(status_reason="another"))
    assert caught.value.code == "name_in_use"
    assert store.get(first.name) == first


def test_a_retired_deployment_frees_its_name(store: Deployments) -> None:
    store.create(a_deployment(status=Status.RETIRED))
    successor = a_deployment(status=Status.REQUESTED)
    store.create(successor)
    assert store.get(successor.name) == successor


def test_every_update_is_the_next_version(store: Deployments) -> None:
    store.create(a_deployment())
    written = store.update(store.get("support-llama").moved(Status.DRAINING, "Idle.", NOW))
    assert (written.version, written.status) == (2, Status.DRAINING)
    assert store.get("support-llama") == written


def test_an_update_of_what_somebody_else_wrote_is_superseded(store: Deployments) -> None:
    store.create(a_deployment())
    read = store.get("support-llama")
    theirs = store.update(replace(read, desired=2))
    with pytest.raises(Superseded):
        store.update(replace(read, desired=3))
    assert store.get("support-llama") == theirs


def test_a_repeat_of_the_very_same_write_is_no_conflict(store: Deployments) -> None:
    for _ in range(2):
        store.create(a_deployment())
    for _ in range(2):
        assert store.update(a_deployment(desired=3)).version == 2
    assert store.get("support-llama") == a_deployment(desired=3, version=2)


def test_an_update_of_what_does_not_exist_is_superseded(store: Deployments) -> None:
    with pytest.raises(Superseded):
        store.update(a_deployment())


def test_pages_cover_every_record_once(store: Deployments) -> None:
    names = {f"model-{number}" for number in range(7)}
    for name in names:
        store.create(a_deployment(name))
    seen: list[str] = []
    cursor = None
    while True:
        page, cursor = store.page(3, cursor)
        assert len(page) <= 3
        seen += [deployment.name for deployment in page]
        if cursor is None:
            break
    assert sorted(seen) == sorted(names)
    assert sorted(deployment.name for deployment in store.all().deployments) == sorted(names)


@pytest.mark.parametrize(
    "broken",
    [
        {"spec": {"S": '{"name": "broken", "colour": "red"}'}},
        {"spec": {"S": "{"}},
        {"status": {"S": "melancholic"}},
        {"target": {"S": '{"kind": "fleet", "colour": "red"}'}},
        {"updated_at": None},
    ],
)
def test_a_record_that_cannot_be_read_hides_no_other_and_is_named(
    dynamodb: "DynamoDBClient", make_table: "MakeTable", caplog: pytest.LogCaptureFixture, broken: dict[str, Any]
) -> None:
    store = DeploymentsTable(dynamodb, make_table("name"))
    item = {**item_of(a_deployment("broken")), **broken}
    dynamodb.put_item(TableName="table", Item={name: value for name, value in item.items() if value is not None})
    store.create(a_deployment("whole"))
    stored = store.all()
    assert ([each.name for each in stored.deployments], list(stored.unreadable)) == (["whole"], ["broken"])
    page, _ = store.page(10, None)
    assert [each.name for each in page] == ["whole"]
    assert {(record.levelname, vars(record)["deployment"]) for record in caplog.records} == {("ERROR", "broken")}


def test_a_record_of_an_engine_that_is_not_here_names_it_and_hides_no_other(
    dynamodb: "DynamoDBClient", make_table: "MakeTable", caplog: pytest.LogCaptureFixture
) -> None:
    store = DeploymentsTable(dynamodb, make_table("name"))
    item = item_of(a_deployment("newer"))
    spec = json.loads(item["spec"]["S"])
    spec["engine"]["name"] = "tgi"
    dynamodb.put_item(TableName="table", Item={**item, "spec": {"S": json.dumps(spec)}})
    store.create(a_deployment("whole"))
    stored = store.all()
    assert ([each.name for each in stored.deployments], list(stored.unreadable)) == (["whole"], ["newer"])
    (record,) = caplog.records
    said = re.compile(r"engine\.name.*'vllm'.*'tgi'", re.DOTALL)
    assert vars(record)["deployment"] == "newer"
    assert said.search(vars(record)["error"])
    with pytest.raises(ValueError, match=said):
        store.get("newer")


@pytest.mark.parametrize("cursor", ["!", "bm9uc2Vuc2U", "e30", "W10", "eyJuYW1lIjogMX0", "é", "a" * 5000])
def test_a_cursor_that_is_none_is_an_invalid_request(store: Deployments, cursor: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        store.page(3, cursor)
    assert caught.value.param == "cursor"
