"""What each policy costs over the clairvoyant optimum, over public traffic: ``make bench-policy``.

``SPILLWAY_DATA`` names the folder with ``traces``; ``EVERY=n`` takes only every n-th trace.
"""

import math
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import product

from spillway.domain.economics.optimum import optimum_usd
from spillway.domain.economics.replay import POLICIES, replay
from spillway.domain.economics.scenario import Scenario
from spillway.domain.economics.trace import Trace
from tests.bench.traffic import DATA, traces

BREAK_EVEN = (0.3, 0.5, 0.7)
COLD_START_MINUTES = (5, 9)
# One instance carries the 95th percentile of the busy minutes, or a fourth of it.
INSTANCES = (1, 4)
_MOST_INSTANCES = 10
_PROCESSES = 2
_STATIC = "best static, in hindsight"
# Costs of one case by policy, with the optimum's and the best static policy's.
Costs = dict[str, float]


def cases(trace: Trace) -> Iterator[Scenario]:
    """The scenarios of one trace: sizes, break-even utilisations and cold starts."""
    usual = Scenario()
    tokens = trace.tokens()
    busy = sorted(load for load in tokens if load > 0)
    usd_per_token = sum(trace.spill_usd(usual)) / sum(tokens)
    for instances, share, minutes in product(INSTANCES, BREAK_EVEN, COLD_START_MINUTES):
        capacity = busy[int(0.95 * (len(busy) - 1))] / instances
        yield Scenario(
            usd_per_instance_hour=share * capacity * usd_per_token * 60,
            tokens_per_minute_per_instance=capacity,
            cold_start_seconds=minutes * 60,
            max_instances=min(_MOST_INSTANCES, math.ceil(busy[-1] / capacity)),
        )


def costs_of(named: tuple[str, Trace]) -> list[Costs]:
    """What every policy costs in every scenario of a trace."""
    return [_costs(named[1], scenario) for scenario in cases(named[1])]


def _costs(trace: Trace, scenario: Scenario) -> Costs:
    tokens, usd = trace.tokens(), trace.spill_usd(scenario)
    costs = {outcome.policy: outcome.usd for outcome in replay(trace, scenario, POLICIES)}
    return {**costs, _STATIC: _best_static(tokens, usd, scenario), "": optimum_usd(tokens, usd, scenario)}


def _best_static(tokens: Sequence[float], usd: Sequence[float], scenario: Scenario) -> float:
    """The cheapest constant number of instances, Bedrock alone among them."""
    spilled, start = sum(usd), scenario.start_minutes
    costs, begun = [spilled], 0.0
    for size in range(1, scenario.max_instances + 1):
        below, above = (number * scenario.tokens_per_minute_per_instance for number in (size - 1, size))
        carried = [
            price * (min(load, above) - below) / load if load > below else 0.0
            for load, price in zip(tokens, usd, strict=True)
        ]
        begun += sum(carried[:start])
        spilled -= sum(carried)
        costs.append(size * scenario.usd_per_instance_minute * len(tokens) + spilled + begun)
    return min(costs)


def rows(found: Sequence[Costs]) -> list[list[str]]:
    """The table: per policy the mean, median, 90th percentile and worst, and how often it is no dearer than static."""
    table = [["policy", "mean", "median", "p90", "worst", "<= best static", "<= +1%"]]
    for name in (*POLICIES, _STATIC):
        ratios = sorted(costs[name] / costs[""] for costs in found)
        figures = [sum(ratios) / len(ratios), *(ratios[int(q * (len(ratios) - 1))] for q in (0.5, 0.9, 1.0))]
        no_dearer = [_share(found, name, slack) for slack in (1 + 1e-9, 1.01)]
        table.append([name, *(f"{figure:.3f}" for figure in figures), *no_dearer])
    return table


def _share(found: Sequence[Costs], name: str, slack: float) -> str:
    return f"{sum(costs[name] <= costs[_STATIC] * slack for costs in found) / len(found):.1%}"


def main() -> None:
    """Print the table."""
    if not DATA.is_dir():
        print(f"bench-policy: skipped, no traces in {DATA} (set SPILLWAY_DATA)")
        return
    chosen = list(traces())[:: int(os.environ.get("EVERY", "1"))]
    with ProcessPoolExecutor(_PROCESSES) as pool:
        found = [costs for batch in pool.map(costs_of, chosen) for costs in batch]
    print(f"{len(found)} cases of {len(chosen)} traces: cost over the clairvoyant optimum")
    table = rows(found)
    widths = [max(len(row[at]) for row in table) for at in range(len(table[0]))]
    for row in table:
        print("  " + "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)))


if __name__ == "__main__":
    main()
