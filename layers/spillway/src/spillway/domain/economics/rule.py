"""The regret rule over all layers: how many instances this minute's traffic, and the past, pay for."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from spillway.domain.decision import Code, Reason
from spillway.domain.economics.layer import HOURS_PER_DAY, MINUTES_PER_HOUR, NEVER, WORST_FACTOR, Layer
from spillway.domain.economics.rule_selection import OFF, RULES
from spillway.domain.economics.scenario import Scenario

# How much a layer learns from what the rules cost the others, and by how many start prices another rule must lead.
_SHARED = 0.2
_LEAD = 1.0
# Which rule leads and where the forecast leans is looked at this often, in minutes.
_REVIEW_MINUTES = 5
# Changes with what is kept of a layer: what another version of this package kept is not read.
FORM = 2


@dataclass(slots=True)
class State:
    """What the rule keeps from one minute to the next; ``minute`` is the last one seen, in minutes since the epoch.

    ``wanted`` is the last answer.
    """

    layers: list[Layer] = field(default_factory=list)
    minute: int | None = None
    wanted: int = 0

    @classmethod
    def of(cls, instances: int) -> "State":
        """Return the state of a fleet of which only its size is known."""
        return cls([Layer.running() for _ in range(instances)], wanted=instances)

    def copy(self) -> "State":
        """Return the state as it stands, apart from this one."""
        return State([layer.copy() for layer in self.layers], self.minute, self.wanted)

    def to_json(self) -> dict[str, Any]:
        """Return the state as JSON."""
        layers = [layer.to_json() for layer in self.layers]
        return {"layers": layers, "minute": self.minute, "wanted": self.wanted, "form": FORM}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "State":
        """Read back what :meth:`to_json` wrote."""
        return cls([Layer.from_json(layer) for layer in data["layers"]], data["minute"], data["wanted"])


@dataclass(frozen=True, slots=True)
class Traffic:
    """One minute's tokens, served by whomever, and what Bedrock charges for all of them."""

    tokens: float
    usd: float


def step(
    state: State, load: Traffic, scenario: Scenario, minute: int, floor: int | None = None
) -> tuple[State, int, Reason | None]:
    """Account for the minute that just ended and return how many instances to have from now on.

    ``minute`` counts since the epoch, in UTC; ``floor`` takes the place of the scenario's minimum (a warm window). The
    state is changed in place. The reason is None where nothing changes. Nothing later than ``minute`` is looked at.
    """
    start, last = scenario.start_minutes, state.minute
    capacity = scenario.tokens_per_minute_per_instance
    per_token = load.usd / load.tokens / scenario.usd_per_instance_minute if load.tokens > 0 else 0.0
    _grow(state, load.tokens, scenario)
    if last is not None and minute // MINUTES_PER_HOUR != last // MINUTES_PER_HOUR:
        for layer in state.layers:
            layer.close_hour(last // MINUTES_PER_HOUR % HOURS_PER_DAY)
    left, full = load.tokens, capacity * per_token
    for layer in state.layers:
        spill = full if left >= capacity else left * per_token if left > 0.0 else 0.0
        left -= capacity
        layer.see(spill, start)
        layer.hour_spill += spill
        layer.hour_minutes += 1
    state.minute = minute
    if minute % _REVIEW_MINUTES == 0:
        _review(state, start, minute)
    return _answer(state, scenario, scenario.min_instances if floor is None else floor)


def _grow(state: State, tokens: float, scenario: Scenario) -> None:
    """Add layers as traffic first reaches them: an instance more than the load needs is never wanted."""
    wanted = min(scenario.max_instances, -int(-tokens // scenario.tokens_per_minute_per_instance))
    while len(state.layers) < max(wanted, scenario.min_instances):
        state.layers.append(Layer())


def _review(state: State, start: int, minute: int) -> None:
    totals = [sum(layer.paper.costs[rule] for layer in state.layers) for rule in range(len(RULES))]
    for layer in state.layers:
        layer.look_ahead(minute % (HOURS_PER_DAY * MINUTES_PER_HOUR))
        costs = [own + _SHARED * (total - own) for own, total in zip(layer.paper.costs, totals, strict=True)]
        costs.append(0.0)
        best = min(costs)
        if best < costs[layer.leader] - _LEAD * start:
            layer.leader = costs.index(best)


def _answer(state: State, scenario: Scenario, floor: int) -> tuple[State, int, Reason | None]:
    start, before, wanted = scenario.start_minutes, state.wanted, 0
    changed: Layer | None = None
    for layer in state.layers:
        # A layer at rest may only start by a rule that just started.
        if layer.is_quiet and floor == 0:
            continue
        is_wanted = wanted < floor or layer.wants(start)
        if is_wanted != (layer.mode != OFF):
            changed = layer
            layer.follow(is_wanted, start)
        wanted += is_wanted
    wanted = min(max(wanted, floor), scenario.max_instances)
    state.wanted = wanted
    reason = None if changed is None or wanted == before else _explain(changed, wanted > before, scenario)
    return state, wanted, reason


def _explain(layer: Layer, is_start: bool, scenario: Scenario) -> Reason:
    """Say in dollars what spoke for starting or stopping the instance of this layer."""
    minute_usd, start_usd = scenario.usd_per_instance_minute, scenario.start_usd
    code = Code.TRAFFIC_PAYS if is_start else Code.TRAFFIC_FELL
    if not layer.is_bounded(scenario.start_minutes):
        observed, limit = layer.paid * minute_usd, min(layer.best_off, layer.best_on) * WORST_FACTOR * minute_usd
        what = f"${observed:.4f} was spent where hindsight bounds it to ${limit:.4f}, so the plain regret rule decides"
    elif layer.leader == NEVER:
        observed, limit = -min(layer.paper.costs) * minute_usd, 0.0
        what = f"no rule for own instances has earned anything so far (best: ${observed:.4f})"
    else:
        observed, limit = layer.paper.crossed[layer.leader] * minute_usd, start_usd
        limit *= layer.paper.threshold(layer.leader, layer.lean, is_start=is_start)
        dear, cheap = (scenario.elsewhere, "an instance") if is_start else ("an instance", scenario.elsewhere)
        what = f"{dear} cost ${observed:.4f} more than {cheap} would have; the threshold is ${limit:.4f}"
    sentence = f"{what[0].upper()}{what[1:]}. A start costs ${start_usd:.4f}."
    return Reason(code, sentence, round(observed, 6), round(limit, 6), "USD")
