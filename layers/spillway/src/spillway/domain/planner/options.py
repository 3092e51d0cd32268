"""Every way to serve a traffic, and the best one of each family."""

from collections.abc import Iterable, Sequence

from spillway.domain.planner import costs
from spillway.domain.planner.costs import Option
from spillway.domain.planner.inputs import Family, Inputs
from spillway.domain.planner.instance_hours import Needed, load_of, needed_for
from spillway.domain.planner.traffic_profile import TrafficProfile


def all_options(inputs: Inputs, shape: TrafficProfile) -> list[Option]:
    """Return what can be priced, cheapest first."""
    found = [costs.bedrock(inputs, shape), costs.imported(inputs, shape)]
    load, bedrock_usd = (
        (load_of(shape, inputs.bedrock), costs.token_usd(inputs.bedrock, shape)) if inputs.bedrock else (None, 0.0)
    )
    # The same type in a fleet, on spot and behind an endpoint needs the same hours.
    needed: dict[float, Needed] = {}
    for machine in inputs.machines:
        capacity = costs.capacity_of(inputs, machine)
        if capacity not in needed:
            needed[capacity] = needed_for(shape, capacity)
        found += costs.on_machine(inputs, shape, machine, needed[capacity])
        if load:
            found.append(costs.mix(inputs, shape, load, bedrock_usd, machine))
    return sorted((one for one in found if one is not None), key=_order)


def best_of_each(options: Iterable[Option]) -> list[Option]:
    """Return the cheapest of each family, cheapest first."""
    best: dict[Family, Option] = {}
    for option in options:
        best.setdefault(option.family, option)
    return sorted(best.values(), key=_order)


def cheapest(options: Sequence[Option]) -> Option | None:
    """Return the cheapest option that is no mere lower bound."""
    return next((option for option in options if not option.is_lower_bound), None)


def _order(option: Option) -> tuple[float, bool, str]:
    # Of what costs the same the simpler comes first: a mix without any instance is Bedrock.
    return option.usd_per_month, option.family is Family.MIX, option.family
