import pytest

from spillway.domain.errors import InvalidRequest
from spillway.domain.paths import model_catalog as catalog
from tests.builders import a_spec

HUGGING_FACE = "meta-llama/Llama-3.1-8B-Instruct"
BEDROCK = "meta.llama3-1-8b-instruct-v1:0"
JUMPSTART = "meta-textgeneration-llama-3-1-8b-instruct"


@pytest.mark.parametrize("named", [HUGGING_FACE, HUGGING_FACE.lower(), BEDROCK, JUMPSTART])
def test_any_id_leads_to_every_path(named: str) -> None:
    spec = a_spec(model={"id": named})
    assert catalog.bedrock_id(spec) == BEDROCK
    assert catalog.jumpstart_id(spec) == JUMPSTART
    assert catalog.hugging_face_id(spec).lower() == HUGGING_FACE.lower()


@pytest.mark.parametrize(
    "profile", [f"us.{BEDROCK}", f"global.{BEDROCK}", f"arn:aws:bedrock:us-east-1::x/eu.{BEDROCK}"]
)
def test_inference_profiles_are_found_and_kept(profile: str) -> None:
    spec = a_spec(model={"id": profile})
    assert catalog.bedrock_id(spec) == profile
    assert catalog.hugging_face_id(spec) == HUGGING_FACE


def test_ids_that_are_not_listed_go_through_to_the_path_they_belong_to() -> None:
    assert catalog.hugging_face_id(a_spec(model={"id": "someone/some.model-1"})) == "someone/some.model-1"
    assert catalog.bedrock_id(a_spec(model={"id": "new.model-v1:0"})) == "new.model-v1:0"
    assert catalog.jumpstart_id(a_spec(model={"id": "new-hub-model"})) == "new-hub-model"


@pytest.mark.parametrize(
    ("resolve", "named"),
    [
        (catalog.bedrock_id, "someone/model"),
        (catalog.jumpstart_id, "someone/model"),
        (catalog.hugging_face_id, "some-hub-model"),
    ],
)
def test_ids_that_lead_nowhere_are_refused(resolve: object, named: str) -> None:
    assert callable(resolve)
    with pytest.raises(InvalidRequest) as raised:
        resolve(a_spec(model={"id": named}))
    assert raised.value.param == "model.id"
    assert raised.value.allowed


def test_instance_types_are_written_as_each_service_wants_them() -> None:
    assert catalog.sagemaker_instance_type("g6e.xlarge") == catalog.sagemaker_instance_type("ml.g6e.xlarge")
    assert catalog.ec2_instance_type("ml.g6e.xlarge") == "g6e.xlarge"


def test_a_known_model_brings_its_instance_types_and_an_unknown_one_needs_them() -> None:
    assert catalog.fleet_instance_types(a_spec(capacity=None))[0] == "g6e.xlarge"
    with pytest.raises(InvalidRequest) as raised:
        catalog.fleet_instance_types(a_spec(model={"id": "someone/model"}, capacity=None))
    assert raised.value.param == "capacity.instance_types"


def test_no_id_names_two_models() -> None:
    ids = [known for model in catalog.MODELS for known in (model.id, model.bedrock_id, model.jumpstart_id) if known]
    assert len(ids) == len(set(ids))
