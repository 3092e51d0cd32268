"""What is checked before a fleet is made: model, instance types, quota, machine image."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from spillway.adapters.aws.errors import code_of, is_gone, message_of, translated
from spillway.adapters.aws.quotas import Quotas, vcpu_quota_code
from spillway.adapters.drivers.fleet.config import FleetConfig
from spillway.adapters.drivers.fleet.offerings import Offer, Offerings
from spillway.domain.deployments.spec import DeploymentSpec
from spillway.domain.errors import CapacityUnavailable, InvalidRequest
from spillway.domain.paths.model_catalog import find, hugging_face_id

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client
    from mypy_boto3_ec2.type_defs import InstanceTypeInfoTypeDef
    from mypy_boto3_ssm import SSMClient

# The Deep Learning AMI with NVIDIA's driver, Docker and its GPU toolkit.
IMAGE_PARAMETER = "/aws/service/deeplearning/ami/x86_64/base-oss-nvidia-driver-gpu-amazon-linux-2023/latest/ami-id"


@dataclass(frozen=True)
class FleetPreflight:
    """Every check raises InvalidRequest or CapacityUnavailable with what to do about it."""

    config: FleetConfig
    ec2: "EC2Client"
    ssm: "SSMClient"
    quotas: Quotas

    def check(self, spec: DeploymentSpec) -> None:
        """Run all checks, those that cost nothing first."""
        check_model(spec, has_token=self.config.hugging_face_secret_arn is not None)
        vcpus = self.vcpus_of(self.offer(spec).instance_types)
        self.check_quota(spec, vcpus)
        self.image_id()

    def offer(self, spec: DeploymentSpec) -> Offer:
        """Return what EC2 has of the wanted types; InvalidRequest where that is none of them."""
        return Offerings(self.config, self.ec2).of(spec)

    def image_id(self) -> str:
        """Return the machine image that instances start from."""
        with translated():
            try:
                return self.ssm.get_parameter(Name=IMAGE_PARAMETER)["Parameter"]["Value"]
            except ClientError as err:
                if is_gone(err):
                    raise CapacityUnavailable(
                        f"{self.config.region} has no machine image at {IMAGE_PARAMETER}"
                    ) from err
                raise

    def vcpus_of(self, instance_types: Sequence[str]) -> Mapping[str, int]:
        """Return the vCPUs of each type; InvalidRequest for one that is none, or that the engine can't use."""
        with translated():
            try:
                found = self.ec2.describe_instance_types(InstanceTypes=instance_types)["InstanceTypes"]  # type: ignore[arg-type]
            except ClientError as err:
                if code_of(err) in ("InvalidInstanceType", "InvalidParameterValue"):
                    raise _bad_type(f"{message_of(err)} (region {self.config.region})") from err
                raise
        for info in found:
            _check_usable(info)
        return {info["InstanceType"]: info["VCpuInfo"]["DefaultVCpus"] for info in found}

    def check_quota(self, spec: DeploymentSpec, vcpus: Mapping[str, int]) -> None:
        """Raise CapacityUnavailable when no listed type could ever reach capacity.max within its vCPU quota.

        What already runs in the account isn't counted: a quota that is merely in use shows when instances start.
        """
        market, wanted, shortfalls = spec.capacity.market, spec.capacity.max, []
        for instance_type, each in vcpus.items():
            code = vcpu_quota_code(instance_type, market)
            quota = self.quotas.value("ec2", code)
            if quota is None or wanted * each <= quota:
                return
            shortfalls.append(
                f"{wanted} x {instance_type} need {wanted * each} vCPUs, and the {market} quota {code} is {quota:g}"
            )
        advice = "Ask for more in Service Quotas, or lower capacity.max"
        raise CapacityUnavailable(f"{'; '.join(shortfalls)}. {advice}.")


def check_model(spec: DeploymentSpec, *, has_token: bool) -> None:
    """Raise InvalidRequest for a model that an engine could not load."""
    if spec.model.weights:
        return
    model = find(hugging_face_id(spec.model.id))
    if model and model.gated and not has_token:
        raise InvalidRequest(
            f"the weights of {model.id} are gated: accept their licence on Hugging Face, put a token into Secrets "
            "Manager and deploy the stack with its ARN, or put the weights into S3 and name them in model.weights",
            param="model.id",
        )


def _check_usable(info: "InstanceTypeInfoTypeDef") -> None:
    makers = {gpu.get("Manufacturer", "").upper() for gpu in info.get("GpuInfo", {}).get("Gpus", [])}
    if "NVIDIA" not in makers:
        raise _bad_type(f"{info['InstanceType']} has no NVIDIA GPU, which the engine needs")
    if "x86_64" not in info.get("ProcessorInfo", {}).get("SupportedArchitectures", []):
        raise _bad_type(f"{info['InstanceType']} has no x86-64 processor, which the engine's image needs")


def _bad_type(sentence: str) -> InvalidRequest:
    return InvalidRequest(f"capacity.instance_types: {sentence}", param="capacity.instance_types")
