from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from spillway.adapters.drivers.bedrock import BedrockDriver
from spillway.domain.errors import InvalidRequest, Retryable
from spillway.domain.observations.capacity import Capacity
from spillway.domain.paths.targets import BedrockTarget
from tests.builders import a_deployment, a_spec

MODEL = "meta.llama3-1-8b-instruct-v1:0"
ARN = f"arn:aws:bedrock:us-east-1::foundation-model/{MODEL}"


def a_bedrock(model_id: str = "meta-llama/Llama-3.1-8B-Instruct", **changes: Any) -> Any:
    return a_deployment(spec=a_spec(path="bedrock", model={"id": model_id, **changes}, capacity=None), resources={})


@pytest.fixture
def stub() -> Iterator[Stubber]:
    client = boto3.client("bedrock", "us-east-1", aws_access_key_id="t", aws_secret_access_key="t")
    with Stubber(client) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


@pytest.fixture
def driver(stub: Stubber) -> BedrockDriver:
    client: Any = stub.client
    return BedrockDriver("us-east-1", client, may_subscribe=False)


def model_exists(stub: Stubber, *inference_types: str, model_id: str = MODEL) -> None:
    arn = ARN.replace(MODEL, model_id)
    details = {"modelArn": arn, "modelId": model_id, "inferenceTypesSupported": list(inference_types)}
    stub.add_response("get_foundation_model", {"modelDetails": details}, {"modelIdentifier": model_id})


def profiles_are(stub: Stubber, *ids: str, arn: str = ARN) -> None:
    summaries = [
        {
            "inferenceProfileName": "a profile",
            "inferenceProfileArn": f"arn:aws:bedrock:us-east-1:123456789012:inference-profile/{name}",
            "inferenceProfileId": name,
            "models": [{"modelArn": arn}],
            "status": "ACTIVE",
            "type": "SYSTEM_DEFINED",
        }
        for name in ids
    ]
    answer = {"inferenceProfileSummaries": summaries}
    stub.add_response("list_inference_profiles", answer, {"typeEquals": "SYSTEM_DEFINED"})


def availability_is(stub: Stubber, model_id: str = MODEL, **changes: Any) -> None:
    answer = {
        "modelId": model_id,
        "agreementAvailability": {"status": "AVAILABLE"},
        "authorizationStatus": "AUTHORIZED",
        "entitlementAvailability": "AVAILABLE",
        "regionAvailability": "AVAILABLE",
        **changes,
    }
    stub.add_response("get_foundation_model_availability", answer, {"modelId": model_id})


def test_preflight_passes_for_a_model_the_account_may_call(driver: BedrockDriver, stub: Stubber) -> None:
    model_exists(stub, "ON_DEMAND")
    availability_is(stub)
    driver.preflight(a_bedrock())


@pytest.mark.parametrize(
    ("changes", "param", "sentence"),
    [
        ({"regionAvailability": "NOT_AVAILABLE"}, "model.id", "not offered in us-east-1"),
        ({"authorizationStatus": "NOT_AUTHORIZED"}, "model.id", "may not use"),
        ({"agreementAvailability": {"status": "ERROR", "errorMessage": "broken"}}, "model.id", "broken"),
        ({"agreementAvailability": {"status": "NOT_AVAILABLE"}}, "model.accept_eula", "accepts its provider's"),
    ],
)
def test_preflight_says_why_not(driver: BedrockDriver, stub: Stubber, changes: Any, param: str, sentence: str) -> None:
    model_exists(stub, "ON_DEMAND")
    availability_is(stub, **changes)
    with pytest.raises(InvalidRequest, match=sentence) as raised:
        driver.preflight(a_bedrock())
    assert raised.value.param == param


def test_an_agreement_the_user_accepts_is_made_by_the_first_call(driver: BedrockDriver, stub: Stubber) -> None:
    model_exists(stub, "ON_DEMAND")
    availability_is(stub, agreementAvailability={"status": "NOT_AVAILABLE"})
    driver.preflight(a_bedrock(accept_eula=True))


ELSEWHERE = ("google.gemma-3-4b-it", "nvidia.nemotron-nano-9b-v2", "minimax.minimax-m2", "zai.glm-4.7", "moonshotai.k2")


@pytest.mark.parametrize("model_id", ELSEWHERE)
def test_a_model_of_the_marketplace_without_an_agreement_is_refused_with_what_to_do(
    driver: BedrockDriver, stub: Stubber, model_id: str
) -> None:
    model_exists(stub, "ON_DEMAND", model_id=model_id)
    availability_is(stub, model_id, agreementAvailability={"status": "NOT_AVAILABLE"})
    with pytest.raises(InvalidRequest) as raised:
        driver.preflight(a_bedrock(model_id, accept_eula=True))
    assert raised.value.param == "model.id"
    for words in (
        f"create-foundation-model-agreement --model-id {model_id} --region us-east-1",
        "list-foundation-model-agreement-offers",
        "console",
        "aws-marketplace:Subscribe",
        "AllowModelSubscriptions=true",
    ):
        assert words in str(raised.value)


