"""What the proxies on a fleet's instances do with a request: simulated here, and run for real by test_proxy.py.

HAProxy walks a ring of hashes; here each pair of conversation and engine has a score, and the highest wins. Both move
only the conversations of the engine that comes or goes. The bound on an engine's load is the same.
"""

from collections.abc import Sequence
from hashlib import blake2b

from tests.sandbox.cloud.machines import Machine, Phase
from tests.sandbox.cloud.ports import EngineLoad

# As haproxy.cfg has them.
AFFINITY_HEADER = "x-spillway-affinity"
_BALANCE_FACTOR = 1.5


def lead(entered: Machine, fleet: Sequence[Machine], affinity: str | None) -> Machine:
    """Return the instance whose engine answers a request that the load balancer sent to ``entered``."""
    peers = [found for found in fleet if found.phase is Phase.IN_SERVICE and found.engine is not None]
    if not entered.proxied or not affinity or not peers:
        return entered
    loads = {found.id: outstanding(found) for found in peers}
    bound = _BALANCE_FACTOR * (sum(loads.values()) + 1) / len(peers)
    ranked = sorted(peers, key=lambda found: _score(affinity, found), reverse=True)
    return next((found for found in ranked if loads[found.id] < bound), ranked[0])


def outstanding(machine: Machine) -> float:
    """Return how many requests an instance's engine has not answered yet."""
    load = machine.engine.load() if machine.engine else EngineLoad()
    return load.running + load.waiting


def _score(affinity: str, machine: Machine) -> bytes:
    return blake2b(f"{affinity} {machine.id}".encode(), digest_size=8).digest()
