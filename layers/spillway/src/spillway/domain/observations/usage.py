"""What a deployment used: tokens by role and path, instance time by path and type."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

_SECONDS_PER_HOUR = 3600
# The checks' own use stands under this name, which no deployment can have.
CHECKS = "#checks"


@dataclass(frozen=True)
class Traffic:
    """Sums over requests; ``reasons`` counts requests by the code of why they went where they went.

    Cached tokens are part of the prompt's, reasoning tokens of the completion's. ``lambda_mb_ms`` is what they occupied
    of Lambda, in megabytes of memory times milliseconds; 0 where that was not metered.
    """

    requests: int = 0
    failed: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    reasons: Mapping[str, int] = field(default_factory=dict)
    reasoning_tokens: int = 0
    lambda_mb_ms: int = 0


@dataclass(frozen=True)
class InstanceTime:
    """What one instance was billed for within one hour (UTC), from the hour's beginning on.

    It states the whole, so storing it again changes nothing. ``warm_up_seconds`` are those before it could answer.
    ``usd_per_hour`` is None where the price is unknown; such time is counted apart and never taken for free.
    """

    deployment: str
    hour: datetime
    path: str
    instance_type: str
    instance: str
    seconds: int
    warm_up_seconds: int
    usd_per_hour: float | None

    @property
    def micro_usd(self) -> int:
        """What it cost, nothing where the price is unknown."""
        return self._micro_usd(self.seconds)

    @property
    def warm_up_micro_usd(self) -> int:
        """The warm-up's part of it."""
        return self._micro_usd(self.warm_up_seconds)

    @property
    def unpriced_seconds(self) -> int:
        """The seconds that have no price."""
        return self.seconds if self.usd_per_hour is None else 0

    def _micro_usd(self, seconds: int) -> int:
        return round(seconds * (self.usd_per_hour or 0.0) / _SECONDS_PER_HOUR * 1e6)


@dataclass(frozen=True)
class InstanceUse:
    """Billed instance time of one type, and what is known of its cost; the warm-up is part of both."""

    seconds: int = 0
    micro_usd: int = 0
    unpriced_seconds: int = 0
    warm_up_seconds: int = 0
    warm_up_micro_usd: int = 0


@dataclass(frozen=True)
class Usage:
    """One deployment's use over a span of time.

    ``traffic`` is keyed by (role, path), ``instances`` by (path, instance type).
    """

    traffic: Mapping[tuple[str, str], Traffic] = field(default_factory=dict)
    instances: Mapping[tuple[str, str], InstanceUse] = field(default_factory=dict)


@dataclass(frozen=True)
class HourOfTraffic:
    """What one key's requests used on one path within an hour; ``role`` is primary, spill or none."""

    hour: datetime
    role: str
    path: str
    key: str
    traffic: Traffic


@dataclass(frozen=True)
class HourOfInstances:
    """Billed time of one type of instance within an hour."""

    hour: datetime
    path: str
    instance_type: str
    use: InstanceUse


@dataclass(frozen=True)
class Hours:
    """One deployment's use, hour by hour, nothing summed."""

    traffic: tuple[HourOfTraffic, ...] = ()
    instances: tuple[HourOfInstances, ...] = ()
