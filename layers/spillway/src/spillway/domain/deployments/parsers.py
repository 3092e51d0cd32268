"""How a fleet's engine reads its model's output where the user asks for nothing, and what is to be said of it."""

from dataclasses import replace

from spillway.domain.deployments.spec import DeploymentSpec
from spillway.domain.engines.engine import Parsers
from spillway.domain.engines.registry import engine_of
from spillway.domain.errors import InvalidRequest
from spillway.domain.paths.model_catalog import find
from spillway.domain.task import Task


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
    if spec.task is not Task.CHAT:
        _ensure_reads_nothing(spec)
    known = parsers_for(spec)
    filled = {
        "tool_call_parser": engine.tool_call_parser or known.tool_call,
        "reasoning_parser": engine.reasoning_parser or known.reasoning,
        "args": {**known.args, **engine.args},
    }
    return spec.model_copy(update={"engine": engine.model_copy(update=filled)})


def _ensure_reads_nothing(spec: DeploymentSpec) -> None:
    """Raise InvalidRequest for a parser of a model that writes no text, and where one that ranks lacks its template.

    vLLM's examples have the template of the rerankers that were published as models that chat
    (``examples/pooling/score/template``), and its image does not.
    """
    for field in ("tool_call_parser", "reasoning_parser"):
        if getattr(spec.engine.options, field) is not None:
            raise InvalidRequest(
                f"engine.{field} reads what a model writes, and {spec.model.id} is for {spec.task}: leave it out",
                param=f"engine.{field}",
            )
    if _known(spec).needs_template and spec.engine.chat_template is None:
        raise InvalidRequest(
            f"{spec.model.id} ranks by a chat template that is not its own: name it in engine.chat_template",
            param="engine.chat_template",
        )


def parsers_for(spec: DeploymentSpec) -> Parsers:
    """Return what reads the output of a deployment's model, without tools where its template shows it none."""
    known = _known(spec)
    if known.needs_template and spec.engine.chat_template is None:
        known = replace(known, tool_call=None)
    # In which form own weights lie, and are to be read, only the user knows.
    return replace(known, args={}) if spec.model.weights else known


def notes_on(spec: DeploymentSpec) -> list[str]:
    """Return what a user should know of a spec that is taken as it is."""
    if not spec.profile.runs_engine or spec.engine.tool_call_parser is not None or spec.task is not Task.CHAT:
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
