"""The instances that are billed by the hour, for every deployment at once: EC2's by name, SageMaker's by number."""

import logging
import re
import zlib
from collections import defaultdict
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from spillway.adapters.aws.errors import is_gone, translated
from spillway.adapters.aws.tags import tags_of
from spillway.adapters.drivers.jumpstart.resources import INITIAL_INSTANCES
from spillway.domain.deployments.resource_names import DEPLOYMENT_TAG, STACK_TAG
from spillway.domain.errors import Retryable
from spillway.domain.observations.capacity import EndpointInstances, Instance

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client
    from mypy_boto3_ec2.type_defs import InstanceTypeDef
    from mypy_boto3_sagemaker import SageMakerClient
    from mypy_boto3_sagemaker.type_defs import EndpointSummaryTypeDef

logger = logging.getLogger(__name__)

# EC2 writes when an instance ended only into a sentence: "User initiated (2026-11-24 09:30:00 GMT)".
_ENDED = re.compile(r"\((\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) (?:GMT|UTC)\)")
_RUNNING = ("pending", "running")
# SageMaker gives instances back minutes after their last copy has gone: 12 have been published.
_CHANGES_FOR = timedelta(minutes=30)
# To count an endpoint's instances takes a call. One at rest is counted once in so many minutes, its neighbours in other
# ones; of those that may be changing, so many are counted every minute, and the rest in their turn.
_ROUND = 15
_CHANGING = 50
_PARALLEL = 8


def fleet_instances(ec2: "EC2Client", stack: str) -> Mapping[str, "list[InstanceTypeDef]"]:
    """Return the stack's instances by deployment; EC2 goes on showing those that ended for about an hour."""
    found: dict[str, list[InstanceTypeDef]] = defaultdict(list)
    with translated():
        pages = ec2.get_paginator("describe_instances").paginate(
            Filters=[{"Name": f"tag:{STACK_TAG}", "Values": [stack]}], PaginationConfig={"PageSize": 1000}
        )
        for page in pages:
            for reservation in page["Reservations"]:
                for instance in reservation["Instances"]:
                    tags = tags_of(instance.get("Tags"))
                    found[tags.get(DEPLOYMENT_TAG, "")].append(instance)
    return found


def listed_endpoints(sagemaker: "SageMakerClient", stack: str) -> "list[EndpointSummaryTypeDef]":
    """Return the endpoints whose names may be the stack's: another stack's name may contain this one's."""
    with translated():
        # A long name is cut and closed with a digest, but it always begins with the stack's.
        pages = sagemaker.get_paginator("list_endpoints").paginate(
            NameContains=stack[:50], PaginationConfig={"PageSize": 100}
        )
        return [one for page in pages for one in page["Endpoints"]]


def instance_of(found: "InstanceTypeDef", *, answers: bool) -> Instance:
    """Translate one of EC2's descriptions."""
    runs = found["State"]["Name"] in _RUNNING
    ended = None if runs else _ENDED.search(found.get("StateTransitionReason", ""))
    return Instance(
        id=found["InstanceId"],
        instance_type=found["InstanceType"],
        launched_at=found["LaunchTime"].astimezone(UTC),
        runs=runs,
        ended_at=datetime.strptime(ended[1], "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC) if ended else None,
        answers=answers and runs,
    )


@dataclass(frozen=True)
class Hosted:
    """A deployment's share in its endpoint: the type it runs on, its answering copies, its component's last change."""

    instance_type: str
    answering: int = 0
    changed_at: datetime | None = None


@dataclass(frozen=True)
class EndpointLooks:
    """Looks at SageMaker's endpoints: at all of them in a list, which has no counts, and at some one by one."""

    sagemaker: "SageMakerClient"
    stack: str

    def look(self, hosted: Mapping[str, Hosted], now: datetime) -> Mapping[str, EndpointInstances]:
        """Return the instances of endpoints, by name; one that could not be read is left out."""
        seen = {name: _gone(one, now) for name, one in hosted.items()}
        listed = {one["EndpointName"]: one for one in listed_endpoints(self.sagemaker, self.stack)}
        seen |= {name: _listed(listed[name], one) for name, one in hosted.items() if name in listed}
        present = [name for name in hosted if name in listed]
        wanted = [name for name in present if _is_changing(listed[name], hosted[name], now)][:_CHANGING]
        wanted = list(dict.fromkeys([*wanted, *(name for name in present if _has_its_turn(name, now))]))
        with ThreadPoolExecutor(_PARALLEL) as pool:
            looks = zip(wanted, pool.map(lambda name: self._count(name, seen[name], now), wanted), strict=True)
            counted = {**seen, **dict(looks)}
        return {name: one for name, one in counted.items() if one is not None}

    def _count(self, name: str, listed: EndpointInstances, now: datetime) -> EndpointInstances | None:
        """Return an endpoint with the number of its instances; None when SageMaker doesn't answer now."""
        try:
            with translated():
                found = self.sagemaker.describe_endpoint(EndpointName=name)
        except Retryable as err:
            logger.warning("instances not counted", extra={"endpoint": name, "error": str(err)})
            return None
        except ClientError as err:
            if is_gone(err):
                return replace(listed, count=0, changed_at=now)
            raise
        # It may have changed since it was listed.
        changed_at = found["LastModifiedTime"].astimezone(UTC)
        variants = found.get("ProductionVariants", [])
        is_new = found["EndpointStatus"] == "Creating"
        count = INITIAL_INSTANCES if is_new else sum(one.get("CurrentInstanceCount", 0) for one in variants)
        return replace(listed, count=count, changed_at=changed_at)


def _gone(hosted: Hosted, now: datetime) -> EndpointInstances:
    return EndpointInstances(0, hosted.instance_type, datetime.min.replace(tzinfo=UTC), now)


def _listed(endpoint: "EndpointSummaryTypeDef", hosted: Hosted) -> EndpointInstances:
    created, modified = (endpoint[name].astimezone(UTC) for name in ("CreationTime", "LastModifiedTime"))
    return EndpointInstances(None, hosted.instance_type, created, modified, hosted.answering)


def _is_changing(endpoint: "EndpointSummaryTypeDef", hosted: Hosted, now: datetime) -> bool:
    last = max(endpoint["LastModifiedTime"], hosted.changed_at or endpoint["LastModifiedTime"])
    return endpoint["EndpointStatus"] not in ("InService", "Failed") or now - last < _CHANGES_FOR


def _has_its_turn(name: str, now: datetime) -> bool:
    return zlib.crc32(name.encode()) % _ROUND == int(now.timestamp() // 60) % _ROUND
