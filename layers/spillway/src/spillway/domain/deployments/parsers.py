"""How a fleet's engine reads its model's output where the user asks for nothing, and what is to be said of it."""

from dataclasses import replace

from spillway.domain.deployments.spec import DeploymentSpec
from spillway.domain.engines.engine import Parsers
from spillway.domain.engines.registry import engine_of
from spillway.domain.errors import InvalidRequest
from spillway.domain.paths.model_catalog import find


def with_parsers(spec: DeploymentSpec) -> DeploymentSpec:
    """Return the spec of a fleet with what is known of its model; InvalidRequest for what another path cannot do."""
    engine = spec.engine
    if not spec.profile.runs_engine:
        if engine.chat_template is not None and spec.profile.has_instances:
            raise InvalidRequest(
                f"engine.chat_template is fetched by fleets alone: on {spec.path} put it beside the weights",
                param="engine.chat_template",
            )
        return spec
    known = parsers_for(spec)
    filled = {
        "tool_call_parser": engine.tool_call_parser or known.tool_call,
        "reasoning_parser": engine.reasoning_parser or known.reasoning,
        "args": {**known.args, **engine.args},
    }
    return spec.model_copy(update={"engine": engine.model_copy(update=filled)})


def parsers_for(spec: DeploymentSpec) -> Parsers:
    """Return what reads the output of a deployment's model, without tools where its template shows it none."""
    known = _known(spec)
    if known.needs_template and spec.engine.chat_template is None:
        known = replace(known, tool_call=None)
    # In which form own weights lie, and are to be read, only the user knows.
    return replace(known, args={}) if spec.model.weights else known


def notes_on(spec: DeploymentSpec) -> list[str]:
    """Return what a user should know of a spec that is taken as it is."""
    if not spec.profile.runs_engine or spec.engine.tool_call_parser is not None:
        return []
    known = _known(spec)
    if known.needs_template:
        return [
            f"Tools are off: {spec.model.id} needs another chat template for them than its own. With one in "
            f"engine.chat_template, engine.tool_call_parser '{known.tool_call}' reads its calls."
        ]
    return [f"Tools are off: which engine.tool_call_parser reads the calls of {spec.model.id} is not known here."]


def _known(spec: DeploymentSpec) -> Parsers:
    model = find(spec.model.id)
    return engine_of(spec.engine.name).parsers_of(model.id if model else spec.model.id)
