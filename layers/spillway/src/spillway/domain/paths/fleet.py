"""The path of EC2 instances that run an engine of ours."""

from spillway.domain.errors import InvalidRequest
from spillway.domain.observations.signals import Signal
from spillway.domain.paths.model_catalog import find, hugging_face_id
from spillway.domain.paths.path import Path
from spillway.domain.paths.profile import CapacitySource, InstancePrices, PathProfile


def fleet_instance_types(model_id: str) -> tuple[str, ...]:
    """Return the EC2 instance types that a model fits on, most wanted first; InvalidRequest when none is known."""
    if model := find(model_id):
        return model.instance_types
    raise InvalidRequest(
        f"no instance type is known for {model_id}: name at least one in capacity.instance_types",
        param="capacity.instance_types",
    )


def ec2_instance_type(name: str) -> str:
    """Return an instance type as EC2 writes it: ``ml.g6e.xlarge`` is ``g6e.xlarge``."""
    return name.removeprefix("ml.")


FLEET = PathProfile(
    path=Path.FLEET,
    model_id=hugging_face_id,
    capacity=CapacitySource.GROUP,
    instance_prices=InstancePrices.EC2,
    instance_types=fleet_instance_types,
    instance_type=ec2_instance_type,
    signals=frozenset({Signal.TRAFFIC}),
    # Only its own instances tell about their engines, and only while there are any.
    serving_signals=frozenset({Signal.ENGINES}),
    runs_engine=True,
)
