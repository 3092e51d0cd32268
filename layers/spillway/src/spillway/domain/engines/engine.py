"""What is known of an inference server: how it is started on an instance, and what it shows of itself there."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import TypeAlias


class OnInstance(Enum):
    """A word of a command line that only the instance itself can fill in."""

    GPU_COUNT = auto()


Word: TypeAlias = str | OnInstance


@dataclass(frozen=True)
class Launch:
    """What one engine is to serve.

    ``model`` is a Hugging Face id, or with ``is_own_weights`` the S3 prefix of the weights. ``media_domains`` are the
    only hosts that it may fetch media from, none all. Told to stop (SIGTERM), it has ``shutdown_seconds`` to end
    what it answers, and is killed some seconds after.
    """

    model: str
    is_own_weights: bool
    served_name: str
    max_model_len: int
    media_domains: tuple[str, ...]
    shutdown_seconds: int


@dataclass(frozen=True)
class Gauges:
    """The Prometheus names of an engine's load, several where its releases differ; the cache's use is a share of 1."""

    running: tuple[str, ...]
    waiting: tuple[str, ...]
    cache_use: tuple[str, ...]


@dataclass(frozen=True)
class Engine:
    """One inference server that speaks OpenAI's protocol, in a pinned image.

    ``instance_families`` are those of EC2 that the image runs on, each with the dot that ends it. ``arguments`` follow
    ``entrypoint``, which must be the container's first process, so that a stop reaches it. ``environment`` is nothing
    secret. ``port`` is the container's; ``health_path`` answers 200 once the model is loaded. ``fingerprint`` is the
    pattern of what its answers have as ``system_fingerprint``: name and version. ``exact_length`` are request fields
    that make an answer as long as it may be, whatever the model would say. ``limits_media`` is whether it can be held
    to the hosts of ``Launch.media_domains``.
    """

    name: str
    image: str
    instance_families: tuple[str, ...]
    entrypoint: str
    arguments: Callable[[Launch], Sequence[Word]]
    environment: Mapping[str, str]
    port: int
    health_path: str
    metrics_path: str
    gauges: Gauges
    fingerprint: bytes
    exact_length: Mapping[str, bool]
    limits_media: bool
