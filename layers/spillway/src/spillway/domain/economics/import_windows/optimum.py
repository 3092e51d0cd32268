"""The least that anyone could have spent on one copy's layer who had known all traffic in advance."""

from collections import deque
from collections.abc import Sequence

from spillway.domain.economics.import_windows.copies import Imported

_NEVER = float("inf")


def layer_optimum(spill_usd: Sequence[float], imported: Imported) -> float:
    """Return one layer's least cost; one entry a minute, what its requests cost elsewhere.

    Exact, by dynamic programming over what a copy can be before a minute: cold, or loaded and idle for so many minutes.
    A start and a window are jumps over their minutes: the one pays elsewhere meanwhile, in the other all is free. Free
    requests may be sent elsewhere all the same at a window's end: the sooner unloaded, the sooner started anew.
    """
    cold, idle = 0.0, [_NEVER] * imported.window_minutes
    starts: deque[float] = deque()
    windows: deque[float] = deque()
    recent: deque[float] = deque(maxlen=imported.window_minutes)
    spent = 0.0
    for usd in spill_usd:
        has_traffic = usd > 0.0
        recent.append(usd)
        starts.append(cold - spent if has_traffic else _NEVER)
        windows.append(min(idle) + imported.window_usd if has_traffic else _NEVER)
        spent += usd
        cold = min(cold, idle[-1]) + usd
        idle = [_NEVER, *(cost + usd for cost in idle[:-1])]
        if len(starts) == imported.start_minutes:
            idle[0] = starts.popleft() + spent
        if len(windows) == imported.window_minutes:
            closed = windows.popleft()
            for quiet, last in enumerate(reversed(recent)):
                if last > 0.0:
                    idle[quiet] = min(idle[quiet], closed)
                closed += last
    return min(cold, *idle, *windows)
