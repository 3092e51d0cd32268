"""SageMaker's endpoints and inference components take time, need instances and fail in SageMaker's words."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.sandbox.cloud import hub, sagemaker_api
from tests.sandbox.cloud.clock import ManualClock
from tests.sandbox.cloud.metrics import Metrics
from tests.sandbox.cloud.ml_copies import MlTimes
from tests.sandbox.cloud.moto_cloud import MotoCloud
from tests.sandbox.cloud.sagemaker import SageMaker
from tests.sandbox.sagemaker_runtime import NO_CAPACITY, Hosted
from tests.unit.sandbox.cloud.conftest import Clients
from tests.unit.sandbox.cloud.fleets import FakeEngines

NAME = "spill-chat"
ROLE = "arn:aws:iam::123456789012:role/endpoint"
TAGS = [{"Key": "spillway:deployment", "Value": "chat"}, {"Key": "spillway:stack", "Value": "spill"}]
MODEL_ID = "meta-textgeneration-llama-3-1-8b-instruct"


class Cloud:
    """SageMaker in the sandbox, with the calls that Spillway makes."""

    def __init__(self, moto: MotoCloud, clients: Clients, clock: ManualClock) -> None:
        self.clock, self.faults, self.engines, self.metrics = clock, moto.faults, FakeEngines(), Metrics()
        self.events: list[dict[str, Any]] = []
        self.state = SageMaker(clock, self.engines, self._emit, self.metrics, moto.faults, MlTimes())
        sagemaker_api.install(self.state, moto.front)
        hub.install(moto.front)
        self.api = clients("sagemaker")

    def _emit(self, source: str, detail_type: str, detail: dict[str, Any]) -> None:
        assert (source, detail_type) == ("aws.sagemaker", "SageMaker Endpoint State Change")
        self.events.append(detail)

    def endpoint(self, instance_type: str = "ml.g5.2xlarge", most: int = 2) -> None:
        """Make model, configuration and endpoint."""
        container = {"Image": "763104351884.dkr.ecr.us-east-1.amazonaws.com/vllm:1", "Environment": {"A": "1"}}
        self.api.create_model(ModelName=NAME, PrimaryContainer=container, ExecutionRoleArn=ROLE, Tags=TAGS)
        self.api.create_endpoint_config(
            EndpointConfigName=NAME,
            ExecutionRoleArn=ROLE,
            ProductionVariants=[
                {
                    "VariantName": "primary",
                    "InstanceType": instance_type,
                    "InitialInstanceCount": 1,
                    "ManagedInstanceScaling": {"Status": "ENABLED", "MinInstanceCount": 0, "MaxInstanceCount": most},
                    "RoutingConfig": {"RoutingStrategy": "LEAST_OUTSTANDING_REQUESTS"},
                }
            ],
            Tags=TAGS,
        )
        self.api.create_endpoint(EndpointName=NAME, EndpointConfigName=NAME, Tags=TAGS)

    def component(self, copies: int = 1, gpus: int = 1) -> None:
        """Make the inference component."""
        requirements = {"NumberOfAcceleratorDevicesRequired": gpus, "MinMemoryRequiredInMb": 1024}
        self.api.create_inference_component(
            InferenceComponentName=NAME,
            EndpointName=NAME,
            VariantName="primary",
            Specification={
                "ModelName": NAME,
                "ComputeResourceRequirements": requirements,
                "StartupParameters": {"ContainerStartupHealthCheckTimeoutInSeconds": 900},
            },
            RuntimeConfig={"CopyCount": copies},
            Tags=TAGS,
        )

    def serving(self) -> None:
        """Bring endpoint and component into service."""
        self.endpoint()
        self.clock.advance(300)
        self.component()
        self.clock.advance(300)

    def scale(self, copies: int) -> None:
        self.api.update_inference_component_runtime_config(
            InferenceComponentName=NAME, DesiredRuntimeConfig={"CopyCount": copies}
        )

    def shown(self) -> tuple[str, int, int]:
        found = self.api.describe_inference_component(InferenceComponentName=NAME)
        runtime = found["RuntimeConfig"]
        return found["InferenceComponentStatus"], runtime["DesiredCopyCount"], runtime["CurrentCopyCount"]

    def instances(self) -> int:
        return int(self.api.describe_endpoint(EndpointName=NAME)["ProductionVariants"][0]["CurrentInstanceCount"])


@pytest.fixture
def cloud(moto: MotoCloud, clients: Clients, clock: ManualClock) -> Cloud:
    return Cloud(moto, clients, clock)


def test_an_endpoint_takes_time_and_tells(cloud: Cloud) -> None:
    cloud.endpoint()
    assert cloud.api.describe_endpoint(EndpointName=NAME)["EndpointStatus"] == "Creating"
    with pytest.raises(ClientError, match="in status Creating"):
        cloud.component()

    cloud.clock.advance(300)

    found = cloud.api.describe_endpoint(EndpointName=NAME)
    assert (found["EndpointStatus"], found["CreationTime"] < found["LastModifiedTime"]) == ("InService", True)
    assert [event["EndpointStatus"] for event in cloud.events] == ["CREATING", "IN_SERVICE"]
    assert cloud.api.list_endpoints(NameContains="spill")["Endpoints"][0]["EndpointName"] == NAME


def test_a_component_answers_once_its_copies_do(cloud: Cloud) -> None:
    cloud.endpoint()
    cloud.clock.advance(300)
    cloud.component(copies=2)
    assert cloud.shown() == ("Creating", 2, 0)
    assert cloud.state.resolve(NAME, NAME) == NO_CAPACITY

    cloud.clock.advance(320)

    assert cloud.shown() == ("InService", 2, 2)
    assert cloud.instances() == 2
    found = [cloud.state.resolve(NAME, NAME) for _ in range(4)]
    urls = {each.url for each in found if isinstance(each, Hosted)}
    assert urls == {engine.url for engine in cloud.engines.all.values()}
    assert {engine.model for engine in cloud.engines.all.values()} == {"chat"}


def test_zero_copies_release_the_instances_and_a_wake_brings_them_back(cloud: Cloud) -> None:
    cloud.serving()

    cloud.scale(0)
    assert cloud.shown() == ("InService", 0, 0)
    assert cloud.engines.all[f"{NAME}/1"].ended == "stopped"
    assert cloud.instances() == 1
    cloud.clock.advance(601)
    assert cloud.instances() == 0
    assert cloud.state.resolve(NAME, NAME) == NO_CAPACITY
    at = cloud.clock.time()
    dimension = {"InferenceComponentName": NAME}
    assert cloud.metrics.read("AWS/SageMaker", "NoCapacityInvocationFailures", dimension, at - 1, at + 1)

    cloud.scale(1)
    assert cloud.shown() == ("Updating", 1, 0)
    with pytest.raises(ClientError, match="Cannot update in-progress"):
        cloud.scale(2)
    cloud.clock.advance(320)
    assert cloud.shown() == ("InService", 1, 1)
    assert cloud.instances() == 1


def test_no_capacity_fails_with_sagemakers_sentence(cloud: Cloud) -> None:
    cloud.faults.insufficient_capacity.add("ml.g5.2xlarge")
    cloud.endpoint()
    cloud.clock.advance(300)
    found = cloud.api.describe_endpoint(EndpointName=NAME)
    assert found["EndpointStatus"] == "Failed"
    assert "InsufficientInstanceCapacity" in found["FailureReason"]
    assert cloud.events[-1]["EndpointStatus"] == "FAILED"


def test_a_wake_without_capacity_fails_and_can_be_tried_again(cloud: Cloud) -> None:
    cloud.serving()
    cloud.scale(0)
    cloud.clock.advance(601)
    cloud.faults.insufficient_capacity.add("ml.g5.2xlarge")

    cloud.scale(1)
    cloud.clock.advance(301)
    found = cloud.api.describe_inference_component(InferenceComponentName=NAME)
    assert found["InferenceComponentStatus"] == "Failed"
    assert "InsufficientInstanceCapacity" in found["FailureReason"]

    cloud.faults.clear()
    cloud.scale(1)
    cloud.clock.advance(320)
    assert cloud.shown() == ("InService", 1, 1)


def test_a_container_that_crashes_stays_creating_until_its_time_is_up(cloud: Cloud) -> None:
    cloud.faults.crash_while_loading.add("chat")
    cloud.endpoint()
    cloud.clock.advance(300)
    cloud.component()
    cloud.clock.advance(900)
    assert cloud.shown() == ("Creating", 1, 0)
    cloud.clock.advance(200)
    assert cloud.shown() == ("Failed", 1, 0)


def test_more_accelerators_than_an_instance_has_are_refused(cloud: Cloud) -> None:
    cloud.endpoint()
    cloud.clock.advance(300)
    cloud.component(gpus=4)
    cloud.clock.advance(130)
    found = cloud.api.describe_inference_component(InferenceComponentName=NAME)
    assert "not enough hardware resources" in found["FailureReason"]


def test_a_lost_copy_is_started_again(cloud: Cloud) -> None:
    cloud.serving()
    cloud.state.lose_copy(NAME)
    assert cloud.shown() == ("InService", 1, 0)
    cloud.clock.advance(130)
    assert cloud.shown() == ("InService", 1, 1)


def test_the_accounts_quota_is_enforced(cloud: Cloud) -> None:
    cloud.faults.resource_limit["ml.g5.2xlarge"] = 0
    with pytest.raises(ClientError, match="for endpoint usage' is 0 Instances") as caught:
        cloud.endpoint()
    assert caught.value.response["Error"]["Code"] == "ResourceLimitExceeded"


def test_gpu_types_are_known_and_others_are_refused(cloud: Cloud) -> None:
    with pytest.raises(ClientError, match="Member must satisfy enum value set"):
        cloud.endpoint(instance_type="ml.nonsense.large")


def test_everything_goes_in_order_and_nothing_twice(cloud: Cloud) -> None:
    cloud.serving()
    with pytest.raises(ClientError, match="Cannot create already existing model"):
        cloud.api.create_model(ModelName=NAME, ExecutionRoleArn=ROLE)
    with pytest.raises(ClientError, match="has inference components"):
        cloud.api.delete_endpoint(EndpointName=NAME)

    cloud.api.delete_inference_component(InferenceComponentName=NAME)
    assert cloud.shown()[0] == "Deleting"
    cloud.clock.advance(31)
    with pytest.raises(ClientError, match="Could not find inference component"):
        cloud.shown()
    cloud.api.delete_endpoint(EndpointName=NAME)
    cloud.clock.advance(91)
    cloud.api.delete_endpoint_config(EndpointConfigName=NAME)
    cloud.api.delete_model(ModelName=NAME)

    assert [len(shelf) for shelf in cloud.state.shelves()] == [0, 0, 0, 0]


def test_tags_can_be_listed_and_changed(cloud: Cloud) -> None:
    cloud.serving()
    arn = cloud.api.describe_inference_component(InferenceComponentName=NAME)["InferenceComponentArn"]
    assert cloud.api.list_tags(ResourceArn=arn)["Tags"] == TAGS
    cloud.api.add_tags(ResourceArn=arn, Tags=[{"Key": "a", "Value": "1"}])
    cloud.api.delete_tags(ResourceArn=arn, TagKeys=["spillway:stack", "spillway:deployment"])
    assert cloud.api.list_tags(ResourceArn=arn)["Tags"] == [{"Key": "a", "Value": "1"}]


def test_components_are_listed_by_endpoint_in_pages(cloud: Cloud) -> None:
    cloud.serving()
    pages = cloud.api.get_paginator("list_inference_components").paginate(EndpointNameEquals=NAME)
    assert [found["InferenceComponentName"] for page in pages for found in page["InferenceComponents"]] == [NAME]
    assert cloud.api.list_inference_components(EndpointNameEquals="other")["InferenceComponents"] == []


def test_the_public_hub_describes_its_models(cloud: Cloud) -> None:
    (summary,) = cloud.api.list_hub_contents(
        HubName="SageMakerPublicHub", HubContentType="Model", NameContains="llama-3-1-8b"
    )["HubContentSummaries"]
    assert summary["HubContentName"] == MODEL_ID

    found = cloud.api.describe_hub_content(
        HubName="SageMakerPublicHub", HubContentType="Model", HubContentName=MODEL_ID
    )
    document = json.loads(found["HubContentDocument"])
    assert document["GatedBucket"] is True
    assert "ml.g6.xlarge" in document["SupportedInferenceInstanceTypes"]
    ranked = document["InferenceConfigRankings"]["overall"]["Rankings"][0]
    assert document["InferenceConfigs"][ranked]["ComponentNames"] == ["lmi"]


@pytest.mark.parametrize(("hub_name", "model"), [("OtherHub", MODEL_ID), ("SageMakerPublicHub", "no-such-model")])
def test_a_hub_or_model_that_is_none(cloud: Cloud, hub_name: str, model: str) -> None:
    with pytest.raises(ClientError) as caught:
        cloud.api.describe_hub_content(HubName=hub_name, HubContentType="Model", HubContentName=model)
    assert caught.value.response["Error"]["Code"] == "ResourceNotFound"
