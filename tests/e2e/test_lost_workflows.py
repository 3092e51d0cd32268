"""A workflow that somebody aborts leaves nothing behind: neither a claim nor anything that bills."""

from moto.stepfunctions.parser.models import stepfunctions_parser_backends

from tests.e2e.operator import Operator
from tests.sandbox.cloud.machines import Machine
from tests.sandbox.cloud.moto_cloud import ACCOUNT, REGION
from tests.sandbox.sandbox import Sandbox

TIME_FACTOR = 240


def abort(execution: str) -> None:
    stepfunctions_parser_backends[ACCOUNT][REGION].stop_execution(execution)


def machines_of(sandbox: Sandbox, name: str) -> list[Machine]:
    return [each for each in list(sandbox.emulation.fleet.machines.values()) if each.deployment == name]


def copies_of(sandbox: Sandbox, name: str) -> int:
    (component,) = [found for found in sandbox.emulation.sagemaker.components.values() if found.name.endswith(name)]
    return component.desired


async def test_a_deploy_that_is_aborted_is_released_and_failed(sandbox: Sandbox, operator: Operator) -> None:
    await operator.ask_for("aborted")
    warming = await operator.when("aborted", lambda found: found["status"] == "warming")
    abort(warming["workflow"])
    failed = await operator.until("aborted", "failed")
    assert failed["status_reason"].startswith("ABORTED")
    assert operator.leftovers("aborted") == []
    await operator.alerted("aborted", "deploy_failed")
    await operator.call("DELETE", "/deployments/aborted")
    await operator.when("aborted", lambda found: found["status"] == "retired")


async def test_a_wake_that_is_aborted_goes_back_to_sleep(sandbox: Sandbox, operator: Operator) -> None:
    await operator.serving("sleeper")
    await operator.call("POST", "/deployments/sleeper/sleep")
    await operator.until("sleeper", "asleep")
    await operator.call("POST", "/deployments/sleeper/wake")
    waking = await operator.when("sleeper", lambda found: found["status"] == "waking")
    await operator.eventually(lambda: machines_of(sandbox, "sleeper"))
    abort(waking["workflow"])
    asleep = await operator.until("sleeper", "asleep")
    assert asleep["status_reason"].startswith("ABORTED")
    await operator.eventually(lambda: not machines_of(sandbox, "sleeper"))
    await operator.alerted("sleeper", "scale_failed")


async def test_a_wake_that_cannot_be_taken_back_at_once_is_taken_back_later(
    sandbox: Sandbox, operator: Operator
) -> None:
    await operator.serving("stubborn", path="jumpstart", capacity={"max": 1, "instance_types": ["ml.g5.2xlarge"]})
    await operator.call("POST", "/deployments/stubborn/sleep")
    await operator.until("stubborn", "asleep")
    # SageMaker takes no other number while it works on the last one, and goes on for longer than the workflow asks.
    sandbox.emulation.sagemaker.times.copy_seconds = 1200
    await operator.call("POST", "/deployments/stubborn/wake")
    waking = await operator.when("stubborn", lambda found: found["status"] == "waking")
    await operator.eventually(lambda: copies_of(sandbox, "stubborn") == 1)
    abort(waking["workflow"])
    await operator.until("stubborn", "asleep")
    assert copies_of(sandbox, "stubborn") == 1
    await operator.eventually(lambda: copies_of(sandbox, "stubborn") == 0)


async def test_a_retirement_that_is_aborted_is_retired(sandbox: Sandbox, operator: Operator) -> None:
    await operator.serving("retiree")
    await operator.call("DELETE", "/deployments/retiree")
    retiring = await operator.when("retiree", lambda found: found["status"] == "retiring")
    abort(retiring["workflow"])
    await operator.until("retiree", "retired")
    assert operator.leftovers("retiree") == []
