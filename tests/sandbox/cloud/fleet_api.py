"""moto's Auto Scaling and ELBv2 answers, told by the simulated fleet."""

from typing import Any

from moto.autoscaling.exceptions import AutoscalingClientError, ValidationError
from moto.autoscaling.models import AutoScalingBackend, FakeAutoScalingGroup
from moto.autoscaling.responses import AutoScalingResponse
from moto.core.responses import ActionResult, EmptyResult
from moto.elbv2.exceptions import ELBClientError
from moto.elbv2.models import ELBv2Backend, FakeHealthStatus, FakeTargetGroup
from moto.elbv2.responses import ELBV2Response

from tests.sandbox.cloud import launch_templates
from tests.sandbox.cloud.fleet import Fleet
from tests.sandbox.cloud.machines import Phase
from tests.sandbox.cloud.patches import Patches

# Rules of a load balancer beside each listener's default, by its default quota.
RULES = 100


def install(fleet: Fleet, patches: Patches) -> None:
    """Let ``fleet`` stand behind the APIs until ``patches`` are undone."""
    _patch_capacity(fleet, patches)
    _patch_group_life(fleet, patches)
    _patch_targets(fleet, patches)
    _patch_rules(patches)
    launch_templates.install(patches)
    patches.set(AutoScalingResponse, "describe_scaling_activities", lambda response: _activities(fleet, response))


def _patch_capacity(fleet: Fleet, patches: Patches) -> None:
    def set_desired_capacity(group: Any, wanted: int | None) -> None:
        wanted = group.min_size if wanted is None else wanted
        bounds = (
            ("above max", group.max_size, wanted > group.max_size),
            ("below min", group.min_size, wanted < group.min_size),
        )
        for words, bound, is_out in bounds:
            if is_out:
                text = f"New SetDesiredCapacity value {wanted} is {words} value {bound} for the AutoScalingGroup."
                raise ValidationError(text)
        group.desired_capacity = wanted
        fleet.reconcile_soon(group.name)

    patches.set(FakeAutoScalingGroup, "set_desired_capacity", set_desired_capacity)
    update = patches.set(FakeAutoScalingGroup, "update", None)

    def update_keeping_policy(group: Any, **fields: Any) -> None:
        # moto forgets a mixed instances policy that an update leaves out; AWS keeps it.
        kept = group.mixed_instances_policy
        low = group.min_size if fields.get("min_size") is None else fields["min_size"]
        high = group.max_size if fields.get("max_size") is None else fields["max_size"]
        if fields.get("desired_capacity") is None:
            fields["desired_capacity"] = min(max(group.desired_capacity, low), high)
        update(group, **fields)
        group.mixed_instances_policy = fields.get("mixed_instances_policy") or kept

    FakeAutoScalingGroup.update = update_keeping_policy


def _patch_group_life(fleet: Fleet, patches: Patches) -> None:
    create = patches.set(AutoScalingBackend, "create_auto_scaling_group", None)

    def create_once(backend: Any, **fields: Any) -> Any:
        name = fields["name"]
        if name in backend.autoscaling_groups:
            raise AutoscalingClientError(
                "AlreadyExists",
                f"AutoScalingGroup by this name already exists - A group with the name {name} already exists",
            )
        return create(backend, **fields)

    AutoScalingBackend.create_auto_scaling_group = create_once
    answer = patches.set(AutoScalingResponse, "create_auto_scaling_group", None)

    def create_with_hooks(response: Any) -> Any:
        # moto leaves out the hooks that come with the group.
        made = answer(response)
        name = response._get_param("AutoScalingGroupName")
        for hook in response._get_params().get("LifecycleHookSpecificationList", []):
            response.autoscaling_backend.create_lifecycle_hook(
                name=hook["LifecycleHookName"],
                as_name=name,
                transition=hook["LifecycleTransition"],
                timeout=hook.get("HeartbeatTimeout"),
                result=hook.get("DefaultResult"),
            )
        return made

    AutoScalingResponse.create_auto_scaling_group = create_with_hooks
    patches.set(AutoScalingResponse, "delete_auto_scaling_group", lambda response: _delete_group(fleet, response))
    patches.set(AutoScalingBackend, "notify_terminate_instances", lambda _, ids: _notice_dead(fleet, ids))
    patches.set(AutoScalingBackend, "terminate_instance", lambda backend, *args: _terminate_one(fleet, *args))


