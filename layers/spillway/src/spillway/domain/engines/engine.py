"""What is known of an inference server: how it is started on an instance, and what it shows of itself there."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any, TypeAlias

from spillway.domain.task import Task

_LONGEST_OBJECT = 1024


class OnInstance(Enum):
    """A word of a command line that only the instance itself can fill in."""

    GPU_COUNT = auto()


Word: TypeAlias = str | OnInstance


Setting: TypeAlias = bool | int | float | str | Mapping[str, Any]


@dataclass(frozen=True)
class Options:
    """How an engine is to read its model's output, and flags that the user gave, by their names without dashes.

    Without ``tool_call_parser`` it has no tools, without ``reasoning_parser`` thoughts are part of the text. ``task``
    is what it is to serve the model for.
    """

    tool_call_parser: str | None = None
    reasoning_parser: str | None = None
    args: Mapping[str, Setting] = field(default_factory=dict)
    task: Task = Task.CHAT


@dataclass(frozen=True)
class Launch:
    """What one engine is to serve.

    ``model`` is a Hugging Face id, or with ``is_own_weights`` the S3 prefix of the weights. ``media_domains`` are the
    only hosts that it may fetch media from, none all. Told to stop (SIGTERM), it has ``shutdown_seconds`` to end
    what it answers, and is killed some seconds after. ``chat_template`` is a file in its container, None for the
    model's own.
    """

    model: str
    is_own_weights: bool
    served_name: str
    max_model_len: int
    media_domains: tuple[str, ...]
    shutdown_seconds: int
    options: Options = Options()
    chat_template: str | None = None


@dataclass(frozen=True)
class Parsers:
    """What reads a model's output; None is nothing.

    ``needs_template``: the model's own chat template shows it no tools, so that ``tool_call`` is of use only with
    another. ``args`` are flags that the model needs beside them.
    """

    tool_call: str | None = None
    reasoning: str | None = None
    needs_template: bool = False
    args: Mapping[str, Setting] = field(default_factory=dict)


@dataclass(frozen=True)
class Flag:
    """A flag that a user may give: ``takes`` says in words what ``accepts`` lets pass."""

    takes: str
    accepts: Callable[[object], bool]


@dataclass(frozen=True)
class Container:
    """A container of SageMaker's that runs the engine, by the framework that hub documents name.

    An environment variable is ``prefix`` and a flag's name. Releases before ``since`` know none for tools. ``tasks``
    are those for which it speaks the engine's own protocol.
    """

    framework: str
    prefix: str
    since: tuple[int, int] = (0, 0)
    tasks: tuple[Task, ...] = (Task.CHAT,)


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

    ``parsers_of`` knows what reads the output of a model, by its Hugging Face id: nothing where it is not sure.
    ``tool_call_parsers`` and ``reasoning_parsers`` are all that the image has. ``flags`` are those that users may give;
    ``settings`` are the flags that options come to, by name, and ``containers`` take them on SageMaker. ``grammar_of``
    tells what then holds answers to a JSON schema, None where it is not known.
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
    parsers_of: Callable[[str], Parsers]
    tool_call_parsers: frozenset[str]
    reasoning_parsers: frozenset[str]
    flags: Mapping[str, Flag]
    settings: Callable[[Options], Mapping[str, Setting]]
    containers: tuple[Container, ...]
    grammar_of: Callable[[Options], str | None]


def switch() -> Flag:
    """Return a flag that is on or off."""
    return Flag("true or false", lambda value: isinstance(value, bool))


def whole(least: int, most: int) -> Flag:
    """Return a flag that takes an integer."""
    return Flag(
        f"an integer from {least} to {most}",
        lambda value: isinstance(value, int) and not isinstance(value, bool) and least <= value <= most,
    )


def share(least: float, most: float) -> Flag:
    """Return a flag that takes a number."""
    return Flag(
        f"a number from {least:g} to {most:g}",
        lambda value: isinstance(value, int | float) and not isinstance(value, bool) and least <= value <= most,
    )


def word(*allowed: str) -> Flag:
    """Return a flag that takes one of a few words."""
    return Flag(f"one of {', '.join(allowed)}", lambda value: isinstance(value, str) and value in allowed)


def json_object() -> Flag:
    """Return a flag that takes a JSON object, as long as SageMaker lets an environment variable be."""
    return Flag(
        f"a JSON object of at most {_LONGEST_OBJECT} bytes",
        lambda value: isinstance(value, dict) and len(json.dumps(value)) <= _LONGEST_OBJECT,
    )
