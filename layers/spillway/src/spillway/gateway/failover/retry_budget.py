"""How much may be tried again: a target that is down must not be answered with twice the requests."""

WINDOW_SECONDS = 10
SHARE = 0.2
# With little traffic a share of it would forbid every retry.
ALWAYS_ALLOWED = 50


class RetryBudget:
    """Counts requests and retries over a rolling window of whole seconds."""

    def __init__(self) -> None:
        self._second = 0
        self._requests = [0] * WINDOW_SECONDS
        self._retries = [0] * WINDOW_SECONDS

    def allows(self, now: float, *, retry: bool) -> bool:
        """Note a request, which is always allowed, or a retry if the window has room for it; ``now`` in seconds."""
        slot = self._move_to(int(now))
        if not retry:
            self._requests[slot] += 1
            return True
        if sum(self._retries) >= max(ALWAYS_ALLOWED, SHARE * sum(self._requests)):
            return False
        self._retries[slot] += 1
        return True

    def _move_to(self, second: int) -> int:
        """Empty the slots of the seconds that have passed; return the present one's."""
        for passed in range(max(self._second + 1, second - WINDOW_SECONDS + 1), second + 1):
            self._requests[passed % WINDOW_SECONDS] = self._retries[passed % WINDOW_SECONDS] = 0
        self._second = max(self._second, second)
        return second % WINDOW_SECONDS
