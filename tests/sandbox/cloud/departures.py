"""How instances leave a group: deregistered, drained, terminated."""

import threading
from typing import Any

from moto.elbv2.models import elbv2_backends

from tests.sandbox.cloud.activities import TERMINATED, Activities, Activity
from tests.sandbox.cloud.clock import SandboxClock
from tests.sandbox.cloud.machines import Machine, Phase
from tests.sandbox.cloud.moto_cloud import ACCOUNT, REGION
from tests.sandbox.cloud.ports import EngineLoad


class Departures:
    """Takes machines away; ``machines`` and ``lock`` are the fleet's own."""

    def __init__(
        self,
        clock: SandboxClock,
        activities: Activities,
        machines: dict[str, Machine],
        lock: threading.RLock,
        poll_seconds: float,
    ) -> None:
        self._clock, self._activities, self._machines = clock, activities, machines
        self._lock = lock
        self._poll_seconds = poll_seconds

    def begin(self, machine: Machine, cause: str, drain: bool) -> None:
        """Take one out of service, once."""
        with self._lock:
            if machine.phase in (Phase.TERMINATING, Phase.GONE):
                return
            machine.phase = Phase.TERMINATING
            machine.state.lifecycle_state = "Terminating"
            group = machine.state.auto_scaling_group
            description = f"Terminating EC2 instance: {machine.id}"
            activity = self._activities.begin(group, description, cause, machine.id, machine.zone)
            groups = target_groups_of(machine)
            delays = [float(found.attributes["deregistration_delay.timeout_seconds"]) for found in groups]
            machine.drain_until = self._clock.time() + (max(delays, default=0.0) if drain and machine.engine else 0.0)
        self._drain(machine, activity)

    def _drain(self, machine: Machine, activity: Activity) -> None:
        """Wait for requests in flight, at most for the deregistration delay; ALB ends early when there are none."""
        left = (machine.drain_until or 0.0) - self._clock.time()
        load = machine.engine.load() if machine.engine else EngineLoad()
        if left > 0 and load.running + load.waiting > 0:
            self._clock.call_later(min(left, self._poll_seconds), self._drain, machine, activity)
            return
        self._clock.call_later(self._poll_seconds, self._end, machine, activity)

    def _end(self, machine: Machine, activity: Activity) -> None:
        with self._lock:
            machine.phase = Phase.GONE
            for target_group in target_groups_of(machine):
                target_group.targets.pop(machine.id, None)
            machine.end(self._clock.time())
            group = machine.state.auto_scaling_group
            group.instance_states = [found for found in group.instance_states if found is not machine.state]
            self._machines.pop(machine.id, None)
            engine, machine.engine = machine.engine, None
        if engine:
            engine.stop()
        self._activities.succeed(activity, TERMINATED)


def target_groups_of(machine: Machine) -> list[Any]:
    """Return the target groups that a machine's group is attached to."""
    known = elbv2_backends[ACCOUNT][REGION].target_groups
    arns = machine.state.auto_scaling_group.target_group_arns
    return [known[arn] for arn in arns if arn in known]
