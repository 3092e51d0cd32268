"""Auto Scaling groups whose instances take time, die, are taken away, or cannot be had."""

import threading
from collections import Counter
from dataclasses import dataclass
from typing import Any

from moto.autoscaling.models import ASG_NAME_TAG, InstanceState, autoscaling_backends
from moto.ec2.models import ec2_backends

from tests.sandbox.cloud.activities import LAUNCH_FAILED, LAUNCH_OK, Activities, Activity
from tests.sandbox.cloud.boot_scripts import command_in, loads_table, runs_proxy, served_model_name
from tests.sandbox.cloud.clock import SandboxClock
from tests.sandbox.cloud.departures import Departures, target_groups_of
from tests.sandbox.cloud.faults import Faults
from tests.sandbox.cloud.hooks import LAUNCHING, abandoned, hook_detail, launching_hook
from tests.sandbox.cloud.launching import Refused, choose
from tests.sandbox.cloud.machines import DEPLOYMENT_TAG, Machine, Phase
from tests.sandbox.cloud.moto_cloud import ACCOUNT, REGION
from tests.sandbox.cloud.ports import Emit, EngineHandle, EngineHost
from tests.sandbox.engine_command import EngineEnded


@dataclass
class FleetTimes:
    """How long things take, in sandbox seconds; ``boot_seconds`` runs from launch to the engine's first answer."""

    react_seconds: float = 5.0
    pending_seconds: float = 20.0
    boot_seconds: float = 180.0
    retry_seconds: float = 60.0
    notice_seconds: float = 60.0
    drain_poll_seconds: float = 5.0
    interruption_seconds: float = 120.0
    proceed_seconds: float = 5.0
    give_up_seconds: float = 60.0