def _delete_group(fleet: Fleet, response: Any) -> Any:
    backend = response.autoscaling_backend
    name = response._get_param("AutoScalingGroupName")
    group = backend.autoscaling_groups.get(name)
    if group is None:
        raise ValidationError(f"AutoScalingGroup name not found - AutoScalingGroup '{name}' not found")
    machines = fleet.of_group(name)
    if machines and not response._get_bool_param("ForceDelete", False):
        raise AutoscalingClientError(
            "ResourceInUse", "You cannot delete an AutoScalingGroup while there are instances still in the group."
        )
    group.min_size = group.desired_capacity = 0
    group.status = "Delete in progress"
    for machine in machines:
        fleet.terminate(machine, "the group was deleted by a user request.", drain=False)
    _forget_when_empty(fleet, backend, name)
    return EmptyResult()


def _forget_when_empty(fleet: Fleet, backend: Any, name: str) -> None:
    if fleet.of_group(name):
        fleet.clock.call_later(fleet.times.drain_poll_seconds, _forget_when_empty, fleet, backend, name)
    else:
        backend.autoscaling_groups.pop(name, None)
        for key in [key for key, hook in backend.lifecycle_hooks.items() if hook.auto_scaling_group_name == name]:
            del backend.lifecycle_hooks[key]


def _notice_dead(fleet: Fleet, ids: list[str]) -> None:
    for instance_id in ids:
        if instance_id in fleet.machines:
            fleet.kill_instance(instance_id, "User initiated")


def _terminate_one(fleet: Fleet, instance_id: str, should_decrement: bool) -> Any:
    machine = fleet.machines.get(instance_id)
    if machine is None:
        raise ValidationError(f"Instance Id not found - No managed instance found for instance ID: {instance_id}")
    group = machine.state.auto_scaling_group
    if should_decrement:
        group.desired_capacity -= 1
    fleet.terminate(machine, "a user request.")
    fleet.reconcile_soon(group.name)
    return fleet.activities.describe(group.name)[0]


def _patch_targets(fleet: Fleet, patches: Patches) -> None:
    def register_in_service(_: Any, name: str) -> None:
        for machine in fleet.of_group(name, Phase.IN_SERVICE):
            fleet.register(machine)

    patches.set(AutoScalingBackend, "update_attached_target_groups", register_in_service)
    health_for = patches.set(FakeTargetGroup, "health_for", None)

    def simulated(target_group: Any, target: dict[str, Any], ec2: Any) -> Any:
        machine = fleet.machines.get(target["Id"])
        if machine is None or target["Id"] not in target_group.targets:
            return health_for(target_group, target, ec2)
        state, reason, description = machine.health(target_group, fleet.clock.time())
        port = target_group.targets[target["Id"]]["Port"]
        return FakeHealthStatus(target["Id"], port, str(port), state, reason, description)

    FakeTargetGroup.health_for = simulated
    # A dead instance stays a target until its health checks have failed.
    patches.set(FakeTargetGroup, "deregister_terminated_instances", lambda *_: None)
    create = patches.set(ELBv2Backend, "create_target_group", None)

    def create_again(backend: Any, name: str, **settings: Any) -> Any:
        # Made again with equal settings it is the one that is there, as AWS documents; moto refuses.
        for there in backend.target_groups.values():
            if there.name == name and there.settings == settings:
                return there
        made = create(backend, name, **settings)
        made.settings = settings
        return made

    ELBv2Backend.create_target_group = create_again


def _patch_rules(patches: Patches) -> None:
    for name in ("create_rule", "modify_rule"):
        _remember_transforms(patches, name)

    create = patches.set(ELBv2Backend, "create_rule", None)

    def create_within_quota(backend: Any, listener_arn: str, *args: Any, **fields: Any) -> Any:
        balancers = [each for each in backend.load_balancers.values() if listener_arn in each.listeners]
        listeners = [listener for each in balancers for listener in each.listeners.values()]
        if sum(not rule.is_default for each in listeners for rule in each.rules.values()) >= RULES:
            raise ELBClientError("TooManyRules", "The maximum number of rules on the load balancer has been reached")
        return create(backend, listener_arn, *args, **fields)

    ELBv2Backend.create_rule = create_within_quota


def _remember_transforms(patches: Patches, name: str) -> None:
    method = patches.set(ELBV2Response, name, None)

    def with_transforms(response: Any) -> Any:
        answer = method(response)
        for rule in answer._result["Rules"]:
            if (transforms := response._get_params().get("Transforms")) is not None:
                rule.transforms = transforms
        return answer

    setattr(ELBV2Response, name, with_transforms)


def _activities(fleet: Fleet, response: Any) -> Any:
    found = fleet.activities.describe(response._get_param("AutoScalingGroupName"))
    first = int(response._get_param("NextToken") or 0)
    last = first + int(response._get_param("MaxRecords") or 100)
    more = {"NextToken": str(last)} if last < len(found) else {}
    return ActionResult({"Activities": found[first:last], **more})
