"""How a sandbox is to be."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.sandbox.engine import EngineConfig
from tests.sandbox.runtime.emulation import Times
from tests.sandbox.runtime.functions import REPOSITORY

DEFAULT_PORT = 8080
DEFAULT_TIME_FACTOR = 60.0
DEFAULT_FOLDER = REPOSITORY / ".sandbox"
# Slow enough that a few dozen clients of a laptop saturate an instance.
ENGINE = EngineConfig(model_names=(), tokens_per_second=400.0, max_num_seqs=8)


@dataclass(frozen=True)
class Options:
    """``port`` 0 takes a free one; one real second is ``time_factor`` sandbox seconds.

    ``engine_url`` puts a real vLLM behind every engine. ``engine`` gives the emulated ones their speed.
    """

    port: int = DEFAULT_PORT
    time_factor: float = DEFAULT_TIME_FACTOR
    engine_url: str | None = None
    engine: EngineConfig = ENGINE
    times: Times = field(default_factory=Times)
    parameters: Mapping[str, str] = field(default_factory=lambda: {"EnableFleets": "true", "WeightsBucket": "weights"})
    stack: str = "spillway"
    folder: Path = DEFAULT_FOLDER
