"""Which requests for a deployment are taken: what the shape of a body alone cannot tell."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from spillway.domain.decision import Action
from spillway.domain.deployments.deployment import Deployment
from spillway.domain.deployments.parsers import with_parsers
from spillway.domain.deployments.spec import DeploymentSpec
from spillway.domain.deployments.status import Status
from spillway.domain.deployments.tasks import with_task
from spillway.domain.errors import Conflict, InvalidRequest, NotFound
from spillway.domain.paths.fleet import ec2_instance_type
from spillway.domain.paths.instance_types import is_written_as_type
from spillway.domain.paths.profile import InstancePrices
from spillway.domain.pricing.price_book import known_instance_types, price_book

_CHANGEABLE_IN = frozenset(Status) - {Status.FAILED, Status.RETIRING, Status.RETIRED}
CHANGEABLE = ("capacity", "thresholds", "spill", "budget", "request_log")
_FIXED = {
    "name": "clients call the model by it",
    "model": "another model is another deployment",
    "path": "resources are made for one path",
    "engine": "running engines were started with it",
}


def admitted(spec: DeploymentSpec) -> DeploymentSpec:
    """Return the spec with its last defaults filled in; InvalidRequest for what its path cannot serve."""
    return with_parsers(with_task(_with_instance_types(spec)))


def _with_instance_types(spec: DeploymentSpec) -> DeploymentSpec:
    _check_instance_types(spec)
    if spec.model.weights is None:
        spec.profile.model_id(spec.model.id)
    if not spec.capacity.instance_types and (types := spec.profile.instance_types(spec.model.id)):
        return spec.model_copy(update={"capacity": spec.capacity.model_copy(update={"instance_types": types})})
    return spec


def changed(spec: DeploymentSpec, patch: Mapping[str, Any]) -> DeploymentSpec:
    """Return the spec after a JSON merge patch (RFC 7396: null takes a field back to its default).

    Raises InvalidRequest for a field that cannot change, pydantic's ValidationError for a value that is none.
    """
    present = spec.model_dump(mode="json", by_alias=True)
    merged = _merged(present, patch)
    for field, why in _FIXED.items():
        if merged.get(field) != present[field]:
            param = _first_difference(field, present[field], merged.get(field))
            raise InvalidRequest(
                f"{param} cannot be changed, because {why}: retire this deployment and ask for a new one",
                param=param,
                allowed=CHANGEABLE,
            )
    # Nothing of the engine is filled in: a running one has what it was started with.
    return _with_instance_types(DeploymentSpec.model_validate(merged))


def after(deployment: Deployment, patch: Mapping[str, Any]) -> DeploymentSpec:
    """Return the spec of a deployment after a merge patch; Conflict in a state in which none is taken, and as above."""
    if deployment.status not in _CHANGEABLE_IN:
        raise Conflict(f"{deployment.name} is {deployment.status}, so its spec cannot be changed")
    spec = changed(deployment.spec, patch)
    ensure_endpoint_can(deployment, spec)
    return spec


def name_in_use(name: str) -> Conflict:
    """Return the error for a name that a deployment has; a retired one frees its name."""
    return Conflict(f"the name '{name}' is in use", param="name", code="name_in_use")


def ensure_can_retire(deployment: Deployment, now: datetime) -> None:
    """Raise Conflict while a deployment is being retired, NotFound once it is."""
    if deployment.status is Status.RETIRED:
        raise NotFound(f"no deployment is named '{deployment.name}': it is retired", param="name")
    if deployment.status is Status.RETIRING and deployment.is_claimed(now):
        raise Conflict(f"{deployment.name} is being retired already")


def ensure_endpoint_can(deployment: Deployment, spec: DeploymentSpec) -> None:
    """Raise InvalidRequest for a change that the SageMaker endpoint of a deployment cannot follow."""
    if not spec.profile.is_fixed_at_creation:
        return
    most, way_out = deployment.endpoint_max, "retire this deployment and ask for a new one"
    if spec.capacity.max > most:
        raise InvalidRequest(
            f"capacity.max cannot be above {most}, because JumpStart's maximum is fixed at creation: {way_out}",
            param="capacity.max",
        )
    if spec.capacity.instance_types != deployment.spec.capacity.instance_types:
        raise InvalidRequest(
            f"capacity.instance_types cannot be changed, because JumpStart's type is fixed at creation: {way_out}",
            param="capacity.instance_types",
        )


def ensure_can(action: Action, deployment: Deployment, now: datetime) -> None:
    """Raise Conflict when a user's wake or sleep makes no sense in the deployment's present state."""
    wanted = Status.ASLEEP if action is Action.WAKE else Status.SERVING
    if deployment.status is Status.RETIRED:
        raise NotFound(f"deployment {deployment.name} does not exist", param="name")
    if deployment.status is not wanted or deployment.is_claimed(now):
        raise Conflict(f"{deployment.name} is {deployment.status}; {action} needs it to be {wanted} and at rest")


def _check_instance_types(spec: DeploymentSpec) -> None:
    capacity = spec.capacity
    named = {f"capacity.instance_types.{number}": name for number, name in enumerate(capacity.instance_types)}
    if capacity.larger is not None:
        named["capacity.larger.instance_type"] = capacity.larger.instance_type
    for param, name in named.items():
        if _is_unfit(spec, name):
            where = param.rstrip("0123456789").rstrip(".")
            raise InvalidRequest(
                f"{where}: '{name}' is not an instance type that {spec.path} runs on",
                param=param,
                allowed=shipped_instance_types(spec),
            )


def _is_unfit(spec: DeploymentSpec, name: str) -> bool:
    """Whether it is no type at all, or known to be one that an engine can't use; the rest is for AWS to say."""
    if not is_written_as_type(name):
        return True
    bare, runs_engine = ec2_instance_type(name), spec.profile.instance_prices is InstancePrices.EC2
    return runs_engine and bare in price_book().ec2 and bare not in shipped_instance_types(spec)


def shipped_instance_types(spec: DeploymentSpec) -> tuple[str, ...]:
    """Return the types that are known to suit path and engine somewhere, as EC2 writes them; AWS may have others."""
    endpoints = {ec2_instance_type(name) for name in price_book().sagemaker}
    match spec.profile.instance_prices:
        case InstancePrices.EC2:
            return known_instance_types(spec.engine.name)
        case InstancePrices.SAGEMAKER:
            return tuple(sorted(endpoints))
        case InstancePrices.MODEL_UNITS | None:
            # Bedrock has no instances; a body that moved here from another path stays valid.
            return tuple(sorted({*endpoints, *known_instance_types()}))


def _merged(target: Any, patch: Any) -> Any:
    if not isinstance(patch, Mapping):
        return patch
    merged = dict(target) if isinstance(target, Mapping) else {}
    for field, value in patch.items():
        if value is None:
            merged.pop(field, None)
        else:
            merged[field] = _merged(merged.get(field), value)
    return merged


def _first_difference(path: str, present: Any, wanted: Any) -> str:
    if not isinstance(present, Mapping) or not isinstance(wanted, Mapping):
        return path
    field = next((name for name in {**present, **wanted} if present.get(name) != wanted.get(name)), None)
    return path if field is None else _first_difference(f"{path}.{field}", present.get(field), wanted.get(field))
