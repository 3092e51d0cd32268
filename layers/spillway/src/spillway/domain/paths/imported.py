"""The path of models that Bedrock imports from the user's bucket (Custom Model Import)."""

from dataclasses import dataclass

from spillway.domain.observations.traffic import Signal
from spillway.domain.paths.model_catalog import hugging_face_id
from spillway.domain.paths.path import Billing, InstancePrices, Path
from spillway.domain.paths.profile import PathProfile


@dataclass(frozen=True)
class ImportedTarget:
    """A model of the user's own in Bedrock (Custom Model Import), reached by InvokeModel with OpenAI's bodies."""

    model_arn: str
    # Custom model units that one copy of it runs on: what is billed.
    units_per_copy: int | None = None


IMPORT = PathProfile(
    path=Path.IMPORT,
    target=ImportedTarget,
    billing=Billing.WINDOW,
    model_id=hugging_face_id,
    instance_prices=InstancePrices.MODEL_UNITS,
    # It is billed for the minutes in which it answers.
    metrics=frozenset({Signal.REQUESTS, Signal.PRIMARY_REQUESTS, Signal.PRIMARY_TOKENS}),
    needs_weights=True,
)
