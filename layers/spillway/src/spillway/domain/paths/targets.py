"""The places that can answer a request; plain data, so that the gateway's start stays light."""

from dataclasses import dataclass, fields
from typing import Any, ClassVar, Literal, TypeAlias, assert_never

from spillway.domain.paths.bedrock_embeddings import bedrock_task
from spillway.domain.paths.path import Path
from spillway.domain.task import Task

BedrockApi: TypeAlias = Literal["converse", "openai"]


@dataclass(frozen=True)
class BedrockTarget:
    """A Bedrock catalog model, or inference profile, reached by Converse or the OpenAI-compatible endpoint.

    ``api`` is None where only a call can tell. ``own_id`` is the model behind an application profile, whose id
    does not tell it.
    """

    path: ClassVar = Path.BEDROCK
    model_id: str
    api: BedrockApi | None
    own_id: str | None = None

    @property
    def known_id(self) -> str:
        """The id by which something may be known of the model."""
        return self.own_id or self.model_id

    @property
    def task(self) -> Task:
        """What its model is for, as its id tells."""
        return bedrock_task(self.known_id) or Task.CHAT


@dataclass(frozen=True)
class ImportedTarget:
    """A model of the user's own in Bedrock (Custom Model Import), reached by InvokeModel with OpenAI's bodies."""

    path: ClassVar = Path.IMPORT
    task: ClassVar = Task.CHAT
    model_arn: str
    # Custom model units that one copy of it runs on: what is billed.
    units_per_copy: int | None = None


@dataclass(frozen=True)
class SageMakerTarget:
    """A SageMaker real-time endpoint, and the inference component on it.

    ``framework`` and ``version`` are its container's, in hub documents' words; None where they are not known.
    """

    path: ClassVar = Path.JUMPSTART
    endpoint: str
    component: str
    framework: str | None = None
    version: str | None = None
    task: Task = Task.CHAT


@dataclass(frozen=True)
class FleetTarget:
    """A fleet's engines behind the internal load balancer, by the deployment's name."""

    path: ClassVar = Path.FLEET
    deployment: str
    task: Task = Task.CHAT


Target: TypeAlias = BedrockTarget | ImportedTarget | SageMakerTarget | FleetTarget


def billed_model(target: Target | None) -> str | None:
    """Return the Bedrock model whose tokens are billed when a target answers; None where tokens have no price."""
    match target:
        case BedrockTarget():
            return target.known_id
        case ImportedTarget() | SageMakerTarget() | FleetTarget() | None:
            return None
        case _:
            assert_never(target)


def target_to_json(target: Target) -> dict[str, Any]:
    """Return a target as a JSON object, tagged with its path as its ``kind``.

    What is as a field's default is left out: an earlier version reads what it knows.
    """
    changed = {each.name: value for each in fields(target) if (value := getattr(target, each.name)) != each.default}
    return {"kind": target.path.value, **changed}


def target_from_json(data: dict[str, Any]) -> Target:
    """Read back what :func:`target_to_json` wrote.

    Raises ``ValueError`` for a kind that is none, ``TypeError`` for one with other fields.
    """
    fields = {key: value for key, value in data.items() if key != "kind"}
    if "task" in fields:
        fields["task"] = Task(fields["task"])
    try:
        path = Path(data["kind"])
    except ValueError as err:
        raise ValueError(f"unknown kind of target: {data['kind']}; known are {', '.join(Path)}") from err
    return target_class(path)(**fields)


def target_class(path: Path) -> type[Target]:
    """Return the class of the places that answer on a path."""
    match path:
        case Path.BEDROCK:
            return BedrockTarget
        case Path.IMPORT:
            return ImportedTarget
        case Path.JUMPSTART:
            return SageMakerTarget
        case Path.FLEET:
            return FleetTarget
        case _:
            assert_never(path)