@pytest.mark.parametrize("status", ["AVAILABLE", "PENDING"])
def test_a_model_of_the_marketplace_with_an_agreement_passes(driver: BedrockDriver, stub: Stubber, status: str) -> None:
    model_exists(stub, "ON_DEMAND", model_id="zai.glm-4.7")
    availability_is(stub, "zai.glm-4.7", agreementAvailability={"status": status})
    driver.preflight(a_bedrock("zai.glm-4.7"))


def test_where_the_smoke_test_may_subscribe_only_the_licence_is_asked_for(stub: Stubber) -> None:
    client: Any = stub.client
    driver = BedrockDriver("us-east-1", client, may_subscribe=True)
    for accepted in (False, True):
        model_exists(stub, "ON_DEMAND", model_id="zai.glm-4.7")
        availability_is(stub, "zai.glm-4.7", agreementAvailability={"status": "NOT_AVAILABLE"})
        if accepted:
            driver.preflight(a_bedrock("zai.glm-4.7", accept_eula=True))
            continue
        with pytest.raises(InvalidRequest) as raised:
            driver.preflight(a_bedrock("zai.glm-4.7"))
        assert raised.value.param == "model.accept_eula"


def test_a_model_without_on_demand_is_called_by_its_profile(driver: BedrockDriver, stub: Stubber) -> None:
    model_exists(stub, "INFERENCE_PROFILE")
    profiles_are(stub, f"global.{MODEL}", f"us.{MODEL}")
    made = driver.provision(a_bedrock(), 1)
    assert made == {"bedrock_model_id": f"us.{MODEL}", "bedrock_own_model_id": MODEL}
    deployment = a_deployment(spec=a_bedrock().spec, resources=made)
    assert driver.target(deployment) == BedrockTarget(f"us.{MODEL}", "converse")


def test_the_users_api_is_the_one_that_is_called(driver: BedrockDriver) -> None:
    assert driver.target(a_bedrock(api="openai")) == BedrockTarget(MODEL, "openai")


def test_a_model_that_nothing_reaches_is_refused(driver: BedrockDriver, stub: Stubber) -> None:
    model_exists(stub, "PROVISIONED")
    profiles_are(stub, "us.other", arn=ARN.replace("8b", "70b"))
    with pytest.raises(InvalidRequest, match="no inference profile has it"):
        driver.provision(a_bedrock(), 1)


def test_a_profile_may_be_named_itself(driver: BedrockDriver, stub: Stubber) -> None:
    stub.add_client_error("get_foundation_model", "ValidationException", "The provided model identifier is invalid.")
    stub.add_response(
        "get_inference_profile",
        {
            "inferenceProfileName": "a profile",
            "inferenceProfileArn": f"arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.{MODEL}",
            "inferenceProfileId": f"us.{MODEL}",
            "models": [{"modelArn": ARN}],
            "status": "ACTIVE",
            "type": "SYSTEM_DEFINED",
        },
        {"inferenceProfileIdentifier": f"us.{MODEL}"},
    )
    availability_is(stub)
    driver.preflight(a_bedrock(f"us.{MODEL}"))


def test_an_id_that_bedrock_does_not_know_is_the_callers_mistake(driver: BedrockDriver, stub: Stubber) -> None:
    stub.add_client_error("get_foundation_model", "ResourceNotFoundException", "no such model")
    stub.add_client_error("get_inference_profile", "ResourceNotFoundException", "no such profile")
    with pytest.raises(InvalidRequest, match="no model or inference profile") as raised:
        driver.preflight(a_bedrock("nobody.knows-v1:0"))
    assert raised.value.param == "model.id"


def test_throttling_is_tried_again(driver: BedrockDriver, stub: Stubber) -> None:
    stub.add_client_error("get_foundation_model", "ThrottlingException", "slow down", 429)
    with pytest.raises(Retryable):
        driver.preflight(a_bedrock())


def test_a_model_outside_the_catalog_names_those_within(driver: BedrockDriver) -> None:
    with pytest.raises(InvalidRequest) as raised:
        driver.preflight(a_bedrock("Qwen/Qwen3-8B"))
    assert raised.value.allowed is not None
    assert "Qwen/Qwen3-32B" in raised.value.allowed


def test_bedrock_is_always_ready_and_leaves_nothing(driver: BedrockDriver) -> None:
    assert driver.probe(a_bedrock()) == Capacity(desired=1, ready=1)
    driver.scale(a_bedrock(), 5)
    assert driver.release(a_bedrock()) == []
    assert driver.target(a_bedrock("openai.gpt-oss-20b-1:0")) == BedrockTarget("openai.gpt-oss-20b-1:0", "openai")
