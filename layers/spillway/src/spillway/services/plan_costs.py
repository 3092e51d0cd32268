"""Plans, from today's price book and the published throughputs."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from spillway.domain.errors import InvalidRequest
from spillway.domain.paths.model_catalog import find
from spillway.domain.planner.plan import Plan, make_plan
from spillway.domain.planner.request import PlanRequest
from spillway.domain.pricing.measured_throughput import own_throughputs
from spillway.domain.pricing.price_book import PriceBook
from spillway.domain.pricing.throughput import Benchmarks
from spillway.ports import Deployments


@dataclass(frozen=True)
class PlanCosts:
    """Computes; reads nothing but prices and a deployment's own throughput, changes nothing."""

    deployments: Deployments
    prices: Callable[[], PriceBook]
    benchmarks: Benchmarks
    region: str
    now: Callable[[], datetime]

    def plan(self, request: PlanRequest) -> Plan:
        """Return the plan; InvalidRequest for a region, model or log that nothing can be planned from.

        NotFound for a deployment that does not exist.
        """
        return make_plan(request, self.prices(), self._benchmarks(request), self.region, self.now().date())

    def _benchmarks(self, request: PlanRequest) -> Benchmarks:
        if request.deployment is None:
            return self.benchmarks
        deployment = self.deployments.get(request.deployment)
        named, known = (find(one) for one in (request.model, deployment.spec.model.id))
        if request.model != deployment.spec.model.id and (named is None or named is not known):
            raise InvalidRequest(
                f"deployment {deployment.name} runs {deployment.spec.model.id}, not {request.model}",
                param="deployment",
                allowed=[deployment.spec.model.id],
            )
        return replace(self.benchmarks, own=own_throughputs(deployment))
