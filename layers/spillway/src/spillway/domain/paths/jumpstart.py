"""The path of SageMaker endpoints with a JumpStart model."""

from spillway.domain.observations.signals import Signal
from spillway.domain.paths.model_catalog import MODELS, find, is_jumpstart_id, unknown_model
from spillway.domain.paths.path import Path
from spillway.domain.paths.profile import CapacitySource, InstancePrices, PathProfile


def jumpstart_id(model_id: str) -> str:
    """Return a model's name in the JumpStart hub; InvalidRequest when none is known."""
    if is_jumpstart_id(model_id):
        return model_id
    model = find(model_id)
    if model and model.jumpstart_id:
        return model.jumpstart_id
    known = [m.id for m in MODELS if m.jumpstart_id]
    raise unknown_model("JumpStart", "a hub id such as 'meta-textgeneration-llama-3-1-8b-instruct'", known)


def sagemaker_instance_type(name: str) -> str:
    """Return an instance type as SageMaker writes it: ``g6e.xlarge`` is ``ml.g6e.xlarge``."""
    return f"ml.{name.removeprefix('ml.')}"


JUMPSTART = PathProfile(
    path=Path.JUMPSTART,
    model_id=jumpstart_id,
    capacity=CapacitySource.ENDPOINT,
    instance_prices=InstancePrices.SAGEMAKER,
    instance_type=sagemaker_instance_type,
    signals=frozenset({Signal.TRAFFIC}),
    is_fixed_at_creation=True,
)
