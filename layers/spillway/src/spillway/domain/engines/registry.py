"""The engines by name: the one place that lists them."""

import re
from collections.abc import Mapping

from spillway.domain.engines.engine import Container, Engine
from spillway.domain.engines.vllm import VLLM
from spillway.domain.errors import InvalidRequest

DEFAULT_ENGINE = VLLM
ENGINES: Mapping[str, Engine] = {engine.name: engine for engine in (VLLM,)}

# Whose container answers behind an endpoint is not known before: each engine passes over the others' fields.
EXACT_LENGTH = {field: value for engine in ENGINES.values() for field, value in engine.exact_length.items()}
_FINGERPRINT = re.compile(
    rb'"system_fingerprint": ?"(' + b"|".join(engine.fingerprint for engine in ENGINES.values()) + b")"
)
# The release that a container's tag begins with.
_RELEASE = re.compile(r":(\d+)\.(\d+)\.")


def engine_of(name: str) -> Engine:
    """Return an engine by its name; InvalidRequest, with the names that there are, for one that is none."""
    if name not in ENGINES:
        names = ", ".join(ENGINES)
        raise InvalidRequest(f"no engine is named '{name}', only {names}", param="engine.name", allowed=tuple(ENGINES))
    return ENGINES[name]


def container_of(framework: str, image: str) -> tuple[Engine, Container] | None:
    """Return the engine in a container of SageMaker's, by a hub document's framework and image.

    None for one that cannot be told how to read its model's output: another engine, or too old a release.
    """
    release = _RELEASE.search(image)
    for engine in ENGINES.values():
        for container in engine.containers:
            if container.framework == framework and release and (int(release[1]), int(release[2])) >= container.since:
                return engine, container
    return None


def named_in(block: bytes) -> str | None:
    """Return what an engine calls itself in a part of its answer, with its version."""
    found = _FINGERPRINT.search(block)
    return found[1].decode() if found else None
