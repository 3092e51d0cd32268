"""The clairvoyant optimum: the least that anyone could have spent who had known all traffic in advance.

Layers are independent, and each is a machine of three states (off, starting, ready), so a pass of dynamic programming
over a layer's minutes is exact; it needs only the last start's worth of minutes in memory.
"""

from collections.abc import Sequence

from spillway.domain.economics.scenario import Scenario


def optimum_usd(tokens: Sequence[float], spill_usd: Sequence[float], scenario: Scenario) -> float:
    """Return the least cost of this traffic; one entry a minute, ``spill_usd`` is what all its tokens cost on Bedrock.

    At least ``min_instances`` are on all the time, as in every policy; what is above ``max_instances`` is spilled.
    """
    capacity, price, start = (
        scenario.tokens_per_minute_per_instance,
        scenario.usd_per_instance_minute,
        scenario.start_minutes,
    )
    total, peak = 0.0, max(tokens, default=0.0)
    for number in range(scenario.max_instances):
        below = number * capacity
        is_kept = number < scenario.min_instances
        if below >= peak and not is_kept:
            break
        spill = carried(tokens, spill_usd, below, capacity)
        total += _kept(spill, price, start) if is_kept else layer_optimum(spill, price, start)
    limit = scenario.max_instances * capacity
    return total + sum(usd * (load - limit) / load for load, usd in zip(tokens, spill_usd, strict=True) if load > limit)


def carried(tokens: Sequence[float], spill_usd: Sequence[float], below: float, capacity: float) -> list[float]:
    """Return what one layer's part of the traffic costs by the minute: what is above ``below``, up to ``capacity``."""
    return [
        0.0 if load <= below else usd if load <= capacity and not below else usd * min(load - below, capacity) / load
        for load, usd in zip(tokens, spill_usd, strict=True)
    ]


def _kept(spill: Sequence[float], price: float, start: int) -> float:
    return len(spill) * price + sum(spill[:start])


def layer_optimum(spill: Sequence[float], price: float, start: int) -> float:
    """Return one layer's least cost; an instance costs ``price`` a minute, ``start`` of them before it carries it."""
    off, ready, spilled = 0.0, float("inf"), 0.0
    # What it costs to have started at each of the last minutes, less everything spilled until then.
    begun = [float("inf")] * start
    start_usd, slot = start * price, 0
    for usd in spill:
        least = off if off < ready else ready
        started = begun[slot] + spilled + start_usd
        begun[slot] = least - spilled
        slot = slot + 1 if slot + 1 < start else 0
        if started < ready:
            ready = started
        ready += price
        off = least + usd
        spilled += usd
    return min(off, ready)
