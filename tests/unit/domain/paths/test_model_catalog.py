"""One model by any of its ids, as each path knows it."""

from collections.abc import Callable

import pytest

from spillway.domain.errors import InvalidRequest
from spillway.domain.paths import model_catalog as catalog
from spillway.domain.paths.bedrock import BEDROCK, bedrock_id
from spillway.domain.paths.fleet import FLEET, ec2_instance_type
from spillway.domain.paths.jumpstart import JUMPSTART, jumpstart_id, sagemaker_instance_type
from spillway.domain.paths.model_catalog import hugging_face_id

ON_HUGGING_FACE = "meta-llama/Llama-3.1-8B-Instruct"
ON_BEDROCK = "meta.llama3-1-8b-instruct-v1:0"
IN_THE_HUB = "meta-textgeneration-llama-3-1-8b-instruct"


@pytest.mark.parametrize("named", [ON_HUGGING_FACE, ON_HUGGING_FACE.lower(), ON_BEDROCK, IN_THE_HUB])
def test_any_id_leads_to_every_path(named: str) -> None:
    assert BEDROCK.model_id(named) == ON_BEDROCK
    assert JUMPSTART.model_id(named) == IN_THE_HUB
    assert FLEET.model_id(named).lower() == ON_HUGGING_FACE.lower()


@pytest.mark.parametrize(
    "profile", [f"us.{ON_BEDROCK}", f"global.{ON_BEDROCK}", f"arn:aws:bedrock:us-east-1::x/eu.{ON_BEDROCK}"]
)
def test_inference_profiles_are_found_and_kept(profile: str) -> None:
    assert bedrock_id(profile) == profile
    assert hugging_face_id(profile) == ON_HUGGING_FACE


def test_ids_that_are_not_listed_go_through_to_the_path_they_belong_to() -> None:
    assert hugging_face_id("someone/some.model-1") == "someone/some.model-1"
    assert bedrock_id("new.model-v1:0") == "new.model-v1:0"
    assert jumpstart_id("new-hub-model") == "new-hub-model"


@pytest.mark.parametrize(
    ("resolve", "named"),
    [(bedrock_id, "someone/model"), (jumpstart_id, "someone/model"), (hugging_face_id, "some-hub-model")],
)
def test_ids_that_lead_nowhere_are_refused(resolve: Callable[[str], str], named: str) -> None:
    with pytest.raises(InvalidRequest) as raised:
        resolve(named)
    assert raised.value.param == "model.id"
    assert raised.value.allowed


def test_instance_types_are_written_as_each_service_wants_them() -> None:
    assert sagemaker_instance_type("g6e.xlarge") == sagemaker_instance_type("ml.g6e.xlarge") == "ml.g6e.xlarge"
    assert ec2_instance_type("ml.g6e.xlarge") == ec2_instance_type("g6e.xlarge") == "g6e.xlarge"


def test_a_known_model_brings_its_instance_types_and_an_unknown_one_needs_them() -> None:
    assert FLEET.instance_types(ON_HUGGING_FACE)[0] == "g6e.xlarge"
    with pytest.raises(InvalidRequest) as raised:
        FLEET.instance_types("someone/model")
    assert raised.value.param == "capacity.instance_types"


def test_no_id_names_two_models() -> None:
    ids = [known for model in catalog.MODELS for known in (model.id, model.bedrock_id, model.jumpstart_id) if known]
    assert len(ids) == len(set(ids))
