import copy
from dataclasses import replace
from typing import Any

import pytest

from spillway.adapters.aws.quotas import Quotas
from spillway.adapters.drivers.jumpstart import hub
from spillway.adapters.drivers.jumpstart.driver import JumpstartDriver, jumpstart_driver
from spillway.domain.errors import CapacityUnavailable, Conflict, InvalidRequest, Retryable
from spillway.domain.observations.capacity import Capacity
from spillway.domain.paths.targets import SageMakerTarget
from spillway.domain.task import Task
from tests.builders import a_deployment, a_spec
from tests.unit.adapters.drivers.conftest import FakeQuotas
from tests.unit.adapters.drivers.jumpstart.fake_sagemaker import DOCUMENT, FakeSageMaker, refused

HUB_ID = "meta-textgeneration-llama-3-1-8b-instruct"
ROLE = "arn:aws:iam::123456789012:role/endpoint"
BASE = "spillway-support-llama"
TYPE = "ml.g5.12xlarge"
LMI = "763104351884.dkr.ecr.us-east-1.amazonaws.com/djl-inference:0.28.0-lmi10.0.0-cu124"


def a_jumpstart(**model: Any) -> Any:
    spec = a_spec(
        path="jumpstart",
        model={"id": "meta-llama/Llama-3.1-8B-Instruct", "accept_eula": True, **model},
        capacity={"max": 2, "instance_types": ["g5.12xlarge"]},
    )
    return a_deployment(spec=spec, resources={"instance_type": TYPE})


DEPLOYMENT = a_jumpstart()


@pytest.fixture
def sagemaker() -> FakeSageMaker:
    return FakeSageMaker(documents={HUB_ID: copy.deepcopy(DOCUMENT)})


@pytest.fixture
def driver(sagemaker: FakeSageMaker) -> JumpstartDriver:
    quotas: Quotas = FakeQuotas({f"{TYPE} for endpoint usage": 2})  # type: ignore[assignment]
    return jumpstart_driver("spillway", "us-east-1", ROLE, sagemaker, quotas)  # type: ignore[arg-type]


def test_provision_goes_one_step_further_each_time(driver: JumpstartDriver, sagemaker: FakeSageMaker) -> None:
    assert driver.provision(DEPLOYMENT, 1) == {
        "instance_type": TYPE,
        "max_instances": "2",
        "framework": "djl-lmi",
        "framework_version": "0.28.0",
    }
    assert driver.probe(DEPLOYMENT) == Capacity(desired=1, starting=1, instance_type=TYPE)
    driver.provision(DEPLOYMENT, 1)
    assert not sagemaker.components

    sagemaker.endpoint_is("InService")
    driver.provision(DEPLOYMENT, 1)
    assert driver.probe(DEPLOYMENT) == Capacity(desired=1, starting=1, instance_type=TYPE)
    driver.provision(DEPLOYMENT, 1)

    sagemaker.component_is("InService", 1)
    assert driver.probe(DEPLOYMENT) == Capacity(desired=1, ready=1, instance_type=TYPE)
    for things in (sagemaker.models, sagemaker.configs, sagemaker.endpoints, sagemaker.components):
        assert list(things) == [BASE]
        tags = {tag["Key"]: tag["Value"] for tag in things[BASE]["Tags"]}
        assert tags == {"spillway:stack": "spillway", "spillway:deployment": "support-llama"}


def test_the_endpoint_can_go_to_zero_instances(driver: JumpstartDriver, sagemaker: FakeSageMaker) -> None:
    driver.provision(DEPLOYMENT, 1)
    config = sagemaker.configs[BASE]
    variant = config["ProductionVariants"][0]
    assert config["ExecutionRoleArn"] == ROLE
    assert "ModelName" not in variant
    assert variant["ManagedInstanceScaling"] == {"Status": "ENABLED", "MinInstanceCount": 0, "MaxInstanceCount": 2}


