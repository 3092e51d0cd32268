"""What a deployment's models are for, and which of them may answer for another."""

from collections.abc import Mapping

from spillway.domain.deployments.spec import DeploymentSpec
from spillway.domain.errors import InvalidRequest
from spillway.domain.paths.bedrock_embeddings import bedrock_task
from spillway.domain.paths.bedrock_models import CalledModel, own_id
from spillway.domain.paths.model_catalog import find, known_task
from spillway.domain.paths.path import Path
from spillway.domain.task import Task

_TASKS_ON = {
    Path.FLEET: tuple(Task),
    Path.JUMPSTART: tuple(Task),
    Path.BEDROCK: (Task.CHAT, Task.EMBED),
    Path.IMPORT: (Task.CHAT,),
}


def with_task(spec: DeploymentSpec) -> DeploymentSpec:
    """Return the spec with what its model is for, and with a context that an engine of that model can start with.

    Raises InvalidRequest for a task that contradicts the model's id, or that its path has no models for.
    """
    known, task = known_task(spec.model.id), spec.task
    if known is not None and known is not task:
        raise InvalidRequest(
            f"model.task is '{task}', and {spec.model.id} is for {known}: leave it out",
            param="model.task",
            allowed=[known],
        )
    if task not in _TASKS_ON[spec.path]:
        allowed = _TASKS_ON[spec.path]
        raise InvalidRequest(
            f"path {spec.path} has no models for {task} here, only for {', '.join(allowed)}",
            param="model.task",
            allowed=allowed,
        )
    return _with_context(spec.model_copy(update={"model": spec.model.model_copy(update={"task": task})}))


def _with_context(spec: DeploymentSpec) -> DeploymentSpec:
    """An engine does not start with a longer context than its model has."""
    model, engine = find(spec.model.id), spec.engine
    most = model.context_length if model else None
    if not spec.profile.runs_engine or most is None or engine.max_model_len <= most:
        return spec
    if "max_model_len" in engine.model_fields_set:
        raise InvalidRequest(
            f"engine.max_model_len is {engine.max_model_len}, and {spec.model.id} takes at most {most} tokens",
            param="engine.max_model_len",
            allowed=[f"up to {most}"],
        )
    return spec.model_copy(update={"engine": engine.model_copy(update={"max_model_len": most})})


def ensure_models_agree(spec: DeploymentSpec, called: Mapping[str, CalledModel | None]) -> None:
    """Raise InvalidRequest for a model on Bedrock that is not for the deployment's task, or a spill target of another.

    ``called`` is what Bedrock's catalog said of the ids that the spec names: only it tells the model behind an
    application profile. Vectors of two models can't be compared, so that only the very same model may answer for one.
    """
    primary = _own_id(spec.profile.model_id(spec.model.id), called) if spec.path is Path.BEDROCK else None
    if primary is not None:
        _ensure_task(spec, primary, "model.task")
    if spec.spill is None:
        return
    spill = _own_id(spec.spill.model_id, called)
    if spec.task is Task.CHAT:
        _ensure_task(spec, spill, "spill.model_id")
        return
    same = primary or _on_bedrock(spec)
    if spill != same:
        only = f"only {same} can be its spill target" if same else "nothing on Bedrock is this model: leave spill out"
        raise InvalidRequest(
            f"{spill} is another model than {spec.model.id}, and what one model {_VERBS[spec.task]} can't be compared "
            f"with what another does: {only}",
            param="spill.model_id",
            allowed=[same] if same else None,
        )


_VERBS = {Task.EMBED: "embeds", Task.RERANK: "ranks"}


def _ensure_task(spec: DeploymentSpec, own: str, param: str) -> None:
    found = bedrock_task(own) or Task.CHAT
    if found is not spec.task:
        raise InvalidRequest(
            f"{own} is for {found}, as far as is known here, and this deployment for {spec.task}",
            param=param,
            allowed=[found] if param == "model.task" else None,
        )


def _own_id(asked: str, called: Mapping[str, CalledModel | None]) -> str:
    found = called.get(asked)
    return own_id(asked if found is None else found.model_id)


def _on_bedrock(spec: DeploymentSpec) -> str | None:
    """Return the id on Bedrock of a model that runs elsewhere with its published weights."""
    model = find(spec.model.id)
    return model.bedrock_id if model and spec.model.weights is None else None
