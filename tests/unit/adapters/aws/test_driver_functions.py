"""What a driver's function answers a dry run, and what is made of its failures."""

import io
import json
from typing import Any, cast

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from spillway.adapters.aws.driver_functions import DriverFunctions
from spillway.domain.deployments.findings import Findings, Problem, findings_from_json, findings_to_json
from spillway.domain.errors import CapacityUnavailable, InvalidRequest, Retryable, TimedOut
from spillway.services.driver_task import DriverTask
from spillway.services.events.driver import read_driver_event
from tests.builders import NOW, a_spec
from tests.fakes import FakeDeployments, FakeDriver

ARNS = {"fleet": "arn:aws:lambda:us-east-1:123456789012:function:drive-fleet"}


class FakeLambda:
    """Hands the payload to a driver's task as Lambda does, or fails as it does."""

    def __init__(self, driver: FakeDriver | None = None, failure: Exception | None = None) -> None:
        self.driver, self.failure = driver or FakeDriver(), failure
        self.deployments = FakeDeployments()
        self.invoked: list[str] = []

    def __call__(self) -> Any:
        return cast(Any, self)

    def invoke(self, *, FunctionName: str, Payload: bytes) -> dict[str, Any]:  # noqa: N803 (boto3's names)
        self.invoked.append(FunctionName)
        if self.failure is not None:
            raise self.failure
        event = read_driver_event(json.loads(Payload))
        try:
            answer = DriverTask(self.driver, self.deployments, lambda: NOW).run(event)
        except Exception as err:  # noqa: BLE001 (as Lambda does)
            error = {"errorType": type(err).__name__, "errorMessage": str(err), "stackTrace": []}
            return {"FunctionError": "Unhandled", "Payload": io.BytesIO(json.dumps(error).encode())}
        return {"Payload": io.BytesIO(json.dumps(answer).encode())}


def test_nothing_is_found_wrong_and_the_names_are_told() -> None:
    functions = FakeLambda()
    found = DriverFunctions(functions, ARNS).of(a_spec())
    assert found == Findings((), ("Auto Scaling group support-llama",))
    assert functions.invoked == [ARNS["fleet"]]
    # Only a look: nothing was asked for, and no record was read or written.
    assert functions.driver.calls == [("preflight", "support-llama", None)]


@pytest.mark.parametrize(
    ("failure", "problem"),
    [
        (
            InvalidRequest("no such model", param="model.id", allowed=["a", "b"]),
            Problem("no such model", "invalid_request", "model.id", ("a", "b")),
        ),
        (CapacityUnavailable("the quota is 0"), Problem("the quota is 0", "capacity_unavailable")),
    ],
)
def test_what_is_found_wrong_comes_back_field_by_field(failure: Exception, problem: Problem) -> None:
    functions = FakeLambda(FakeDriver(failures={"preflight": failure}))
    assert DriverFunctions(functions, ARNS).of(a_spec()).problems == (problem,)


def test_a_spec_reaches_the_driver_whole() -> None:
    functions = FakeLambda()
    window = {"days": ["mon"], "from": "08:00", "to": "20:00", "time_zone": "UTC"}
    spec = a_spec(capacity={"max": 3, "warm_windows": [window]}, budget={"usd_per_month": 5})
    seen: list[Any] = []
    functions.driver.preflight = lambda deployment: seen.append(deployment.spec)  # type: ignore[method-assign]
    DriverFunctions(functions, ARNS).of(spec)
    assert seen == [spec]


def throttled() -> ClientError:
    return ClientError({"Error": {"Code": "TooManyRequestsException", "Message": "Rate exceeded"}}, "Invoke")


@pytest.mark.parametrize(
    ("functions", "error", "sentence"),
    [
        (FakeLambda(failure=ReadTimeoutError(endpoint_url="https://lambda")), TimedOut, "longer than 12 s"),
        (FakeLambda(failure=throttled()), Retryable, "Rate exceeded"),
        (FakeLambda(FakeDriver(failures={"preflight": Retryable("slow down")})), Retryable, "slow down"),
        (FakeLambda(FakeDriver(failures={"preflight": KeyError("x")})), RuntimeError, "KeyError"),
    ],
)
def test_a_look_without_a_result_is_no_finding(functions: FakeLambda, error: type[Exception], sentence: str) -> None:
    with pytest.raises(error, match=sentence):
        DriverFunctions(functions, ARNS).of(a_spec())


def test_findings_come_back_from_json_as_they_were() -> None:
    findings = Findings((Problem("a", "b", "c", ("d",)), Problem("a", "b")), ("e",))
    assert findings_from_json(json.loads(json.dumps(findings_to_json(findings)))) == findings
