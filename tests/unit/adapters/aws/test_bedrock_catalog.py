"""Which regions may answer for a model, as Bedrock's catalog tells it."""

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ReadTimeoutError
from botocore.stub import Stubber

from spillway.adapters.aws.bedrock_catalog import RegionalCatalog
from spillway.domain.deployments.deployment import regions_by_id
from spillway.domain.errors import InvalidRequest
from spillway.domain.paths.bedrock_models import AskedModel, CalledModel

MODEL = "meta.llama3-3-70b-instruct-v1:0"
US = ("us-east-1", "us-east-2", "us-west-2")


@pytest.fixture
def stub() -> Iterator[Stubber]:
    client = boto3.client("bedrock", "us-east-1", aws_access_key_id="t", aws_secret_access_key="t")
    with Stubber(client) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


def regions_of(stub: Stubber, *models: str, allow_global: bool = False) -> Any:
    client: Any = stub.client
    asked = [AskedModel(model, "spill.model_id", allow_global) for model in models]
    return regions_by_id(RegionalCatalog("us-east-1", lambda: client).find(asked))


def profile(name: str, *regions: str) -> dict[str, Any]:
    return {
        "inferenceProfileName": name,
        "inferenceProfileArn": f"arn:aws:bedrock:us-east-1:123456789012:inference-profile/{name}",
        "inferenceProfileId": name,
        "models": [{"modelArn": f"arn:aws:bedrock:{region}::foundation-model/{MODEL}"} for region in regions],
        "status": "ACTIVE",
        "type": "SYSTEM_DEFINED",
    }


def model_exists(stub: Stubber, *inference_types: str) -> None:
    arn = f"arn:aws:bedrock:us-east-1::foundation-model/{MODEL}"
    details = {"modelArn": arn, "modelId": MODEL, "inferenceTypesSupported": list(inference_types)}
    stub.add_response("get_foundation_model", {"modelDetails": details}, {"modelIdentifier": MODEL})


def no_model_but_a_profile(stub: Stubber, name: str, *regions: str) -> None:
    stub.add_client_error("get_foundation_model", "ValidationException", "The provided model identifier is invalid.")
    stub.add_response("get_inference_profile", profile(name, *regions), {"inferenceProfileIdentifier": name})


def test_a_model_that_is_called_on_demand_stays_in_the_region(stub: Stubber) -> None:
    model_exists(stub, "ON_DEMAND")
    assert regions_of(stub, MODEL) == {MODEL: ("us-east-1",)}


def test_a_cross_region_profile_names_every_region_of_it(stub: Stubber) -> None:
    no_model_but_a_profile(stub, f"us.{MODEL}", *US)
    assert regions_of(stub, f"us.{MODEL}") == {f"us.{MODEL}": US}


def test_a_model_that_needs_a_profile_has_that_ones_regions_under_its_id(stub: Stubber) -> None:
    model_exists(stub)
    found = {"inferenceProfileSummaries": [profile(f"global.{MODEL}", "us-east-1", ""), profile(f"us.{MODEL}", *US)]}
    stub.add_response("list_inference_profiles", found, {"typeEquals": "SYSTEM_DEFINED"})
    assert regions_of(stub, MODEL) == {f"us.{MODEL}": US}


def test_a_global_profile_says_so(stub: Stubber) -> None:
    no_model_but_a_profile(stub, f"global.{MODEL}", "us-east-1", "")
    assert regions_of(stub, f"global.{MODEL}") == {f"global.{MODEL}": ("us-east-1", "global")}


@pytest.mark.parametrize("code", ["ThrottlingException", "AccessDeniedException", "InternalServerException"])
def test_what_bedrock_does_not_say_is_unknown_and_the_next_model_is_asked(stub: Stubber, code: str) -> None:
    stub.add_client_error("get_foundation_model", code, "no")
    no_model_but_a_profile(stub, f"us.{MODEL}", *US)
    assert regions_of(stub, "qwen.qwen3-32b-v1:0", f"us.{MODEL}") == {"qwen.qwen3-32b-v1:0": None, f"us.{MODEL}": US}


def no_such_model(stub: Stubber) -> None:
    for call in ("get_foundation_model", "get_inference_profile"):
        stub.add_client_error(call, "ValidationException", "The provided model identifier is invalid.")


def test_a_model_that_there_is_not_is_refused_with_the_nearest_that_there_are(stub: Stubber) -> None:
    no_such_model(stub)
    arn = "arn:aws:bedrock:us-east-1::foundation-model"
    others = ["qwen.qwen3-32b-v1:0", MODEL, "meta.llama3-1-70b-instruct-v1:0"]
    models = [{"modelArn": f"{arn}/{name}", "modelId": name} for name in others]
    stub.add_response("list_foundation_models", {"modelSummaries": models}, {})
    found = {"inferenceProfileSummaries": [profile(f"us.{MODEL}", *US)]}
    stub.add_response("list_inference_profiles", found, {"typeEquals": "SYSTEM_DEFINED"})
    with pytest.raises(InvalidRequest, match=r"no model or inference profile 'meta\.llama-3-3-70b'") as raised:
        regions_of(stub, "meta.llama-3-3-70b")
    assert (raised.value.param, raised.value.status) == ("spill.model_id", 400)
    assert raised.value.allowed is not None
    assert set(raised.value.allowed) == {MODEL, f"us.{MODEL}", "meta.llama3-1-70b-instruct-v1:0"}


def test_a_model_that_there_is_not_is_refused_though_nobody_lists_the_others(stub: Stubber) -> None:
    no_such_model(stub)
    stub.add_client_error("list_foundation_models", "AccessDeniedException", "no")
    with pytest.raises(InvalidRequest) as raised:
        regions_of(stub, "meta.none")
    assert raised.value.allowed is None


def test_a_model_that_only_a_global_profile_has_wants_a_word(stub: Stubber) -> None:
    for allowed in (True, False):
        model_exists(stub, "INFERENCE_PROFILE")
        found = {"inferenceProfileSummaries": [profile(f"global.{MODEL}", "us-east-1", "")]}
        stub.add_response("list_inference_profiles", found, {"typeEquals": "SYSTEM_DEFINED"})
        if allowed:
            assert regions_of(stub, MODEL, allow_global=True) == {f"global.{MODEL}": ("us-east-1", "global")}
    stub.add_client_error("list_foundation_models", "AccessDeniedException", "no")
    with pytest.raises(InvalidRequest, match="set allow_global"):
        regions_of(stub, MODEL)


def test_an_application_profile_leads_to_its_model(stub: Stubber) -> None:
    # GetFoundationModel takes no such ARN: botocore's model of it says so before the call.
    arn = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abcdefghijkl"
    found = profile("mine", "us-east-1") | {"inferenceProfileArn": arn, "type": "APPLICATION"}
    stub.add_response("get_inference_profile", found, {"inferenceProfileIdentifier": arn})
    client: Any = stub.client
    (called,) = RegionalCatalog("us-east-1", lambda: client).find([AskedModel(arn, "spill.model_id", False)]).values()
    assert called == CalledModel(arn, MODEL, ("us-east-1",))


def test_no_answer_is_unknown() -> None:
    def late() -> Any:
        raise ReadTimeoutError(endpoint_url="https://bedrock.us-east-1.amazonaws.com")

    assert RegionalCatalog("us-east-1", late).find([AskedModel(MODEL, "model.id", False)]) == {MODEL: None}


def test_nobody_is_asked_where_there_is_no_model_of_bedrocks() -> None:
    assert RegionalCatalog("us-east-1", lambda: pytest.fail("asked")).find([]) == {}
