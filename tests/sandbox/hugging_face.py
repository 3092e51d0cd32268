"""Which models an engine finds on the Hugging Face Hub; ``hugging_face_models.txt`` lists them."""

from functools import cache
from pathlib import Path

from tests.sandbox.engine_command import EngineEnded


def check_loads(model: str, *, has_token: bool) -> None:
    """Raise ``EngineEnded`` for a model that is not there, or that is gated and asked for without a token.

    Weights in S3 are taken as they are named.
    """
    if model.startswith("s3://"):
        return
    listed = hub_models()
    if model not in listed:
        raise EngineEnded(
            f"OSError: {model} is not a local folder and is not a valid model identifier listed on the Hub"
        )
    if listed[model] and not has_token:
        raise EngineEnded(f"OSError: You are trying to access a gated repo. 401 Client Error: {model}")


@cache
def hub_models() -> dict[str, bool]:
    """Return the models that are there, and whether each is gated."""
    lines = Path(__file__).with_name("hugging_face_models.txt").read_text(encoding="utf-8").splitlines()
    entries = [line.split() for line in lines if not line.startswith("#")]
    return {name: bool(gated) for name, *gated in entries}
