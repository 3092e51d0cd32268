"""What policies cost over the optimum on ladders, imported models, and without a spill target.

``make bench-policy-cases``; ``SPILLWAY_DATA`` names the folder with ``traces``, ``EVERY=n`` takes every n-th trace.
"""

import os
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import product

from spillway.domain.economics.import_windows import replay as windows
from spillway.domain.economics.import_windows.copies import Imported
from spillway.domain.economics.ladders import replay as ladders
from spillway.domain.economics.ladders.rungs import Ladder, Rung
from spillway.domain.economics.replay import POLICIES, Outcome, busy_load, replay
from spillway.domain.economics.scenario import Scenario
from spillway.domain.economics.trace import Trace
from tests.bench.traffic import DATA, traces

BREAK_EVEN = (0.3, 0.5, 0.7)
_PROCESSES = 2
# Cost over the optimum by policy, of each kind of case.
Ratios = dict[str, dict[str, list[float]]]


def ratios_of(named: tuple[str, Trace]) -> Ratios:
    """What every policy costs over the optimum in every case of a trace."""
    found: Ratios = defaultdict(lambda: defaultdict(list))
    for kind, outcomes in _outcomes(named[1]):
        for outcome in outcomes:
            if outcome.over_optimum is not None:
                found[kind][outcome.policy].append(outcome.over_optimum)
    return {kind: dict(by_policy) for kind, by_policy in found.items()}


def _outcomes(trace: Trace) -> Iterator[tuple[str, list[Outcome]]]:
    tokens, usual = trace.tokens(), Scenario()
    usd_per_token = sum(trace.spill_usd(usual)) / sum(tokens)
    # The 95th percentile of the busy minutes.
    peak = busy_load(tokens, 0.95)
    for share in BREAK_EVEN:
        usd_per_hour = share * peak * usd_per_token * 60
        for minutes in (5, 9):
            yield "no spill target", _waiting(trace, peak, share, minutes)
        for large_minutes in (5, 9):
            # A small instance carries a sixth of the peak, a large one two thirds, at four fifths of the price.
            small = Rung("small", usd_per_hour / 6, peak / 6, 300.0, 2)
            large = Rung("large", usd_per_hour / 1.5 * 0.8, peak / 1.5, large_minutes * 60, 2)
            ladder = Ladder((small, large))
            yield "ladder", ladders.replay(trace, ladder, ladders.policies_of(ladder))
        for copies, minutes in product((1, 4), (1, 5)):
            imported = Imported(
                usd_per_unit_minute=usd_per_hour / 60 / copies / 2,
                units_per_copy=2,
                tokens_per_minute_per_copy=peak / copies,
                cold_start_seconds=minutes * 60,
                max_copies=copies,
            )
            yield "imported model", windows.replay(trace, imported, windows.POLICIES)


def _waiting(trace: Trace, peak: float, share: float, minutes: int) -> list[Outcome]:
    """An instance costs ``share`` of what it would if all requests that it can serve had to wait, a cent each."""
    tokens_per_request = sum(trace.tokens()) / sum(trace.requests)
    scenario = Scenario(
        usd_per_instance_hour=share * 0.01 * peak / tokens_per_request * 60,
        tokens_per_minute_per_instance=peak,
        cold_start_seconds=minutes * 60,
        waiting_usd_per_request=0.01,
    )
    return replay(trace, scenario, POLICIES)


def _print(kind: str, ratios: Mapping[str, Sequence[float]]) -> None:
    print(f"{kind}: {max(map(len, ratios.values()))} cases")
    for policy, values in ratios.items():
        ordered = sorted(values)
        figures = [sum(ordered) / len(ordered), *(ordered[int(q * (len(ordered) - 1))] for q in (0.5, 0.9, 1.0))]
        print(f"{policy:>18}  " + "  ".join(f"{figure:8.3f}" for figure in figures))


def main() -> None:
    """Print the tables."""
    if not DATA.is_dir():
        print(f"bench-policy-cases: skipped, no traces in {DATA} (set SPILLWAY_DATA)")
        return
    chosen = list(traces())[:: int(os.environ.get("EVERY", "1"))]
    found: Ratios = defaultdict(lambda: defaultdict(list))
    with ProcessPoolExecutor(_PROCESSES) as pool:
        for ratios in pool.map(ratios_of, chosen):
            for kind, by_policy in ratios.items():
                for policy, values in by_policy.items():
                    found[kind][policy] += values
    print(f"{len(chosen)} traces: cost over the clairvoyant optimum (mean, median, 90th percentile, worst)")
    for kind, by_policy in found.items():
        _print(kind, by_policy)


if __name__ == "__main__":
    main()
