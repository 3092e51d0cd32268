"""The public parameters and machine images that moto does not carry."""

from typing import Any

from moto.core.utils import utcnow
from moto.ec2.models import ec2_backends
from moto.ssm.models import Parameter, ssm_backends

from tests.sandbox.cloud.moto_cloud import ACCOUNT, REGION

# AWS's public parameters of the Deep Learning AMIs with NVIDIA's driver.
PARAMETERS = tuple(
    f"/aws/service/deeplearning/ami/x86_64/base-oss-nvidia-driver-gpu-{system}/latest/ami-id"
    for system in ("amazon-linux-2023", "ubuntu-22.04", "ubuntu-24.04")
)


def install() -> None:
    """Let each parameter name a Linux image that moto has."""
    backend = ec2_backends[ACCOUNT][REGION]
    if not backend.amis:  # left so by tests that spare themselves moto's thousands of images
        backend._load_amis()
    image = next(found for found in backend.amis.values() if _is_amazon_linux(found))
    for name in PARAMETERS:
        parameter = Parameter(
            account_id=ACCOUNT,
            name=name,
            value=image.id,
            parameter_type="String",
            description=None,
            allowed_pattern=None,
            keyid=None,
            last_modified_date=utcnow(),
            version=1,
            data_type="aws:ec2:image",
        )
        ssm_backends[ACCOUNT][REGION]._parameters[name].append(parameter)


def _is_amazon_linux(image: Any) -> bool:
    return bool(image.platform is None and image.architecture == "x86_64" and image.root_device_name == "/dev/xvda")
