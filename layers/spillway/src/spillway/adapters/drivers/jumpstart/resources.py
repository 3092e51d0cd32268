"""The four SageMaker resources of a deployment: model, endpoint config, endpoint, inference component.

The variant carries no model, so that the endpoint's instances can go to zero once the component has no copies.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from spillway.adapters.aws.errors import gone_is_fine, is_busy, is_gone, there_already_is_fine, translated
from spillway.adapters.aws.tags import tag_list
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
    """All four bear the deployment's name."""

    role_arn: str
    sagemaker: "SageMakerClient"

    def create(self, names: Names, hosting: Hosting, max_instances: int) -> None:
        """Make model, config and endpoint, or what is missing of them. The endpoint takes minutes to come up."""
        tags = tag_list(names)
        with translated():
            with there_already_is_fine():
                self.sagemaker.create_model(
                    ModelName=names.base,
                    ExecutionRoleArn=self.role_arn,
                    PrimaryContainer=_container(hosting),
                    EnableNetworkIsolation=hosting.network_isolation,
                    Tags=tags,
                )
            with there_already_is_fine():
                self.sagemaker.create_endpoint_config(
                    EndpointConfigName=names.base,
                    ExecutionRoleArn=self.role_arn,
                    ProductionVariants=[_variant(hosting, max_instances)],
                    # With components it is the endpoint that isolates containers: both must say the same.
                    EnableNetworkIsolation=hosting.network_isolation,
                    Tags=tags,
                )
            with there_already_is_fine():
                self.sagemaker.create_endpoint(EndpointName=names.base, EndpointConfigName=names.base, Tags=tags)

    def create_component(self, names: Names, hosting: Hosting, copies: int) -> None:
        """Put the model onto the endpoint, which must be in service."""
        with translated(), there_already_is_fine():
            self.sagemaker.create_inference_component(
                InferenceComponentName=names.base,
                EndpointName=names.base,
                VariantName=VARIANT,
                Specification=_specification(names, hosting),
                RuntimeConfig={"CopyCount": copies},
                Tags=tag_list(names),
            )

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
        """Delete config and model, at once."""
        self._delete(lambda: self.sagemaker.delete_endpoint_config(EndpointConfigName=names.base))
        self._delete(lambda: self.sagemaker.delete_model(ModelName=names.base))

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
