"""SageMaker's resources as the simulation keeps them, and the checks that SageMaker makes on their names."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any, TypeVar

from botocore.loaders import Loader
from botocore.model import ServiceModel

from tests.sandbox.cloud.calls import AwsError
from tests.sandbox.cloud.moto_cloud import ACCOUNT, REGION
from tests.sandbox.cloud.ports import EngineHandle

# What SageMaker calls each kind of resource in its errors.
_WORDS = {
    "model": "model",
    "endpoint-config": "endpoint configuration",
    "endpoint": "endpoint",
    "inference-component": "inference component",
}


@dataclass
class Resource:
    """A thing with a name, an ARN and tags; ``given`` is the body of the call that made it."""

    kind: str
    name: str
    given: dict[str, Any]
    created: datetime
    modified: datetime
    tags: dict[str, str]

    @property
    def arn(self) -> str:
        """The resource's ARN."""
        return arn_of(self.kind, self.name)


@dataclass
class Endpoint(Resource):
    """A real-time endpoint. ``instances`` are those that run, ``instance_type`` what could be had.

    ``counts`` is what is billed: how many from which moment (sandbox epoch seconds) on.
    """

    status: str = "Creating"
    reason: str | None = None
    instances: int = 0
    desired_instances: int = 0
    instance_type: str = ""
    counts: list[tuple[float, int]] = field(default_factory=list)

    def has(self, instances: int, at: float) -> None:
        """Let it run so many instances from now on."""
        self.instances = instances
        self.counts.append((at, instances))


@dataclass
class Copy:
    """One copy of a component's model; it counts once its engine answers."""

    number: int
    engine: EngineHandle | None = None
    gone: bool = False


@dataclass
class Component(Resource):
    """An inference component on an endpoint's variant."""

    status: str = "Creating"
    reason: str | None = None
    desired: int = 0
    copies: list[Copy] = field(default_factory=list)

    @property
    def ready(self) -> list[EngineHandle]:
        """The engines that answer."""
        return [found.engine for found in self.copies if found.engine and not found.gone]


R = TypeVar("R", bound=Resource)


class Shelf(dict[str, R]):
    """All resources of one kind, by name."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self._kind = kind

    def take(self, name: str) -> R:
        """Return a resource; raises SageMaker's error for one that is not there."""
        if name not in self:
            raise invalid(f'Could not find {_WORDS[self._kind]} "{arn_of(self._kind, name)}".')
        return self[name]

    def free(self, name: str) -> None:
        """Raise SageMaker's error for a name in use."""
        if name in self:
            raise invalid(f'Cannot create already existing {_WORDS[self._kind]} "{arn_of(self._kind, name)}".')


def arn_of(kind: str, name: str) -> str:
    """Return the ARN of a SageMaker resource."""
    return f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:{kind}/{name}"


def invalid(message: str) -> AwsError:
    """Return a ValidationException."""
    return AwsError("ValidationException", message)


def page(found: Iterable[dict[str, Any]], params: dict[str, Any], key: str) -> dict[str, Any]:
    """Return one page of a list call."""
    every = list(found)
    first = int(params.get("NextToken") or 0)
    last = first + int(params.get("MaxResults") or 100)
    return {key: every[first:last], **({"NextToken": str(last)} if last < len(every) else {})}


def tags_of(params: dict[str, Any]) -> dict[str, str]:
    """Return the tags of a create call."""
    return {found["Key"]: found["Value"] for found in params.get("Tags", [])}


def instance_types_of(variant: dict[str, Any]) -> list[str]:
    """Return a variant's instance types, most wanted first."""
    pools = sorted(variant.get("InstancePools", []), key=lambda found: int(found.get("Priority", 1)))
    return [found["InstanceType"] for found in pools] or [variant["InstanceType"]]


def gpus_of(instance_type: str) -> int:
    """Return how many accelerators an ``ml.`` GPU type has."""
    _, family, size = instance_type.split(".")
    if size in ("12xlarge", "24xlarge") and family.startswith("g"):
        return 4
    eight = {"48xlarge", "24xlarge"}
    return 8 if size in eight else 1


@cache
def known_instance_types() -> frozenset[str]:
    """Return the types that SageMaker's own service model lists for production variants."""
    model = ServiceModel(Loader().load_service_model("sagemaker", "service-2"))
    return frozenset(model.shape_for("ProductionVariantInstanceType").metadata["enum"])
