"""The launch template of a fleet: what one instance is made of."""

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from spillway.adapters.aws.errors import gone_is_fine, there_already_is_fine, translated
from spillway.adapters.aws.tags import expect_owned, is_owned, tag_list, tags_of
from spillway.adapters.drivers.fleet.config import FleetConfig
from spillway.adapters.drivers.fleet.user_data import packed, user_data
from spillway.domain.deployments.resource_names import Names
from spillway.domain.deployments.spec import DeploymentSpec
from spillway.domain.errors import CapacityUnavailable
from spillway.domain.paths.model_catalog import find

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client
    from mypy_boto3_ec2.type_defs import LaunchTemplateTypeDef

# Operating system, driver and image unpacked take about 60 GB; the rest is for compile caches and logs.
_DISK_GB = 120
_UNKNOWN_WEIGHTS_GB = 180


@dataclass(frozen=True)
class LaunchTemplate:
    """One launch template for each fleet, under the fleet's name."""

    config: FleetConfig
    ec2: "EC2Client"

    def is_there(self, names: Names) -> bool:
        """Whether the template is there; Conflict for another owner's."""
        found = self._named(names)
        for one in found:
            expect_owned(names, f"launch template {names.base}", tags_of(one.get("Tags")))
        return bool(found)

    def ensure(self, spec: DeploymentSpec, names: Names, image_id: str) -> None:
        """Make the template unless it is there."""
        with translated(), there_already_is_fine():
            self.ec2.create_launch_template(
                LaunchTemplateName=names.base,
                LaunchTemplateData=self._data(spec, names, image_id),
                TagSpecifications=[{"ResourceType": "launch-template", "Tags": tag_list(names)}],
            )

    def renew(self, spec: DeploymentSpec, names: Names, image_id: str) -> None:
        """Add a version of the template by what the spec says now; instances launched from now on are made by it."""
        with translated():
            self.ec2.create_launch_template_version(
                LaunchTemplateName=names.base, LaunchTemplateData=self._data(spec, names, image_id)
            )

    def delete(self, names: Names) -> None:
        """Delete the template if it is there and the deployment's own."""
        # Permission to delete depends on the template's tag, which one that is gone doesn't have: look first.
        for found in self._named(names):
            if is_owned(names, tags_of(found.get("Tags"))):
                with translated(), gone_is_fine():
                    self.ec2.delete_launch_template(LaunchTemplateId=found["LaunchTemplateId"])

    def _named(self, names: Names) -> "list[LaunchTemplateTypeDef]":
        named = [{"Name": "launch-template-name", "Values": [names.base]}]
        with translated():
            return self.ec2.describe_launch_templates(Filters=named)["LaunchTemplates"]  # type: ignore[arg-type]

    def _data(self, spec: DeploymentSpec, names: Names, image_id: str) -> Any:
        tagged = ("instance", "volume", "network-interface")
        return {
            "ImageId": image_id,
            "InstanceType": spec.wanted_instance_types[0],
            "IamInstanceProfile": {"Arn": self.config.instance_profile_arn},
            "UserData": base64.b64encode(packed(user_data(spec, names, self.config))).decode(),
            "InstanceInitiatedShutdownBehavior": "terminate",
            "MetadataOptions": {
                "HttpEndpoint": "enabled",
                "HttpTokens": "required",
                # The engine's container is one hop further away than its host, and needs credentials for weights alone.
                "HttpPutResponseHopLimit": 2 if spec.model.weights else 1,
            },
            "NetworkInterfaces": [
                {
                    "DeviceIndex": 0,
                    "AssociatePublicIpAddress": self.config.public_ip,
                    "Groups": [self.config.security_group_id],
                    "DeleteOnTermination": True,
                }
            ],
            "BlockDeviceMappings": [self._root_volume(spec, image_id)],
            "TagSpecifications": [{"ResourceType": kind, "Tags": tag_list(names)} for kind in tagged],
        }

    def _root_volume(self, spec: DeploymentSpec, image_id: str) -> Any:
        with translated():
            images = self.ec2.describe_images(ImageIds=[image_id])["Images"]
        if not images:
            raise CapacityUnavailable(f"machine image {image_id} is not available in {self.config.region}")
        device = images[0].get("RootDeviceName", "/dev/xvda")
        return {
            "DeviceName": device,
            "Ebs": {
                "VolumeSize": max(_disk_gb(spec), _least_gb(images[0].get("BlockDeviceMappings", []), device)),
                "VolumeType": "gp3",
                # Weights are read once at boot: four times the base rate, while an instance runs, costs cents.
                "Throughput": 500,
                "Iops": 3000,
                "Encrypted": True,
                "DeleteOnTermination": True,
            },
        }


def _disk_gb(spec: DeploymentSpec) -> int:
    if spec.model.weights:
        return _DISK_GB
    model = find(spec.model.id)
    return _DISK_GB + (model.weights_gb if model else _UNKNOWN_WEIGHTS_GB)


def _least_gb(mappings: Any, device: str) -> int:
    """Return the size of the image's own root snapshot, below which EC2 refuses a volume."""
    return max((m.get("Ebs", {}).get("VolumeSize", 0) for m in mappings if m.get("DeviceName") == device), default=0)
