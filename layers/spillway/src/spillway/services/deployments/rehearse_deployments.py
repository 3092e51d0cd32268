"""What a call would do to a deployment: everything is checked as the call would, and nothing is made or written."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from spillway.domain.admission import admitted, after, ensure_can_retire, name_in_use
from spillway.domain.deployments.findings import Findings, Problem, param_of_spill, problem_of
from spillway.domain.deployments.schedule import floor_at, out_of_bounds
from spillway.domain.deployments.spec import DeploymentSpec
from spillway.domain.deployments.status import Status
from spillway.domain.deployments.tasks import ensure_models_agree
from spillway.domain.errors import InvalidRequest, NotFound
from spillway.domain.paths.bedrock_models import CalledModel
from spillway.domain.paths.path import Billing
from spillway.domain.pricing.price_book import HourlyPrice, PriceBook, TokenPrice
from spillway.ports import Deployments, ModelCatalog, Rehearsals


class Would(StrEnum):
    """What the call would do."""

    CREATE = "create"
    CHANGE = "change"
    RETIRE = "retire"


@dataclass(frozen=True)
class Rehearsal:
    """What would follow: ``spec`` with every default, and the one that stands ``before`` it, None where none does.

    ``workflow`` is what would be started, if anything, ``desired`` the instances that it would ask for, and ``floor``
    the fewest that stay. ``price`` is that of an instance, or on Bedrock that of tokens, None where it is unknown.
    ``called`` is as a deployment has it.
    """

    would: Would
    spec: DeploymentSpec
    findings: Findings
    workflow: str | None
    desired: int
    floor: int
    before: DeploymentSpec | None = None
    price: HourlyPrice | TokenPrice | None = None
    called: Mapping[str, CalledModel | None] = field(default_factory=dict)


@dataclass(frozen=True)
class RehearseDeployments:
    """Each method raises what its call would raise before it begins anything.

    Only a model that Bedrock's catalog does not have is among the problems, beside all others.
    """

    deployments: Deployments
    rehearsals: Rehearsals
    catalog: ModelCatalog
    prices: Callable[[], PriceBook]
    region: str
    now: Callable[[], datetime]

    def create(self, spec: DeploymentSpec) -> Rehearsal:
        """Rehearse a new deployment; Conflict for a name in use, Retryable when the checks got no answer."""
        wanted = admitted(spec)
        if self._is_in_use(spec.name):
            raise name_in_use(spec.name)
        floor = floor_at(wanted, self.now())
        found, called = self._found(wanted)
        return Rehearsal(
            Would.CREATE,
            wanted,
            found,
            "deploy",
            max(floor, 1),
            floor,
            price=self._price(wanted),
            called=called,
        )

    def change(self, name: str, patch: Mapping[str, Any]) -> Rehearsal:
        """Rehearse a merge patch; the new spec is checked as if it were to be deployed."""
        deployment = self.deployments.get(name)
        spec = after(deployment, patch)
        bounded = out_of_bounds(replace(deployment, spec=spec), self.now())
        found, called = self._found(spec)
        return Rehearsal(
            Would.CHANGE,
            spec,
            replace(found, resources=()),
            None if bounded is None else "scale",
            deployment.desired if bounded is None else bounded,
            floor_at(spec, self.now()),
            deployment.spec,
            self._price(spec),
            called,
        )

    def retire(self, name: str) -> Rehearsal:
        """Rehearse the end of a deployment: the resources are those that would be released."""
        deployment = self.deployments.get(name)
        ensure_can_retire(deployment, self.now())
        found = replace(self.rehearsals.of(deployment.spec), problems=())
        return Rehearsal(Would.RETIRE, deployment.spec, found, "retire", 0, 0, deployment.spec)

    def _is_in_use(self, name: str) -> bool:
        try:
            return self.deployments.get(name).status is not Status.RETIRED
        except NotFound:
            return False

    def _found(self, spec: DeploymentSpec) -> tuple[Findings, Mapping[str, CalledModel | None]]:
        """Return what the path's driver and, of the spill target, Bedrock's find, and what the catalog says."""
        found = self.rehearsals.of(spec)
        problems = [*found.problems, *self._of_spill(spec)]
        called: Mapping[str, CalledModel | None] = {}
        try:
            called = self.catalog.find(spec.bedrock_models)
        except InvalidRequest as err:
            # The driver says the same, without the nearest ids.
            problems = [*(each for each in problems if each.param != err.param), problem_of(err)]
        else:
            ensure_models_agree(spec, called)
        return replace(found, problems=tuple(problems)), called

    def _of_spill(self, spec: DeploymentSpec) -> Sequence[Problem]:
        if (spill := spec.spill_on_bedrock) is None:
            return ()
        return [replace(each, param=param_of_spill(each.param)) for each in self.rehearsals.of(spill).problems]

    def _price(self, spec: DeploymentSpec) -> HourlyPrice | TokenPrice | None:
        if spec.path.billing is Billing.TOKEN:
            return self.prices().tokens(spec.profile.model_id(spec.model.id), self.region)
        return self.prices().instance_of(spec, self.region)
