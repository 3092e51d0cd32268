from datetime import timedelta
from typing import Any

import pytest

from spillway.domain.deployments.deployment import Deployment
from spillway.domain.errors import CapacityUnavailable, InvalidRequest, NotFound, NotReady, Superseded
from spillway.domain.observations.capacity import Capacity
from spillway.services.driver_task import DriverTask
from spillway.services.events.driver import read_driver_event
from tests.builders import NOW, SPILL_MODEL, a_deployment, a_spec
from tests.fakes import FakeDeployments, FakeDriver

NAME = "support-llama"
LATER, EARLIER = (NOW + timedelta(hours=1)).isoformat(), (NOW - timedelta(seconds=1)).isoformat()
TARGET = {"kind": "fleet", "deployment": NAME}


def run(driver: FakeDriver, verb: str, **event: Any) -> dict[str, Any]:
    drive = DriverTask(driver, FakeDeployments(a_deployment(NAME, workflow="execution-1")), lambda: NOW)
    return drive.run(read_driver_event({"verb": verb, "deployment": NAME, "execution": "execution-1", **event}))


def test_each_verb_answers_what_the_workflows_read() -> None:
    driver = FakeDriver(resources={"rule_arn": "arn"}, probes=[Capacity(1, 1, 0, "g6e.xlarge")])
    assert run(driver, "preflight") == {"ok": True}
    assert run(driver, "provision", desired=1) == {"resources": {"rule_arn": "arn"}}
    assert run(driver, "scale", desired=3) == {"desired": 3}
    assert run(driver, "release", deadline=LATER) == {"remaining": [], "released": True}
    assert run(driver, "probe", at_least=1) == {
        "desired": 1,
        "ready": 1,
        "starting": 0,
        "instance_type": "g6e.xlarge",
        "problem": None,
        "reached": True,
        "target": TARGET,
    }
    assert [call[0] for call in driver.calls] == ["preflight", "provision", "scale", "release", "probe"]


@pytest.mark.parametrize(
    ("capacity", "wanted", "reached"),
    [
        (Capacity(2, 1, 1), {"at_least": 1}, True),
        (Capacity(2, 1, 1), {"at_least": 2}, False),
        (Capacity(0, 0, 0), {"at_most": 0}, True),
        (Capacity(0, 0, 1), {"at_most": 0}, False),
        (Capacity(1, 2, 0), {"at_most": 1}, False),
        (Capacity(1, 0, 1), {}, True),
    ],
)
def test_a_probe_says_whether_what_is_waited_for_is_there(
    capacity: Capacity, wanted: dict[str, int], reached: bool
) -> None:
    assert run(FakeDriver(probes=[capacity]), "probe", **wanted)["reached"] is reached


@pytest.mark.parametrize(
    ("capacity", "target"), [(Capacity(1, 1), TARGET), (Capacity(0), TARGET), (Capacity(1, 0, 1), None)]
)
def test_a_target_is_given_once_it_can_be_used_or_need_not_be(capacity: Capacity, target: Any) -> None:
    assert run(FakeDriver(probes=[capacity]), "probe")["target"] == target


def test_waiting_ends_at_the_deadline() -> None:
    waiting = FakeDriver(probes=[Capacity(1, 0, 1, problem="no room")])
    assert run(waiting, "probe", at_least=1, deadline=LATER)["reached"] is False
    with pytest.raises(NotReady, match=r"0 ready and 1 starting of 1.*no room"):
        run(waiting, "probe", at_least=1, deadline=EARLIER)
    assert run(FakeDriver(probes=[Capacity(1, 1)]), "probe", at_least=1, deadline=EARLIER)["reached"] is True


def test_a_release_that_never_ends_is_told_at_its_deadline() -> None:
    stuck = FakeDriver(leftovers=[["endpoint x"]])
    assert run(stuck, "release", deadline=LATER) == {"remaining": ["endpoint x"], "released": False}
    with pytest.raises(NotReady, match="endpoint x"):
        run(stuck, "release", deadline=EARLIER)


def test_an_execution_that_was_overtaken_touches_nothing() -> None:
    driver = FakeDriver()
    with pytest.raises(Superseded):
        run(driver, "release", execution="execution-0", deadline=LATER)
    assert driver.calls == []
    run(driver, "release", execution="execution-1", deadline=LATER)


def test_errors_of_the_driver_leave_as_they_are() -> None:
    with pytest.raises(CapacityUnavailable):
        run(FakeDriver(failures={"probe": CapacityUnavailable("none")}), "probe")
    with pytest.raises(NotFound):
        run(FakeDriver(), "probe", deployment="nobody")


def test_the_spill_target_is_checked_as_a_model_of_its_own_on_bedrock() -> None:
    spilling = a_deployment(NAME, workflow="execution-1", spec=a_spec(spill={"model_id": SPILL_MODEL}))
    seen: list[Deployment] = []

    class Refusing(FakeDriver):
        def preflight(self, deployment: Deployment) -> None:
            seen.append(deployment)
            raise InvalidRequest("this account may not use it", param="model.id")

    drive = DriverTask(Refusing(), FakeDeployments(spilling), lambda: NOW)
    event = {"verb": "preflight_spill", "deployment": NAME, "execution": "execution-1"}
    with pytest.raises(InvalidRequest, match="the spill target: this account may not use it") as refused:
        drive.run(read_driver_event(event))
    assert refused.value.param == "spill.model_id"
    ((path, model),) = [(each.spec.path, each.spec.model.id) for each in seen]
    assert (path, model) == ("bedrock", SPILL_MODEL)


def test_without_a_spill_target_there_is_nothing_to_check() -> None:
    driver = FakeDriver(failures={"preflight": NotReady("asked")})
    alone = a_deployment(NAME, workflow="execution-1", spec=a_spec(spill=None))
    drive = DriverTask(driver, FakeDeployments(alone), lambda: NOW)
    event = {"verb": "preflight_spill", "deployment": NAME, "execution": "execution-1"}
    assert drive.run(read_driver_event(event)) == {"ok": True}
