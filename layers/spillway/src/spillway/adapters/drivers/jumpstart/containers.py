"""How a hub's container is told to read its model's output: by its environment, where it can be told at all."""

import json
from collections.abc import Collection, Mapping
from dataclasses import replace

from spillway.adapters.drivers.jumpstart.hub import Hosting
from spillway.domain.deployments.parsers import parsers_for
from spillway.domain.deployments.spec import OFF, DeploymentSpec
from spillway.domain.engines.engine import Container, Engine, Options
from spillway.domain.engines.registry import container_of
from spillway.domain.errors import InvalidRequest
from spillway.domain.task import Task


def told(hosting: Hosting, spec: DeploymentSpec) -> Hosting:
    """Return what to create, with the parsers and flags of the spec in its environment.

    What the user asks for comes before the hub document's own, and that before what is known of the model. Raises
    InvalidRequest for a wish that the container has no setting for.
    """
    asked, found = spec.engine, container_of(hosting.framework, hosting.image)
    _ensure_serves(spec, hosting, found)
    if found is None:
        _refuse_wishes(spec, hosting)
        return hosting
    tools = _variables(*found, Options(tool_call_parser=OFF)).keys()
    thoughts = _variables(*found, Options(reasoning_parser=OFF)).keys()
    known, given = parsers_for(spec), hosting.environment.keys()
    options = Options(
        _parser(asked.tool_call_parser, None if tools & given else known.tool_call),
        _parser(asked.reasoning_parser, None if thoughts & given else known.reasoning),
        asked.args,
        spec.task,
    )
    dropped = {*(tools if asked.tool_call_parser else ()), *(thoughts if asked.reasoning_parser else ())}
    kept = {name: value for name, value in hosting.environment.items() if name not in dropped}
    environment = kept | _variables(*found, options)
    return replace(hosting, environment=environment, tool_call_parser=_named_in(environment, tools))


def _ensure_serves(spec: DeploymentSpec, hosting: Hosting, found: tuple[Engine, Container] | None) -> None:
    """Raise InvalidRequest for a task for which the container speaks a protocol of its own."""
    if spec.task is not Task.CHAT and (found is None or spec.task not in found[1].tasks):
        raise InvalidRequest(
            f"JumpStart's container for {spec.model.id} ({hosting.framework}, {hosting.image.rsplit('/', 1)[-1]}) does "
            f"not speak OpenAI's protocol for {spec.task}: a fleet serves such models",
            param="model.task",
        )


def _refuse_wishes(spec: DeploymentSpec, hosting: Hosting) -> None:
    wishes = {
        "tool_call_parser": spec.engine.options.tool_call_parser,
        "reasoning_parser": spec.engine.options.reasoning_parser,
        "args": spec.engine.args,
    }
    if wished := next((field for field, value in wishes.items() if value), None):
        raise InvalidRequest(
            f"engine.{wished} is nothing that JumpStart's container for {spec.model.id} can be told "
            f"({hosting.framework}, {hosting.image.rsplit('/', 1)[-1]}): leave it out",
            param=f"engine.{wished}",
        )


def _parser(asked: str | None, otherwise: str | None) -> str | None:
    if asked is None:
        return otherwise
    return None if asked == OFF else asked


def _variables(engine: Engine, container: Container, options: Options) -> dict[str, str]:
    settings = engine.settings(options)
    return {f"{container.prefix}{name.upper().replace('-', '_')}": _written(value) for name, value in settings.items()}


def _written(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))


def _named_in(environment: Mapping[str, str], tools: Collection[str]) -> str | None:
    """Return the parser that an environment turns on: one of the variables names it, the others are switches."""
    values = {environment.get(name) for name in tools} - {"true"}
    return values.pop() if len(values) == 1 else None