def test_the_model_is_what_the_hub_says(driver: JumpstartDriver, sagemaker: FakeSageMaker) -> None:
    driver.provision(DEPLOYMENT, 1)
    sagemaker.endpoint_is("InService")
    driver.provision(DEPLOYMENT, 1)
    model, component = sagemaker.models[BASE], sagemaker.components[BASE]["Specification"]
    container = model["PrimaryContainer"]
    assert container["Image"] == LMI
    assert container["Environment"]["HF_MODEL_ID"] == "/opt/ml/model"
    source = container["ModelDataSource"]["S3DataSource"]
    assert source["S3Uri"].startswith("s3://jumpstart-private-cache-prod-us-east-1/")
    assert source["ModelAccessConfig"] == {"AcceptEula": True}
    assert model["EnableNetworkIsolation"] is sagemaker.configs[BASE]["EnableNetworkIsolation"] is True
    assert component["ComputeResourceRequirements"] == {
        "MinMemoryRequiredInMb": 98304,
        "NumberOfAcceleratorDevicesRequired": 4,
    }
    assert component["StartupParameters"] == {
        "ModelDataDownloadTimeoutInSeconds": 1200,
        "ContainerStartupHealthCheckTimeoutInSeconds": 1200,
    }


def test_a_larger_type_gets_its_own_environment_and_resources() -> None:
    hosting = hub.hosting_of(DOCUMENT, "ml.p4d.24xlarge", accept_eula=True)
    assert hosting.environment["OPTION_TENSOR_PARALLEL_DEGREE"] == "2"
    assert (hosting.memory_mb, hosting.accelerators) == (589824, 8)


def test_a_configuration_that_speaks_no_chat_is_told_to_when_there_is_no_other() -> None:
    document = {**DOCUMENT, "InferenceConfigRankings": {"overall": {"Rankings": ["tgi"]}}}
    hosting = hub.hosting_of(document, TYPE, accept_eula=True)
    assert "tgi-inference" in hosting.image
    assert hosting.environment["MESSAGES_API_ENABLED"] == "true"


def test_draft_models_are_mounted_beside_the_weights() -> None:
    document = {**DOCUMENT, "InferenceConfigRankings": {"overall": {"Rankings": ["lmi-optimized"]}}}
    source = hub.hosting_of(document, TYPE, accept_eula=True).additional_sources[0]
    assert source["ChannelName"] == "draft_model"
    assert "ModelAccessConfig" not in source["S3DataSource"]


def test_aliases_of_images_are_resolved() -> None:
    variants = {"Aliases": {"gpu": "an-image"}, "Variants": {"g5": {"Properties": {"ImageUri": "$gpu"}}}}
    document = {"HostingArtifactUri": "s3://b/k/", "HostingInstanceTypeVariants": variants}
    assert hub.hosting_of(document, TYPE, accept_eula=False).image == "an-image"


def test_own_weights_take_the_place_of_the_hubs() -> None:
    hosting = hub.hosting_of(DOCUMENT, TYPE, accept_eula=True, weights="s3://mine/llama")
    assert hosting.data_source == {"S3Uri": "s3://mine/llama/", "S3DataType": "S3Prefix", "CompressionType": "None"}


def test_no_wish_means_the_models_own_default_type() -> None:
    assert hub.instance_type_of(DOCUMENT, ()) == TYPE
    assert hub.instance_type_of(DOCUMENT, ("t3.micro", "g6.12xlarge")) == "ml.g6.12xlarge"


def test_preflight_passes(driver: JumpstartDriver) -> None:
    driver.preflight(DEPLOYMENT)


@pytest.mark.parametrize(
    ("deployment", "param", "sentence"),
    [
        (a_jumpstart(accept_eula=False), "model.accept_eula", r"https://jumpstart-cache.*llamaEula.txt"),
        (a_jumpstart(id="some-model"), "model.id", "no model 'some-model'"),
        (a_jumpstart(id="nobody/knows-this"), "model.id", "give a hub id"),
        (
            a_deployment(spec=a_spec(path="jumpstart", capacity={"max": 1, "instance_types": ["t3.micro"]})),
            "capacity.instance_types",
            "none of t3.micro",
        ),
    ],
)
def test_preflight_refuses_what_cannot_work(
    driver: JumpstartDriver, deployment: Any, param: str, sentence: str
) -> None:
    with pytest.raises(InvalidRequest, match=sentence) as raised:
        driver.preflight(deployment)
    assert raised.value.param == param


def test_preflight_names_the_quota_that_is_too_small(driver: JumpstartDriver) -> None:
    object.__setattr__(driver, "quotas", FakeQuotas({f"{TYPE} for endpoint usage": 1}))
    with pytest.raises(CapacityUnavailable, match=r"capacity.max is 2.*'ml.g5.12xlarge for endpoint usage' is 1"):
        driver.preflight(DEPLOYMENT)


