"""The emulated Bedrock control plane, called by boto3."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.sandbox.bedrock import BedrockControl, BedrockRuntime, Catalog, Pace, default_catalog
from tests.unit.sandbox.conftest import Connect, Serve

LLAMA = "meta.llama3-1-8b-instruct-v1:0"
STARTED_AT = datetime(2026, 11, 24, 12, tzinfo=UTC)
JOB: dict[str, Any] = {
    "jobName": "job-1",
    "importedModelName": "my-llama",
    "roleArn": "arn:aws:iam::123456789012:role/import",
    "modelDataSource": {"s3DataSource": {"s3Uri": "s3://weights/llama/"}},
    "importedModelTags": [{"key": "spillway:deployment", "value": "chat"}],
}


class Clock:
    def __init__(self) -> None:
        self.now = STARTED_AT

    def __call__(self) -> datetime:
        return self.now

    def forward(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def catalog() -> Catalog:
    return default_catalog()


@pytest.fixture
def control(clock: Clock, catalog: Catalog) -> BedrockControl:
    return BedrockControl(clock, catalog, import_seconds=600)


@pytest.fixture
async def client(control: BedrockControl, serve: Serve, connect: Connect) -> Any:
    return connect("bedrock", await serve(control.routes()))


async def ask(call: Any, **parameters: Any) -> Any:
    return await asyncio.to_thread(call, **parameters)


async def test_models_are_listed_by_provider(client: Any) -> None:
    everything = (await ask(client.list_foundation_models))["modelSummaries"]
    qwens = (await ask(client.list_foundation_models, byProvider="Qwen", byInferenceType="ON_DEMAND"))["modelSummaries"]
    assert {model["modelId"] for model in qwens} == {
        model["modelId"] for model in everything if model["modelId"].startswith("qwen.")
    }
    assert 0 < len(qwens) < len(everything)
    assert qwens[0]["modelLifecycle"]["status"] == "ACTIVE"


async def test_one_model_is_described(client: Any) -> None:
    details = (await ask(client.get_foundation_model, modelIdentifier=LLAMA))["modelDetails"]
    assert details["modelArn"] == f"arn:aws:bedrock:us-east-1::foundation-model/{LLAMA}"
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        await ask(client.get_foundation_model, modelIdentifier="meta.nothing-v1:0")


async def test_availability_follows_the_models_settings(client: Any, catalog: Catalog) -> None:
    fine = await ask(client.get_foundation_model_availability, modelId=LLAMA)
    assert fine["authorizationStatus"] == "AUTHORIZED"
    assert fine["agreementAvailability"]["status"] == "AVAILABLE"
    assert (fine["regionAvailability"], fine["entitlementAvailability"]) == ("AVAILABLE", "AVAILABLE")
    model = catalog.models[LLAMA]
    model.authorized, model.region_available, model.agreement = False, False, "PENDING"
    now = await ask(client.get_foundation_model_availability, modelId=LLAMA)
    assert now["authorizationStatus"] == "NOT_AUTHORIZED"
    assert now["regionAvailability"] == "NOT_AVAILABLE"
    assert now["agreementAvailability"]["status"] == "PENDING"


async def test_profiles_point_at_their_models(client: Any) -> None:
    profiles = (await ask(client.list_inference_profiles, typeEquals="SYSTEM_DEFINED"))["inferenceProfileSummaries"]
    assert f"us.{LLAMA}" in {profile["inferenceProfileId"] for profile in profiles}
    profile = await ask(client.get_inference_profile, inferenceProfileIdentifier=f"us.{LLAMA}")
    # One for each region that may answer.
    assert [model["modelArn"] for model in profile["models"]] == [
        f"arn:aws:bedrock:{region}::foundation-model/{LLAMA}" for region in ("us-east-1", "us-east-2", "us-west-2")
    ]
    by_arn = await ask(client.get_inference_profile, inferenceProfileIdentifier=profile["inferenceProfileArn"])
    assert by_arn["inferenceProfileId"] == f"us.{LLAMA}"
    none = await ask(client.list_inference_profiles, typeEquals="APPLICATION")
    assert none["inferenceProfileSummaries"] == []


async def test_an_import_takes_its_time_and_leaves_a_model(client: Any, clock: Clock, catalog: Catalog) -> None:
    arn = (await ask(client.create_model_import_job, **JOB))["jobArn"]
    clock.forward(599)
    job = await ask(client.get_model_import_job, jobIdentifier=arn)
    assert job["status"] == "InProgress"
    assert "importedModelArn" not in job
    assert (await ask(client.list_imported_models))["modelSummaries"] == []
    clock.forward(1)
    job = await ask(client.get_model_import_job, jobIdentifier="job-1")
    assert (job["status"], job["endTime"]) == ("Completed", STARTED_AT + timedelta(seconds=600))
    model = await ask(client.get_imported_model, modelIdentifier=job["importedModelArn"])
    assert (model["modelName"], model["instructSupported"]) == ("my-llama", True)
    assert model["customModelUnits"]["customModelUnitsPerModelCopy"] == 2
    assert catalog.imported[model["modelArn"]].tags == {"spillway:deployment": "chat"}


async def test_an_import_that_fails_says_why(client: Any, clock: Clock, control: BedrockControl) -> None:
    control.imports.failure = "The architecture is not supported."
    await ask(client.create_model_import_job, **JOB)
    clock.forward(600)
    job = await ask(client.get_model_import_job, jobIdentifier="job-1")
    assert (job["status"], job["failureMessage"]) == ("Failed", "The architecture is not supported.")
    failed = await ask(client.list_model_import_jobs, statusEquals="Failed")
    assert [job["jobName"] for job in failed["modelImportJobSummaries"]] == ["job-1"]
    assert (await ask(client.list_imported_models))["modelSummaries"] == []


async def test_the_same_token_makes_one_job(client: Any) -> None:
    first = await ask(client.create_model_import_job, clientRequestToken="t-1", **JOB)
    again = await ask(client.create_model_import_job, clientRequestToken="t-1", **JOB)
    assert again["jobArn"] == first["jobArn"]
    with pytest.raises(ClientError) as caught:
        await ask(client.create_model_import_job, clientRequestToken="t-2", **JOB)
    assert caught.value.response["Error"]["Code"] == "ConflictException"


async def test_a_model_shows_the_tags_that_its_job_gave_it(client: Any, clock: Clock) -> None:
    arn = (await ask(client.create_model_import_job, **JOB))["jobArn"].replace("model-import-job", "imported-model")
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        await ask(client.list_tags_for_resource, resourceARN=arn)
    clock.forward(600)
    assert (await ask(client.list_tags_for_resource, resourceARN=arn))["tags"] == JOB["importedModelTags"]


async def test_a_deleted_model_stays_away(client: Any, clock: Clock) -> None:
    await ask(client.create_model_import_job, **JOB)
    clock.forward(600)
    found = (await ask(client.list_imported_models, nameContains="llama"))["modelSummaries"]
    await ask(client.delete_imported_model, modelIdentifier=found[0]["modelArn"])
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        await ask(client.get_imported_model, modelIdentifier="my-llama")
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        await ask(client.delete_imported_model, modelIdentifier=found[0]["modelArn"])


async def test_the_runtime_serves_a_model_as_soon_as_it_is_imported(
    client: Any, clock: Clock, control: BedrockControl, catalog: Catalog, serve: Serve, connect: Connect
) -> None:
    runtime = BedrockRuntime(catalog, clock, pace=Pace(0.0, 10_000.0), settle=control.imports.settle)
    runtime_client = connect("bedrock-runtime", await serve(runtime.routes()))
    job = (await ask(client.create_model_import_job, **JOB))["jobArn"]
    model = job.replace("model-import-job", "imported-model")
    body = '{"messages": [{"role": "user", "content": "hello"}], "max_tokens": 3}'
    with pytest.raises(runtime_client.exceptions.ResourceNotFoundException):
        await ask(runtime_client.invoke_model, modelId=model, body=body)
    clock.forward(600)
    answer = await ask(runtime_client.invoke_model, modelId=model, body=body)
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 200


async def test_the_runtime_refuses_a_model_without_access(
    clock: Clock, catalog: Catalog, serve: Serve, connect: Connect
) -> None:
    catalog.models[LLAMA].authorized = False
    client = connect("bedrock-runtime", await serve(BedrockRuntime(catalog, clock).routes()))
    messages = [{"role": "user", "content": [{"text": "hello"}]}]
    with pytest.raises(client.exceptions.AccessDeniedException):
        await ask(client.converse, modelId=f"us.{LLAMA}", messages=messages)
