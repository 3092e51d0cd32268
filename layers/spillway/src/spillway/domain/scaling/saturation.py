"""When a fleet has more to do than it can take: too long a queue, or no room for another request's tokens."""

from dataclasses import dataclass

from spillway.domain.decision import Code, Reason
from spillway.domain.deployments.spec import Thresholds
from spillway.domain.observations.capacity import Capacity
from spillway.domain.observations.traffic import Load

# From here on an engine interrupts requests that it has begun, to make room, and computes them anew later.
KV_CACHE_FULL = 0.95


@dataclass(frozen=True)
class Saturation:
    """``share`` (0 to 1) of the requests are more than the fleet can take."""

    reason: Reason
    share: float


def saturation(thresholds: Thresholds, load: Load, capacity: Capacity) -> Saturation | None:
    """Return how saturated the instances that answer are, None when they are not or nothing is known."""
    waiting, limit = load.waiting or 0.0, thresholds.queue_depth_per_instance
    if not waiting or not capacity.ready:
        return None
    depth = waiting / capacity.ready
    if depth > limit:
        sentence = f"{depth:.1f} requests wait per instance, {limit:g} are allowed."
        reason = Reason(Code.QUEUE_DEPTH, sentence, depth, limit, "requests per instance")
        # What waits beyond the threshold is more than the fleet can take.
        return Saturation(reason, round(1 - limit / depth, 2))
    use = load.kv_cache_use or 0.0
    if use >= KV_CACHE_FULL:
        sentence = f"{waiting:g} request(s) wait while the fullest instance's KV cache is {use:.0%} full."
        reason = Reason(Code.KV_CACHE_FULL, sentence, use, KV_CACHE_FULL, "of the KV cache")
        # The queue may be as short as it likes: none of it gets in before something else is done.
        return Saturation(reason, round(waiting / (waiting + (load.running or 0.0)), 2))
    return None