def test_preflight_refuses_a_type_that_the_region_has_no_endpoint_quota_for(driver: JumpstartDriver) -> None:
    there = {"ml.g5.48xlarge for endpoint usage": 0.0, "ml.t3.medium for endpoint usage": 4.0}
    object.__setattr__(driver, "quotas", FakeQuotas(there))
    with pytest.raises(
        InvalidRequest, match=r"SageMaker offers no ml.g5.12xlarge for endpoints in us-east-1"
    ) as raised:
        driver.preflight(DEPLOYMENT)
    assert (raised.value.param, raised.value.allowed) == ("capacity.instance_types", ("ml.g5.48xlarge",))


def test_preflight_takes_a_list_without_endpoint_quotas_for_no_answer(driver: JumpstartDriver) -> None:
    object.__setattr__(driver, "quotas", FakeQuotas({"ml.g5.12xlarge for training job usage": 0.0}))
    driver.preflight(DEPLOYMENT)


def serving(driver: JumpstartDriver, sagemaker: FakeSageMaker) -> None:
    driver.provision(DEPLOYMENT, 1)
    sagemaker.endpoint_is("InService")
    driver.provision(DEPLOYMENT, 1)
    sagemaker.component_is("InService", 1)


def test_scale_sets_copies_once(driver: JumpstartDriver, sagemaker: FakeSageMaker) -> None:
    serving(driver, sagemaker)
    driver.scale(DEPLOYMENT, 2)
    driver.scale(DEPLOYMENT, 2)
    assert sagemaker.calls.count("UpdateInferenceComponentRuntimeConfig") == 1
    assert driver.probe(DEPLOYMENT) == Capacity(desired=2, ready=1, starting=1, instance_type=TYPE)
    driver.scale(DEPLOYMENT, 0)
    assert driver.probe(DEPLOYMENT).billed == 0


def test_a_component_still_changing_is_tried_again_later(driver: JumpstartDriver, sagemaker: FakeSageMaker) -> None:
    serving(driver, sagemaker)
    sagemaker.fails["UpdateInferenceComponentRuntimeConfig"] = refused("Cannot update: an update is in progress")
    with pytest.raises(Retryable):
        driver.scale(DEPLOYMENT, 2)


@pytest.mark.parametrize("what", ["endpoint", "component"])
def test_sagemakers_own_reason_is_raised(driver: JumpstartDriver, sagemaker: FakeSageMaker, what: str) -> None:
    serving(driver, sagemaker)
    reason = "Unable to provision requested ML compute capacity due to InsufficientInstanceCapacity error."
    if what == "endpoint":
        sagemaker.endpoint_is("Failed", FailureReason=reason)
    else:
        sagemaker.component_is("Failed", 0, FailureReason=reason)
    with pytest.raises(CapacityUnavailable, match="InsufficientInstanceCapacity"):
        driver.probe(DEPLOYMENT)


def test_a_failed_change_beside_a_running_copy_is_told_not_raised(
    driver: JumpstartDriver, sagemaker: FakeSageMaker
) -> None:
    serving(driver, sagemaker)
    driver.scale(DEPLOYMENT, 2)
    sagemaker.component_is("Failed", 1, FailureReason="no capacity")
    assert driver.probe(DEPLOYMENT) == Capacity(2, 1, 0, TYPE, "no capacity")


def test_a_failed_component_that_nobody_wants_is_asleep(driver: JumpstartDriver, sagemaker: FakeSageMaker) -> None:
    serving(driver, sagemaker)
    driver.scale(DEPLOYMENT, 0)
    sagemaker.component_is("Failed", 0, FailureReason="no capacity")
    assert driver.probe(DEPLOYMENT).billed == 0


def test_release_goes_back_step_by_step(driver: JumpstartDriver, sagemaker: FakeSageMaker) -> None:
    serving(driver, sagemaker)
    both = [f"inference component {BASE}", f"endpoint {BASE}"]
    assert driver.release(DEPLOYMENT) == both
    assert driver.release(DEPLOYMENT) == both
    sagemaker.components.clear()
    assert driver.release(DEPLOYMENT) == both[1:]
    sagemaker.endpoints.clear()
    assert driver.release(DEPLOYMENT) == []
    assert not sagemaker.configs
    assert not sagemaker.models
    assert driver.release(DEPLOYMENT) == []


