"""The path of models that Bedrock imports from the user's bucket (Custom Model Import)."""

from spillway.domain.observations.signals import Signal
from spillway.domain.paths.model_catalog import hugging_face_id
from spillway.domain.paths.path import Path
from spillway.domain.paths.profile import InstancePrices, PathProfile

IMPORT = PathProfile(
    path=Path.IMPORT,
    model_id=hugging_face_id,
    instance_prices=InstancePrices.MODEL_UNITS,
    # It is billed for the minutes in which it answers.
    signals=frozenset({Signal.TRAFFIC}),
    needs_weights=True,
)
