"""The four SageMaker resources of a deployment: model, endpoint config, endpoint, inference component.

The variant carries no model, so that the endpoint's instances can go to zero once the component has no copies.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from spillway.adapters.aws.errors import (
    going_is_retried,
    gone_is_fine,
    is_busy,
    is_gone,
    is_there_already,
    translated,
)
from spillway.adapters.aws.tags import expect_owned, is_owned, tag_list, tags_of
from spillway.adapters.drivers.jumpstart.hub import Hosting
from spillway.domain.deployments.resource_names import Names
from spillway.domain.errors import Retryable

if TYPE_CHECKING:
    from mypy_boto3_sagemaker import SageMakerClient
    from mypy_boto3_sagemaker.type_defs import DescribeEndpointOutputTypeDef, DescribeInferenceComponentOutputTypeDef

VARIANT = "AllTraffic"
# Even one that may go to zero begins with an instance.
INITIAL_INSTANCES = 1


@dataclass(frozen=True)
class Endpoint:
    """All four bear the deployment's name; what somebody else has made under it is neither used nor deleted."""

    role_arn: str
    sagemaker: "SageMakerClient"

    def create(self, names: Names, hosting: Hosting, max_instances: int) -> None:
        """Make model, config and endpoint, or what is missing of them. The endpoint takes minutes to come up.

        Raises Conflict for one of another owner's.
        """
        tags, base = tag_list(names), names.base
        with self._unless_there(names, "model", lambda: self._model(names)):
            self.sagemaker.create_model(
                ModelName=base,
                ExecutionRoleArn=self.role_arn,
                PrimaryContainer=_container(hosting),
                EnableNetworkIsolation=hosting.network_isolation,
                Tags=tags,
            )
        with self._unless_there(names, "endpoint config", lambda: self._config(names)):
            self.sagemaker.create_endpoint_config(
                EndpointConfigName=base,
                ExecutionRoleArn=self.role_arn,
                ProductionVariants=[_variant(hosting, max_instances)],
                # With components it is the endpoint that isolates containers: both must say the same.
                EnableNetworkIsolation=hosting.network_isolation,
                Tags=tags,
            )
        with self._unless_there(names, "endpoint", lambda: self._endpoint(names)):
            self.sagemaker.create_endpoint(EndpointName=base, EndpointConfigName=base, Tags=tags)

    def create_component(self, names: Names, hosting: Hosting, copies: int) -> None:
        """Put the model onto the endpoint, which must be in service; Conflict for a component of another owner's."""
        with self._unless_there(names, "inference component", lambda: self._component(names)):
            self.sagemaker.create_inference_component(
                InferenceComponentName=names.base,
                EndpointName=names.base,
                VariantName=VARIANT,
                Specification=_specification(names, hosting),
                RuntimeConfig={"CopyCount": copies},
                Tags=tag_list(names),
            )

    def expect_owned(self, names: Names, what: str, arn: str) -> None:
        """Raise Conflict for a resource of another owner's."""
        expect_owned(names, f"{what} {names.base}", self._tags(arn))

    def is_owned(self, names: Names, arn: str) -> bool:
        """Whether a resource was made for this deployment."""
        return is_owned(names, self._tags(arn))

    def describe(self, names: Names) -> "DescribeEndpointOutputTypeDef | None":
        """Return the endpoint, None when there is none."""
        with translated():
            try:
                return self.sagemaker.describe_endpoint(EndpointName=names.base)
            except ClientError as err:
                if is_gone(err):
                    return None
                raise

    def describe_component(self, names: Names) -> "DescribeInferenceComponentOutputTypeDef | None":
        """Return the component, None when there is none."""
        with translated():
            try:
                return self.sagemaker.describe_inference_component(InferenceComponentName=names.base)
            except ClientError as err:
                if is_gone(err):
                    return None
                raise

    def set_copies(self, names: Names, copies: int) -> None:
        """Ask for another number of copies; Retryable while SageMaker still works on the last change."""
        with translated():
            try:
                self.sagemaker.update_inference_component_runtime_config(
                    InferenceComponentName=names.base, DesiredRuntimeConfig={"CopyCount": copies}
                )
            except ClientError as err:
                if is_busy(err):
                    raise Retryable(str(err)) from err
                raise

    def delete_component(self, names: Names) -> None:
        """Ask for the component's deletion, which takes a while."""
        self._delete(lambda: self.sagemaker.delete_inference_component(InferenceComponentName=names.base))

    def delete(self, names: Names) -> None:
        """Ask for the endpoint's deletion, which takes a while; its components must be gone."""
        self._delete(lambda: self.sagemaker.delete_endpoint(EndpointName=names.base))

    def delete_plans(self, names: Names) -> None:
        """Delete config and model, at once, where they are the deployment's own."""
        with translated(), gone_is_fine():
            if self.is_owned(names, self._config(names)):
                self._delete(lambda: self.sagemaker.delete_endpoint_config(EndpointConfigName=names.base))
        with translated(), gone_is_fine():
            if self.is_owned(names, self._model(names)):
                self._delete(lambda: self.sagemaker.delete_model(ModelName=names.base))

    @contextmanager
    def _unless_there(self, names: Names, what: str, arn_of: Callable[[], str]) -> Iterator[None]:
        """Let a creation pass where an earlier call for the same deployment has made the thing."""
        with translated():
            try:
                yield
            except ClientError as err:
                if not is_there_already(err):
                    raise
                self.expect_owned(names, what, arn_of())

    def _model(self, names: Names) -> str:
        return self.sagemaker.describe_model(ModelName=names.base)["ModelArn"]

    def _config(self, names: Names) -> str:
        return self.sagemaker.describe_endpoint_config(EndpointConfigName=names.base)["EndpointConfigArn"]

    def _endpoint(self, names: Names) -> str:
        return self.sagemaker.describe_endpoint(EndpointName=names.base)["EndpointArn"]

    def _component(self, names: Names) -> str:
        found = self.sagemaker.describe_inference_component(InferenceComponentName=names.base)
        return found["InferenceComponentArn"]

    def _tags(self, arn: str) -> dict[str, str]:
        with translated(), going_is_retried():
            pages = self.sagemaker.get_paginator("list_tags").paginate(ResourceArn=arn)
            return tags_of(tag for page in pages for tag in page["Tags"])

    def _delete(self, call: Any) -> None:
        with translated(), gone_is_fine():
            try:
                call()
            except ClientError as err:
                # Still changing: it is reported as remaining, and the next round asks again.
                if not is_busy(err):
                    raise