def test_an_endpoint_being_made_is_waited_for(driver: JumpstartDriver, sagemaker: FakeSageMaker) -> None:
    driver.provision(DEPLOYMENT, 1)
    assert driver.release(DEPLOYMENT) == [f"endpoint {BASE}"]
    assert "DeleteEndpoint" not in sagemaker.calls
    sagemaker.endpoint_is("Failed")
    driver.release(DEPLOYMENT)
    assert "DeleteEndpoint" in sagemaker.calls


@pytest.mark.parametrize("call", ["CreateModel", "CreateEndpointConfig", "CreateEndpoint"])
def test_what_is_half_made_is_released_or_finished(
    driver: JumpstartDriver, sagemaker: FakeSageMaker, call: str
) -> None:
    sagemaker.fails[call] = refused("Rate exceeded", "ThrottlingException")
    with pytest.raises(Retryable):
        driver.provision(DEPLOYMENT, 1)
    assert driver.release(DEPLOYMENT) == []
    assert [sagemaker.models, sagemaker.configs, sagemaker.endpoints] == [{}, {}, {}]
    with pytest.raises(Retryable):
        driver.provision(DEPLOYMENT, 1)
    sagemaker.fails.clear()
    driver.provision(DEPLOYMENT, 1)
    assert list(sagemaker.endpoints) == [BASE]


def test_a_quota_that_endpoints_run_into_is_a_lack_of_capacity(
    driver: JumpstartDriver, sagemaker: FakeSageMaker
) -> None:
    sagemaker.fails["CreateEndpoint"] = refused("The account-level service limit is 0", "ResourceLimitExceeded")
    with pytest.raises(CapacityUnavailable, match="account-level service limit"):
        driver.provision(DEPLOYMENT, 1)


def test_the_target_is_endpoint_and_component(driver: JumpstartDriver) -> None:
    assert driver.target(DEPLOYMENT) == SageMakerTarget(BASE, BASE)


def test_the_target_names_the_container_that_the_model_was_made_with(
    driver: JumpstartDriver, sagemaker: FakeSageMaker
) -> None:
    deployment = replace(DEPLOYMENT, resources=driver.provision(DEPLOYMENT, 1))
    assert driver.target(deployment) == SageMakerTarget(BASE, BASE, "djl-lmi", "0.28.0")
    for component in sagemaker.documents[HUB_ID]["InferenceConfigComponents"].values():
        variants = component["HostingInstanceTypeVariants"]["Variants"]
        variants["g5"]["Properties"]["ImageUri"] = LMI.replace("0.28.0-lmi10.0.0", "0.36.0-lmi28.0.0")
    deployment = replace(deployment, resources=driver.provision(deployment, 1))
    assert driver.target(deployment) == SageMakerTarget(BASE, BASE, "djl-lmi", "0.28.0"), "the model stays as it is"


@pytest.mark.parametrize(
    ("image", "framework", "version"),
    [
        ("djl-inference:0.34.0-lmi16.0.0-cu128", "djl-lmi", "0.34.0"),
        ("vllm:0.18.0-gpu-py312-cu129-ubuntu22.04-sagemaker", "vllm", "0.18.0"),
        ("huggingface-vllm:0.25.1-transformers5.10.2-gpu-py312-cu130-ubuntu22.04", "vllm", "0.25.1"),
        ("huggingface-pytorch-tgi-inference:2.1.1-tgi2.0.0-gpu-py310-cu121-ubuntu22.04", "huggingface-llm", "2.0.0"),
        ("vllm:server-sagemaker-cuda-v2.3", "vllm", None),
        ("somebodys-own:1.2.3", "djl-lmi", "0.28.0"),
    ],
)
def test_the_image_tells_the_container_whatever_the_document_calls_it(
    image: str, framework: str, version: str | None
) -> None:
    document = {
        "HostingEcrUri": f"763104351884.dkr.ecr.us-east-1.amazonaws.com/{image}",
        "HostingEcrSpecs": {"Framework": "djl-lmi", "FrameworkVersion": "0.28.0"},
        "HostingArtifactUri": "s3://bucket/weights/",
    }
    found = hub.hosting_of(document, "ml.g5.2xlarge", accept_eula=False)
    assert (found.framework, found.version) == (framework, version)


