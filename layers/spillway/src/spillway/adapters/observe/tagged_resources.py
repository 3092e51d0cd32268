"""Everything of one stack that bills by the hour, found by its tags and not by what is stored about it."""

from collections.abc import Iterator, Sequence, Set
from datetime import datetime
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from spillway.adapters.aws.errors import is_gone, translated
from spillway.adapters.aws.tags import tags_of
from spillway.adapters.observe.billed_instances import fleet_instances, listed_endpoints
from spillway.domain.deployments.resource_names import DEPLOYMENT_TAG, STACK_TAG
from spillway.domain.review.leftovers import Kind, Resource

if TYPE_CHECKING:
    from mypy_boto3_autoscaling import AutoScalingClient
    from mypy_boto3_ec2 import EC2Client
    from mypy_boto3_sagemaker import SageMakerClient

_GROUP_TAG = "aws:autoscaling:groupName"
_LEAVING = ("Terminat", "Detach")


class TaggedResources:
    """Implements the ``Tagged`` port over EC2, Auto Scaling and SageMaker."""

    def __init__(
        self, stack: str, ec2: "EC2Client", autoscaling: "AutoScalingClient", sagemaker: "SageMakerClient"
    ) -> None:
        self._stack = stack
        self._ec2 = ec2
        self._autoscaling = autoscaling
        self._sagemaker = sagemaker

    def find(self, known_endpoints: Set[str]) -> Sequence[Resource]:
        """Return groups, instances outside of them, and endpoints; those of known names are not asked about."""
        with translated():
            groups = list(self._groups())
            names = {group.id for group in groups}
            return [*groups, *self._instances(names), *self._endpoints(known_endpoints)]

    def _groups(self) -> Iterator[Resource]:
        by_stack = [{"Name": f"tag:{STACK_TAG}", "Values": [self._stack]}]
        pages = self._autoscaling.get_paginator("describe_auto_scaling_groups").paginate(
            Filters=by_stack,  # type: ignore[arg-type]
            PaginationConfig={"PageSize": 100},
        )
        for page in pages:
            for group in page["AutoScalingGroups"]:
                tags = tags_of(group.get("Tags"))
                alive = [one for one in group["Instances"] if not one["LifecycleState"].startswith(_LEAVING)]
                types = tuple(one.get("InstanceType", "unknown") for one in alive)
                deployment = tags.get(DEPLOYMENT_TAG, "")
                yield Resource(Kind.GROUP, group["AutoScalingGroupName"], deployment, group["CreatedTime"], types)

    def _instances(self, groups: Set[str]) -> Iterator[Resource]:
        for deployment, instances in fleet_instances(self._ec2, self._stack).items():
            for one in instances:
                tags = tags_of(one.get("Tags"))
                is_there = one["State"]["Name"] in ("pending", "running", "stopping", "stopped")
                if is_there and tags.get(_GROUP_TAG) not in groups:
                    types = (str(one["InstanceType"]),)
                    yield Resource(Kind.INSTANCE, one["InstanceId"], deployment, one["LaunchTime"], types)

    def _endpoints(self, known: Set[str]) -> Iterator[Resource]:
        for summary in listed_endpoints(self._sagemaker, self._stack):
            if summary["EndpointName"] not in known and summary["EndpointStatus"] != "Deleting":
                yield from self._endpoint(summary["EndpointName"], summary["EndpointArn"], summary["CreationTime"])

    def _endpoint(self, name: str, arn: str, since: datetime) -> Iterator[Resource]:
        try:
            pages = self._sagemaker.get_paginator("list_tags").paginate(ResourceArn=arn)
            tags = tags_of(tag for page in pages for tag in page["Tags"])
            if tags.get(STACK_TAG) == self._stack and DEPLOYMENT_TAG in tags:
                yield Resource(Kind.ENDPOINT, name, tags[DEPLOYMENT_TAG], since, self._types(name))
        except ClientError as err:
            if not is_gone(err):
                raise

    def _types(self, name: str) -> tuple[str, ...]:
        endpoint = self._sagemaker.describe_endpoint(EndpointName=name)
        config = self._sagemaker.describe_endpoint_config(EndpointConfigName=endpoint["EndpointConfigName"])
        types = {one["VariantName"]: one.get("InstanceType", "unknown") for one in config["ProductionVariants"]}
        return tuple(
            types.get(variant["VariantName"], "unknown")
            for variant in endpoint.get("ProductionVariants", [])
            for _ in range(variant.get("CurrentInstanceCount", 0))
        )
