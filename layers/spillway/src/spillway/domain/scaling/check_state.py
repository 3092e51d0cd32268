"""What the check knows when it decides: what it remembers of a deployment, and what it just saw."""

from dataclasses import dataclass
from datetime import datetime

from spillway.domain.deployments.deployment import Deployment
from spillway.domain.economics.economy import Economy
from spillway.domain.economics.import_windows.copies import Imported
from spillway.domain.observations.capacity import Capacity
from spillway.domain.observations.instance_lifetimes import InstanceLifetime
from spillway.domain.observations.traffic import Load
from spillway.domain.pricing.price_book import TokenPrice


@dataclass(frozen=True)
class Memory:
    """What the check remembers of one deployment from one minute to the next.

    ``month`` (``2026-11``) and ``usd_this_month`` are the running estimate that the budget is held against, which
    holds the tokens of all minutes before ``counted_until``; with ``has_unpriced`` it lacks something that has no known
    price. ``open_alerts`` are the lasting states that were announced and have not ended; ``code`` is that of the last
    decision. ``economy`` is what the weighing of traffic in dollars keeps. ``lives`` are those of the instances
    that run or ended lately, as of ``instances_until``, up to which their time (or an imported model's) is counted.
    """

    last_request_at: datetime | None = None
    roomy_since: datetime | None = None
    checked_at: datetime | None = None
    counted_until: datetime | None = None
    month: str = ""
    usd_this_month: float = 0.0
    has_unpriced: bool = False
    open_alerts: frozenset[str] = frozenset()
    code: str = ""
    economy: Economy | None = None
    instances_until: datetime | None = None
    lives: tuple[InstanceLifetime, ...] = ()


@dataclass(frozen=True)
class Snapshot:
    """Everything a decision is taken on.

    ``usd_per_hour`` is one instance's price, ``spill_price`` that of the spill target's tokens, ``larger_usd_per_hour``
    that of one of ``capacity.larger``; None where unknown. ``imported`` are the prices that an imported model is
    weighed by; None for what is none.
    """

    deployment: Deployment
    capacity: Capacity
    load: Load
    memory: Memory
    usd_per_hour: float | None = None
    spill_price: TokenPrice | None = None
    larger_usd_per_hour: float | None = None
    imported: Imported | None = None