SHELVES = ("models", "configs", "endpoints", "components")


def owned_by(stack: str, deployment: str) -> list[dict[str, str]]:
    return [{"Key": "spillway:stack", "Value": stack}, {"Key": "spillway:deployment", "Value": deployment}]


@pytest.mark.parametrize("taken", SHELVES)
@pytest.mark.parametrize(
    ("tags", "owner"),
    [
        (owned_by("spillway-support", "llama"), "deployment 'llama' of the stack 'spillway-support'"),
        (owned_by("spillway", "other"), "deployment 'other' of the stack 'spillway'"),
        ([], "something else than Spillway"),
    ],
)
def test_what_another_owner_has_made_is_neither_used_nor_changed_nor_deleted(
    driver: JumpstartDriver, sagemaker: FakeSageMaker, taken: str, tags: list[dict[str, str]], owner: str
) -> None:
    if taken == "components":
        driver.provision(DEPLOYMENT, 1)
        sagemaker.endpoint_is("InService")
    runtime = {"DesiredCopyCount": 3, "CurrentCopyCount": 3}
    states = {"EndpointStatus": "InService", "InferenceComponentStatus": "InService"}
    theirs = {"Tags": tags, "EndpointName": "theirs", **states}
    getattr(sagemaker, taken)[BASE] = {**theirs, "RuntimeConfig": runtime}
    before = copy.deepcopy(getattr(sagemaker, taken)[BASE])
    with pytest.raises(Conflict, match=f"{BASE} is there already and belongs to {owner}"):
        driver.provision(DEPLOYMENT, 1)
    if taken == "components":
        with pytest.raises(Conflict):
            driver.scale(DEPLOYMENT, 1)
    for _ in range(3):
        if not driver.release(DEPLOYMENT):
            break
        sagemaker.endpoints.pop(BASE)
    assert {shelf: list(getattr(sagemaker, shelf)) for shelf in SHELVES if getattr(sagemaker, shelf)} == {taken: [BASE]}
    assert getattr(sagemaker, taken)[BASE] == before


def test_nothing_is_made_beside_another_owners_endpoint(driver: JumpstartDriver, sagemaker: FakeSageMaker) -> None:
    sagemaker.endpoints[BASE] = {"EndpointStatus": "InService", "Tags": owned_by("spillway-support", "llama")}
    with pytest.raises(Conflict):
        driver.provision(DEPLOYMENT, 1)
    assert not [call for call in sagemaker.calls if call.startswith(("Create", "Update", "Delete"))]


def test_the_environment_and_the_record_name_what_reads_calls(
    driver: JumpstartDriver, sagemaker: FakeSageMaker
) -> None:
    document = copy.deepcopy(DOCUMENT)
    for overlay in (document, *document["InferenceConfigComponents"].values()):
        for variant in overlay.get("HostingInstanceTypeVariants", {}).get("Variants", {}).values():
            if "ImageUri" in variant["Properties"]:
                variant["Properties"]["ImageUri"] = LMI.replace("0.28.0-lmi10", "0.35.0-lmi17")
    sagemaker.documents[HUB_ID] = document
    assert driver.provision(DEPLOYMENT, 1)["tool_call_parser"] == "llama3_json"
    environment = sagemaker.models[BASE]["PrimaryContainer"]["Environment"]
    assert environment["OPTION_TOOL_CALL_PARSER"] == "llama3_json"
    assert environment["OPTION_ENABLE_AUTO_TOOL_CHOICE"] == "true"


def test_preflight_holds_the_task_against_the_hubs(driver: JumpstartDriver, sagemaker: FakeSageMaker) -> None:
    sagemaker.documents["acme-7b"] = {**copy.deepcopy(DOCUMENT), "Task": "Sentence Similarity"}
    with pytest.raises(InvalidRequest, match="is for embed") as refusal:
        driver.preflight(a_jumpstart(id="acme-7b"))
    assert (refusal.value.param, refusal.value.allowed) == ("model.task", ("embed",))
    sagemaker.documents["acme-7b"]["Task"] = "Something New"
    driver.preflight(a_jumpstart(id="acme-7b"))


def test_the_target_tells_what_its_model_is_for(driver: JumpstartDriver) -> None:
    assert driver.target(a_jumpstart(id="acme-7b", task="embed")) == SageMakerTarget(BASE, BASE, task=Task.EMBED)
