"""The import driver: one job a life, a model that is found by its name, and nothing left of it."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

import boto3
import pytest
from botocore.stub import ANY, Stubber

from spillway.adapters.drivers.imported import ImportDriver
from spillway.domain.deployments.deployment import Deployment
from spillway.domain.deployments.resource_names import Names
from spillway.domain.errors import Conflict, InvalidRequest, NotReady, Retryable
from spillway.domain.observations.capacity import Capacity
from spillway.domain.paths.targets import ImportedTarget
from tests.builders import NOW, a_deployment, a_spec

ROLE = "arn:aws:iam::123456789012:role/spillway-ImportRole"
ARN = "arn:aws:bedrock:us-east-1:123456789012:imported-model/abcdef123456"
JOB_ARN = "arn:aws:bedrock:us-east-1:123456789012:model-import-job/abcdef123456"
WEIGHTS = "s3://weights/qwen3"
GONE: dict[str, Any] = {"service_error_code": "ResourceNotFoundException", "http_status_code": 404}


def an_import(**changes: Any) -> Deployment:
    spec = a_spec(path="import", model={"id": "Qwen/Qwen3-8B", "weights": WEIGHTS}, capacity=None)
    return a_deployment(spec=spec, **changes)


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> ImportDriver:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    return ImportDriver("spillway", "us-east-1", ROLE, boto3.client("bedrock", region_name="us-east-1"))


@pytest.fixture
def stub(driver: ImportDriver) -> Iterator[Stubber]:
    with Stubber(driver.bedrock) as stub:
        yield stub
        stub.assert_no_pending_responses()


def job_is(stub: Stubber, status: str, **more: Any) -> None:
    stub.add_response("get_model_import_job", {"jobArn": JOB_ARN, "jobName": "a-job", "status": status, **more}, None)


def no_job(stub: Stubber) -> None:
    stub.add_client_error("get_model_import_job", **GONE)


def test_an_import_is_begun_once_with_the_stacks_tags(driver: ImportDriver, stub: Stubber) -> None:
    tags = [{"key": "spillway:stack", "value": "spillway"}, {"key": "spillway:deployment", "value": "support-llama"}]
    no_job(stub)
    wanted = {
        "jobName": ANY,
        "importedModelName": "spillway-support-llama",
        "roleArn": ROLE,
        "modelDataSource": {"s3DataSource": {"s3Uri": "s3://weights/qwen3/"}},
        "jobTags": tags,
        "importedModelTags": tags,
        "clientRequestToken": ANY,
    }
    stub.add_response("create_model_import_job", {"jobArn": JOB_ARN}, wanted)
    first = driver.provision(an_import(), 1)
    job_is(stub, "InProgress")
    assert driver.provision(an_import(), 1) == first
    # Names of jobs are never free again, so the next life of the deployment needs another.
    job_is(stub, "InProgress")
    assert driver.provision(an_import(created_at=NOW + timedelta(days=1)), 1) != first


def test_a_model_of_the_life_before_that_is_not_gone_yet_is_waited_for(driver: ImportDriver, stub: Stubber) -> None:
    no_job(stub)
    stub.add_client_error("create_model_import_job", service_error_code="ConflictException", http_status_code=400)
    the_model(stub)
    with pytest.raises(Retryable):
        driver.provision(an_import(), 1)


@pytest.mark.parametrize(
    ("status", "capacity"),
    [("InProgress", Capacity(1, 0, 1)), ("Completed", Capacity(1, 1, 0))],
)
def test_it_is_ready_once_the_import_is_done(
    driver: ImportDriver, stub: Stubber, status: str, capacity: Capacity
) -> None:
    job_is(stub, status)
    assert driver.probe(an_import()) == capacity


def test_an_import_that_failed_says_why(driver: ImportDriver, stub: Stubber) -> None:
    job_is(stub, "Failed", failureMessage="Unsupported architecture: GemmaForCausalLM")
    with pytest.raises(InvalidRequest, match="Unsupported architecture") as raised:
        driver.probe(an_import())
    assert raised.value.param == "model.weights"


def test_the_target_is_the_model_and_the_units_that_a_copy_takes(driver: ImportDriver, stub: Stubber) -> None:
    stub.add_client_error("get_imported_model", **GONE)
    with pytest.raises(NotReady):
        driver.target(an_import())
    model = {"modelArn": ARN, "customModelUnits": {"customModelUnitsPerModelCopy": 2}}
    stub.add_response("get_imported_model", model, {"modelIdentifier": "spillway-support-llama"})
    assert driver.target(an_import()) == ImportedTarget(ARN, 2)


def the_model(stub: Stubber, tags: Mapping[str, str] = Names("spillway", "support-llama").tags) -> None:
    stub.add_response("get_imported_model", {"modelArn": ARN}, {"modelIdentifier": "spillway-support-llama"})
    listed = [{"key": key, "value": value} for key, value in tags.items()]
    stub.add_response("list_tags_for_resource", {"tags": listed}, {"resourceARN": ARN})


def test_nothing_is_left_once_the_import_has_ended_and_the_model_is_deleted(
    driver: ImportDriver, stub: Stubber
) -> None:
    # A model that is not there bears no tag, so IAM might not let it be deleted: only what is there is.
    stub.add_client_error("get_imported_model", **GONE)
    job_is(stub, "InProgress")
    assert driver.release(an_import()) == ["model import job a-job"]
    the_model(stub)
    stub.add_response("delete_imported_model", {}, {"modelIdentifier": ARN})
    job_is(stub, "Completed")
    assert driver.release(an_import()) == []
    stub.add_client_error("get_imported_model", **GONE)
    no_job(stub)
    assert driver.release(an_import()) == []


def test_a_model_that_goes_by_itself_is_gone(driver: ImportDriver, stub: Stubber) -> None:
    the_model(stub)
    stub.add_client_error("delete_imported_model", **GONE)
    no_job(stub)
    assert driver.release(an_import()) == []


@pytest.mark.parametrize("tags", [Names("spillway-support", "llama").tags, Names("spillway", "other").tags, {}])
def test_another_owners_model_is_neither_waited_for_nor_deleted(
    driver: ImportDriver, stub: Stubber, tags: dict[str, str]
) -> None:
    no_job(stub)
    stub.add_client_error("create_model_import_job", service_error_code="ConflictException", http_status_code=400)
    the_model(stub, tags)
    with pytest.raises(Conflict, match="imported model spillway-support-llama is there already and belongs to"):
        driver.provision(an_import(), 1)
    the_model(stub, tags)
    no_job(stub)
    assert driver.release(an_import()) == []


def test_where_nothing_can_be_imported_preflight_says_so(driver: ImportDriver) -> None:
    driver.preflight(an_import())
    elsewhere = ImportDriver("spillway", "eu-west-1", ROLE, driver.bedrock)
    with pytest.raises(InvalidRequest, match="imports no models in eu-west-1"):
        elsewhere.preflight(an_import())
    without = ImportDriver("spillway", "us-east-1", None, driver.bedrock)
    with pytest.raises(InvalidRequest, match="WeightsBucket"):
        without.preflight(an_import())


@pytest.mark.parametrize("name", ["a--b", "a---b", "a-b"])
def test_models_names_have_no_two_dashes_beside_each_other_and_stay_different(name: str) -> None:
    found = Names("spillway", name).imported_model
    assert "--" not in found
    assert (found == "spillway-a-b") is (name == "a-b")