def _container(hosting: Hosting) -> Any:
    container: dict[str, Any] = {
        "Image": hosting.image,
        "Environment": dict(hosting.environment),
        "ModelDataSource": {"S3DataSource": dict(hosting.data_source)},
    }
    if hosting.additional_sources:
        container["AdditionalModelDataSources"] = list(hosting.additional_sources)
    return container


def _variant(hosting: Hosting, max_instances: int) -> Any:
    variant = {
        "VariantName": VARIANT,
        "InstanceType": hosting.instance_type,
        "InitialInstanceCount": INITIAL_INSTANCES,
        "ManagedInstanceScaling": {"Status": "ENABLED", "MinInstanceCount": 0, "MaxInstanceCount": max_instances},
        "RoutingConfig": {"RoutingStrategy": "LEAST_OUTSTANDING_REQUESTS"},
    }
    if hosting.ami_version:
        variant["InferenceAmiVersion"] = hosting.ami_version
    return variant


def _specification(names: Names, hosting: Hosting) -> Any:
    startup = {
        "ModelDataDownloadTimeoutInSeconds": hosting.download_seconds,
        "ContainerStartupHealthCheckTimeoutInSeconds": hosting.startup_seconds,
    }
    given = {key: value for key, value in startup.items() if value is not None}
    specification: dict[str, Any] = {
        "ModelName": names.base,
        "ComputeResourceRequirements": {
            "MinMemoryRequiredInMb": hosting.memory_mb,
            "NumberOfAcceleratorDevicesRequired": hosting.accelerators,
        },
    }
    return {**specification, "StartupParameters": given} if given else specification
