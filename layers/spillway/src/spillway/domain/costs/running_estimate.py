"""The running estimate of a deployment's month, minute by minute, that budgets are held against.

The exact figures come from the ``usage`` table; this one comes from counts that are read in batches anyway, so that
a budget costs no read of its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from spillway.domain.access.limits import month_at
from spillway.domain.costs.import_windows import WINDOW, storage_times, units_of, window_times, windows_of
from spillway.domain.deployments.deployment import Deployment
from spillway.domain.observations.capacity import Capacity
from spillway.domain.observations.hours import month_of
from spillway.domain.observations.instance_lifetimes import UNSETTLED, hours_lived, lives_of
from spillway.domain.observations.traffic import SETTLED_AFTER, Load
from spillway.domain.observations.usage import InstanceTime
from spillway.domain.paths.path import Billing
from spillway.domain.paths.targets import billed_model
from spillway.domain.pricing.price_book import PriceBook
from spillway.domain.scaling.check_state import Memory

_HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Spent:
    """What one look adds: the memory with the new estimate, and the instance time to keep in ``usage``."""

    memory: Memory
    instance_times: Sequence[InstanceTime] = ()


def add_up(
    deployment: Deployment,
    capacity: Capacity,
    load: Load,
    memory: Memory,
    prices: PriceBook,
    region: str,
    now: datetime,
) -> Spent:
    """Add what ran and what was spilled since the last look; ``memory`` is that of the last look."""
    same_month = memory.month == month_of(now)
    settled = now.replace(second=0, microsecond=0) - SETTLED_AFTER
    # Another machine's clock may be behind the one of the last look; no minute counts twice for that.
    counted_until = max(settled, memory.counted_until or settled)
    token_usd = _token_usd(deployment, load, memory.counted_until or counted_until, counted_until, prices, region)
    spent = replace(
        memory,
        month=month_of(now),
        usd_this_month=(memory.usd_this_month if same_month else 0.0) + (token_usd or 0.0),
        has_unpriced=token_usd is None or (same_month and memory.has_unpriced),
        counted_until=counted_until,
    )
    if deployment.spec.path.billing is Billing.WINDOW:
        return _count_windows(deployment, load, memory, spent, prices, region, now)
    return count_instances(deployment, capacity, spent, prices, region, now)


def count_instances(
    deployment: Deployment, capacity: Capacity, memory: Memory, prices: PriceBook, region: str, now: datetime
) -> Spent:
    """Add what instances ran since the last look that was told of them; one that wasn't leaves it to the next."""
    if capacity.instances is None:
        return Spent(memory)
    last = memory.instances_until or memory.checked_at or deployment.created_at
    lives = lives_of(capacity.instances, memory.lives, last, now)
    hourly = {life.instance_type: prices.instance_of(deployment.spec, region, life.instance_type) for life in lives}
    begin = max(last, month_at(now).begin)
    ran = [(hourly[life.instance_type], life.lived(begin, now) / _HOUR) for life in lives]
    usd = sum(price.usd_per_hour * hours for price, hours in ran if price is not None)
    return Spent(
        replace(
            memory,
            usd_this_month=memory.usd_this_month + usd,
            has_unpriced=memory.has_unpriced or any(price is None and hours for price, hours in ran),
            instances_until=max(last, now),
            lives=lives,
        ),
        [
            InstanceTime(
                deployment=deployment.name,
                hour=hour,
                path=deployment.spec.path,
                instance_type=life.instance_type,
                instance=life.id,
                seconds=seconds,
                warm_up_seconds=warm_up,
                usd_per_hour=price.usd_per_hour if (price := hourly[life.instance_type]) else None,
            )
            for life in lives
            for hour, seconds, warm_up in hours_lived(life, last - UNSETTLED, now)
        ],
    )


def _count_windows(
    deployment: Deployment, load: Load, before: Memory, memory: Memory, prices: PriceBook, region: str, now: datetime
) -> Spent:
    """Add what an imported model opened windows for, and its storage; ``before`` is the memory of the last look."""
    until, last, units = memory.counted_until or now, before.checked_at or deployment.created_at, units_of(deployment)
    if units is None:
        # While it is being imported nothing is billed yet.
        return Spent(replace(memory, has_unpriced=memory.has_unpriced or deployment.target is not None))
    begun = windows_of(load, before.counted_until or until, until, memory.instances_until)
    opened = list(window_times(deployment, units, begun, prices, region))
    stored = list(storage_times(deployment, units, last, now, prices, region))
    stored_usd_per_hour = units * sum(one.usd_per_hour or 0.0 for one in stored[:1])
    usd = sum(one.micro_usd for one in opened) / 1e6 + stored_usd_per_hour * ((now - last) / _HOUR)
    return Spent(
        replace(
            memory,
            usd_this_month=memory.usd_this_month + usd,
            has_unpriced=memory.has_unpriced or any(one.usd_per_hour is None for one in (*opened, *stored)),
            instances_until=begun[-1] + WINDOW if begun else memory.instances_until,
        ),
        [*opened, *stored],
    )


def _token_usd(
    deployment: Deployment, load: Load, since: datetime, until: datetime, prices: PriceBook, region: str
) -> float | None:
    minutes = [minute for minute in load.minutes if since <= minute.at < until]
    prompt = sum(minute.bedrock_prompt_tokens for minute in minutes)
    completion = sum(minute.bedrock_completion_tokens for minute in minutes)
    if prompt + completion == 0:
        return 0.0
    model_id = billed_model(deployment.target) or deployment.spill_model
    price = prices.tokens(model_id, region) if model_id else None
    return None if price is None else price.cost(prompt, completion)