class Fleet:
    """All instances of all groups; ``machines`` keeps those that are not gone, by id, ``launched`` all there were."""

    def __init__(self, clock: SandboxClock, engines: EngineHost, emit: Emit, faults: Faults, times: FleetTimes) -> None:
        self.clock, self.engines, self.times = clock, engines, times
        self._emit, self._faults = emit, faults
        self.activities = Activities(clock, emit)
        self.machines: dict[str, Machine] = {}
        self.launched: list[Machine] = []
        self.lock = threading.RLock()
        self._departures = Departures(clock, self.activities, self.machines, self.lock, times.drain_poll_seconds)
        self._due: set[str] = set()
        self._launches: Counter[str] = Counter()

    def of_group(self, name: str, *phases: Phase) -> list[Machine]:
        """Return the machines of a group, oldest first, in any of ``phases`` (all, if none is given)."""
        return [
            found for found in self.machines.values() if found.group == name and (not phases or found.phase in phases)
        ]

    def reconcile_soon(self, name: str, seconds: float | None = None) -> None:
        """Bring a group to its desired capacity after the time that Auto Scaling takes to react."""
        with self.lock:
            if name in self._due:
                return
            self._due.add(name)
        self.clock.call_later(self.times.react_seconds if seconds is None else seconds, self._reconcile, name)

    def kill_instance(self, instance_id: str, reason: str = "Server.InternalError") -> None:
        """Let an instance die now; its group notices after a while and replaces it."""
        with self.lock:
            machine = self.machines[instance_id]
            machine.lost_at = self.clock.time()
            engine, machine.engine = machine.engine, None
            spot = "Server.SpotInstanceTermination"
            machine.end(self.clock.time(), f"{spot}: Spot instance termination" if reason == spot else "")
        if engine:
            engine.kill()
        self.clock.call_later(self.times.notice_seconds, self._replace, machine, f"EC2 health check ({reason})")

    def crash_engine(self, instance_id: str) -> None:
        """End the engine's process but not its instance; health checks fail from now on."""
        with self.lock:
            machine = self.machines[instance_id]
            machine.lost_at = self.clock.time()
            engine, machine.engine = machine.engine, None
        if engine:
            engine.kill()
        self._watch_health(machine, 0.0)

    def interrupt_spot(self, instance_id: str) -> None:
        """Give the two minutes' notice, then take the instance away."""
        detail = {"instance-id": instance_id, "instance-action": "terminate"}
        self._emit("aws.ec2", "EC2 Spot Instance Interruption Warning", detail)
        machine = self.machines[instance_id]
        if machine.state.auto_scaling_group.capacity_rebalance:
            # The group launches the replacement at once, above its desired capacity for a while.
            machine.replaced = True
            self.reconcile_soon(machine.group)
        reason = "Server.SpotInstanceTermination"
        self.clock.call_later(self.times.interruption_seconds, self._take_away, instance_id, reason)

    def terminate(self, machine: Machine, cause: str, drain: bool = True) -> None:
        """Take an instance out of service: deregister, let requests finish, terminate."""
        self._departures.begin(machine, cause, drain)

    def _reconcile(self, name: str) -> None:
        with self.lock:
            self._due.discard(name)
            group = _groups().get(name)
            if group is None:
                return
            live = [found for found in self.of_group(name, Phase.PENDING, Phase.IN_SERVICE) if not found.replaced]
            missing = group.desired_capacity - len(live)
            surplus = [found for found in live if not found.state.protected_from_scale_in][: max(-missing, 0)]
            launched = all(self._launch(group) for _ in range(missing))
        for machine in surplus:
            was, wanted = len(live), group.desired_capacity
            self.terminate(machine, f"a user request shrank the capacity from {was} to {wanted}.")
        if not launched:
            self.reconcile_soon(name, self.times.retry_seconds)

    def _launch(self, group: Any) -> bool:
        """Launch one instance of the first type that can be had; return whether there was one."""
        zone = group.availability_zones[self._launches[group.name] % len(group.availability_zones)]
        count = group.desired_capacity
        cause = f"an instance was started in response to a difference between desired ({count}) and actual capacity."
        running = Counter(found.type for found in self.machines.values())
        try:
            plan = choose(group, zone, self._faults, running)
        except Refused as err:
            activity = self.activities.begin(
                group, "Launching a new EC2 instance.  Status Reason: " + str(err), cause, zone=zone
            )
            self.activities.fail(activity, str(err), LAUNCH_FAILED)
            return False
        self._launches[group.name] += 1
        instance = plan.run(ec2_backends[ACCOUNT][REGION], self._tags(group))
        instance.autoscaling_group = group
        instance._state.name, instance._state.code = "pending", 0
        instance.launch_time = self.clock.now()
        state = InstanceState(instance, lifecycle_state="Pending", autoscaling_group=group)
        group.instance_states.append(state)
        deployment = self._tags(group).get(DEPLOYMENT_TAG, group.name)
        model = served_model_name(plan.user_data) or deployment
        data = plan.user_data
        machine = Machine(instance, state, group.name, deployment, model, data, plan.spot, self.clock.time())
        machine.proxied = runs_proxy(plan.user_data)
        machine.loads_table = loads_table(plan.user_data)
        self.machines[machine.id] = machine
        self.launched.append(machine)
        activity = self.activities.begin(
            group, f"Launching a new EC2 instance: {machine.id}", cause, machine.id, machine.zone
        )
        self.clock.call_later(self.times.pending_seconds, self._run, machine, activity)
        self.clock.call_later(self.times.boot_seconds, self._boot, machine, activity)
        return True

    def _run(self, machine: Machine, activity: Activity) -> None:
        """The instance runs; without a hook it enters service, with one it waits for the agent's word."""
        with self.lock:
            if machine.instance.state == "pending":
                machine.instance._state.name, machine.instance._state.code = "running", 16
            hook = launching_hook(machine.state.auto_scaling_group)
            if hook and machine.phase is Phase.PENDING:
                machine.state.lifecycle_state = "Pending:Wait"
        if hook is None:
            self._enter_service(machine, activity)
            return
        self._emit("aws.autoscaling", LAUNCHING, hook_detail(hook, machine))
        self.clock.call_later(float(hook.heartbeat_timeout), self._abandon, machine, activity, "Heartbeat Timeout")

    def _enter_service(self, machine: Machine, activity: Activity) -> None:
        with self.lock:
            if machine.phase is not Phase.PENDING:
                return
            machine.phase = Phase.IN_SERVICE
            machine.state.lifecycle_state = "InService"
            machine.registered_at = self.clock.time()
            self.register(machine)
        self.activities.succeed(activity, LAUNCH_OK)
        grace = float(machine.state.auto_scaling_group.health_check_grace_period or 0)
        self._watch_health(machine, grace)

    def _abandon(self, machine: Machine, activity: Activity, why: str) -> None:
        """End the launch of an instance whose hook was abandoned; the group tries again."""
        with self.lock:
            if machine.phase is not Phase.PENDING:
                return
        self.activities.cancel(activity, abandoned(why), LAUNCH_FAILED)
        self.terminate(machine, "the instance's launch was abandoned.", drain=False)
        self.reconcile_soon(machine.group)

    def register(self, machine: Machine) -> None:
        """Register an instance with its group's target groups."""
        for target_group in target_groups_of(machine):
            target_group.targets.setdefault(machine.id, {"Id": machine.id, "Port": target_group.port})

    def _boot(self, machine: Machine, activity: Activity) -> None:
        """Start the engine, and tell the group's hook how that went, as the instance's own script does."""
        if machine.phase not in (Phase.PENDING, Phase.IN_SERVICE) or machine.lost_at:
            return
        engine = self._engine_of(machine)
        if engine is None:
            if machine.phase is Phase.PENDING:
                why = "Lifecycle Action Completed with ABANDON Result"
                self.clock.call_later(self.times.give_up_seconds, self._abandon, machine, activity, why)
            return
        with self.lock:
            wanted = machine.phase in (Phase.PENDING, Phase.IN_SERVICE) and not machine.lost_at
            if wanted:
                machine.engine, machine.answered_at = engine, self.clock.time()
        if not wanted:
            engine.kill()
        elif machine.phase is Phase.PENDING:
            self.clock.call_later(self.times.proceed_seconds, self._enter_service, machine, activity)

    def _engine_of(self, machine: Machine) -> EngineHandle | None:
        """Start what the instance's script starts; None where that ends while it loads."""
        if self._faults.crash_while_loading & {machine.type, machine.model_name, machine.deployment}:
            return None
        try:
            return self.engines.launch(machine.id, command_in(machine.user_data))
        except EngineEnded as err:
            machine.last_words = str(err)
            return None

    def _watch_health(self, machine: Machine, grace_seconds: float) -> None:
        """Have the group look at its load balancer's opinion once the grace period is over."""
        if machine.state.auto_scaling_group.health_check_type != "ELB":
            return
        slowest = max((_until_unhealthy(found) for found in target_groups_of(machine)), default=0.0)
        self.clock.call_later(max(grace_seconds, slowest) + 1, self._check_health, machine)

    def _check_health(self, machine: Machine) -> None:
        with self.lock:
            if machine.phase is not Phase.IN_SERVICE:
                return
            states = [
                found for group in target_groups_of(machine) if (found := machine.health(group, self.clock.time())[0])
            ]
        if "unhealthy" in states:
            self._replace(machine, "ELB system health check failure")

    def _replace(self, machine: Machine, why: str) -> None:
        machine.state.health_status = "Unhealthy"
        self.terminate(machine, f"an instance was taken out of service in response to an {why}.", drain=False)
        self.reconcile_soon(machine.group)

    def _take_away(self, instance_id: str, reason: str) -> None:
        if instance_id in self.machines:
            self.kill_instance(instance_id, reason)

    def _tags(self, group: Any) -> dict[str, str]:
        return {**group.instance_tags, **group.get_propagated_tags(), ASG_NAME_TAG: group.name}


def _groups() -> Any:
    return autoscaling_backends[ACCOUNT][REGION].autoscaling_groups


def _until_unhealthy(target_group: Any) -> float:
    return float(target_group.health_check_interval_seconds) * int(target_group.unhealthy_threshold_count)
