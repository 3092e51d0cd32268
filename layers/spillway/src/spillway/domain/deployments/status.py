"""The life of a deployment, as one closed set of states and the moves between them."""

from enum import StrEnum


class Status(StrEnum):
    """Where a deployment is in its life; written by the workflows alone."""

    REQUESTED = "requested"
    PROVISIONING = "provisioning"
    WARMING = "warming"
    SERVING = "serving"
    DRAINING = "draining"
    ASLEEP = "asleep"
    WAKING = "waking"
    FAILED = "failed"
    RETIRING = "retiring"
    RETIRED = "retired"


_MOVES: dict[Status, frozenset[Status]] = {
    Status.REQUESTED: frozenset({Status.PROVISIONING, Status.FAILED, Status.RETIRING}),
    Status.PROVISIONING: frozenset({Status.WARMING, Status.FAILED, Status.RETIRING}),
    Status.WARMING: frozenset({Status.SERVING, Status.FAILED, Status.RETIRING}),
    Status.SERVING: frozenset({Status.SERVING, Status.DRAINING, Status.RETIRING}),
    # A drain that fails goes back to serving; the instances are still there.
    Status.DRAINING: frozenset({Status.ASLEEP, Status.SERVING, Status.RETIRING}),
    Status.ASLEEP: frozenset({Status.WAKING, Status.RETIRING}),
    # A wake that fails puts the fleet back to sleep, so that the next request may try again.
    Status.WAKING: frozenset({Status.SERVING, Status.ASLEEP, Status.RETIRING}),
    Status.FAILED: frozenset({Status.RETIRING}),
    Status.RETIRING: frozenset({Status.RETIRING, Status.RETIRED}),
    Status.RETIRED: frozenset({Status.REQUESTED}),
}


def sources_of(status: Status) -> frozenset[Status]:
    """Return the states from which a deployment may move to ``status``."""
    return frozenset(source for source, targets in _MOVES.items() if status in targets)
