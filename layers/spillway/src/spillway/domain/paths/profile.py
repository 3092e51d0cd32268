"""What is true of one path, wherever it is asked: the one place to say it."""

from collections.abc import Callable, Set
from dataclasses import dataclass
from enum import StrEnum

from spillway.domain.observations.signals import Signal
from spillway.domain.paths.path import Path


class CapacitySource(StrEnum):
    """Where a path's instances are counted."""

    # Bedrock scales by itself and has none to show.
    NOWHERE = "nowhere"
    GROUP = "Auto Scaling group"
    ENDPOINT = "SageMaker endpoint"


class InstancePrices(StrEnum):
    """Which of the price book's hourly prices are a path's."""

    EC2 = "ec2"
    SAGEMAKER = "sagemaker"
    MODEL_UNITS = "model units"


def _no_types(_model_id: str) -> tuple[str, ...]:
    return ()


def _as_it_is(instance_type: str) -> str:
    return instance_type


@dataclass(frozen=True)
class PathProfile:
    """One path.

    ``model_id`` returns the id that the path's service knows a model by, ``instance_types`` the types that a model runs
    on when the user names none (most wanted first, none where the service chooses); both take any id of a model, and
    raise InvalidRequest when it leads to nothing.
    ``instance_type`` writes a type as the path's service does. ``signals`` are what the check needs of every
    deployment, ``serving_signals`` what it needs beside them of one that serves.

    ``runs_engine``: its instances run the engine that the deployment asks for, behind the stack's load balancer.
    ``needs_weights``: it takes no model but the user's own. ``is_fixed_at_creation``: the instances' type and greatest
    number can't be changed.
    """

    path: Path
    model_id: Callable[[str], str]
    capacity: CapacitySource = CapacitySource.NOWHERE
    instance_prices: InstancePrices | None = None
    instance_types: Callable[[str], tuple[str, ...]] = _no_types
    instance_type: Callable[[str], str] = _as_it_is
    signals: Set[Signal] = frozenset()
    serving_signals: Set[Signal] = frozenset()
    runs_engine: bool = False
    needs_weights: bool = False
    is_fixed_at_creation: bool = False

    @property
    def has_instances(self) -> bool:
        """Whether instances run for it that can be counted, put to sleep and woken."""
        return self.capacity is not CapacitySource.NOWHERE
