"""Whatever is wrong with a request, its answer says which field and what is allowed, and nothing changes."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import pytest
from moto.dynamodb.models import dynamodb_backends
from moto.stepfunctions.parser.models import stepfunctions_parser_backends

from spillway.domain.admission import shipped_instance_types
from spillway.domain.deployments.spec import CapacitySpec, DeploymentSpec
from spillway.domain.engines.registry import ENGINES
from spillway.domain.paths.path import Path
from tests.builders import a_spec, spec_body
from tests.e2e.operator import Answer, Operator, ask_at_once
from tests.sandbox.cloud.moto_cloud import ACCOUNT, REGION
from tests.sandbox.sandbox import Sandbox

TIME_FACTOR = 240
SCHEDULES = ()
BEDROCK_MODEL = {"id": "meta.llama3-1-8b-instruct-v1:0"}
NOT_AUTHORISED = "qwen.qwen3-32b-v1:0"
FIELDS = tuple(DeploymentSpec.model_fields)
CAPACITY_FIELDS = tuple(CapacitySpec.model_fields)
CHANGEABLE = ("capacity", "thresholds", "spill", "budget", "request_log")
WINDOW = {"days": ["mon"], "from": "08:00", "to": "18:00", "time_zone": "UTC"}


@dataclass(frozen=True)
class Case:
    """A request that is wrong, and what its answer has to say."""

    id: str
    body: Any
    param: str | None
    says: str
    allowed: tuple[str, ...] | None = None
    method: str = "POST"
    path: str = "/deployments"
    status: int = 400
    code: str = "invalid_request"


def capacity(**changes: Any) -> dict[str, Any]:
    return spec_body(name="wrong", capacity={"max": 2, **changes})


def thresholds(**changes: Any) -> dict[str, Any]:
    return spec_body(name="wrong", thresholds=changes)


def without(field: str) -> dict[str, Any]:
    return spec_body(**{"name": "wrong", field: None})


CREATIONS = [
    Case("unknown field", {**spec_body(name="wrong"), "colour": "red"}, "colour", "not a field", FIELDS),
    Case("unknown field inside", capacity(minimum=1), "capacity.minimum", "not a field", CAPACITY_FIELDS),
    Case("wrong type", capacity(max="many"), "capacity.max", "valid integer"),
    Case("wrong type of a list", capacity(instance_types="g6e.xlarge"), "capacity.instance_types", "valid tuple"),
    Case("wrong type of an object", spec_body(name="wrong", spill="meta"), "spill", "object"),
    Case("no object", ["wrong"], None, "object"),
    Case("missing model", without("model"), "model", "is required"),
    Case("missing model id", spec_body(name="wrong", model={}), "model.id", "is required"),
    Case("missing name", {**without("path"), "name": None}, "name", "string"),
    Case("missing path", without("path"), "path", "is required"),
    Case("a path that is none", spec_body(name="wrong", path="gpu"), "path", "", tuple(Path)),
    Case(
        "an engine that is none",
        spec_body(name="wrong", engine={"name": "tgi"}),
        "engine.name",
        "'vllm'",
        tuple(ENGINES),
    ),
    Case("a name that is none", spec_body(name="No Name"), "name", "pattern"),
    Case("a model that is none", spec_body(name="wrong", model={"id": "no spaces"}), "model.id", "pattern"),
    Case(
        "an instance type that is none",
        capacity(instance_types=["g6e.xlarge", "g99.huge"]),
        "capacity.instance_types.1",
        "'g99.huge' is not an instance type that fleet runs on",
        shipped_instance_types(a_spec()),
    ),
    Case("min above max", capacity(min=3), "capacity.min", "3 is above capacity.max, which is 2"),
    Case(
        "a window's min above max",
        capacity(warm_windows=[{**WINDOW, "min": 9}]),
        "capacity.warm_windows.0.min",
        "9 is above capacity.max, which is 2",
    ),
    Case("a max of none", capacity(max=0), "capacity.max", "greater than or equal to 1"),
    Case("a market that is none", capacity(market="futures"), "capacity.market", "", ("on-demand", "spot")),
    Case("idle too soon", thresholds(idle_after_seconds=5), "thresholds.idle_after_seconds", "equal to 60"),
    Case("idle too late", thresholds(idle_after_seconds=10**6), "thresholds.idle_after_seconds", "equal to 604800"),
    Case("no queue", thresholds(queue_depth_per_instance=0), "thresholds.queue_depth_per_instance", "0.000001"),
    Case("no patience", thresholds(cold_start_after_seconds=-1), "thresholds.cold_start_after_seconds", "0.05"),
    Case(
        "a time zone that is none",
        capacity(warm_windows=[{**WINDOW, "time_zone": "Europe/Atlantis"}]),
        "capacity.warm_windows.0.time_zone",
        "is not an IANA time zone such as 'Europe/Berlin'",
    ),
    Case(
        "a time that is none",
        capacity(warm_windows=[{**WINDOW, "from": "25:00"}]),
        "capacity.warm_windows.0.from",
        "not a time of day",
    ),
    Case(
        "a weekday that is none",
        capacity(warm_windows=[{**WINDOW, "days": ["someday"]}]),
        "capacity.warm_windows.0.days.0",
        "",
        ("mon", "tue", "wed", "thu", "fri", "sat", "sun"),
    ),
    Case(
        "a budget of nothing", spec_body(name="wrong", budget={"usd_per_month": 0}), "budget.usd_per_month", "0.000001"
    ),
    Case("a name in use", spec_body(name="taken"), "name", "in use", status=409, code="name_in_use"),
]
OTHERS = [
    Case("a key without a name", {}, "name", "is required", path="/keys"),
    Case("a scope that is none", {"name": "k", "scopes": ["root"]}, "scopes.0", "", ("admin", "invoke"), path="/keys"),
    Case(
        "an expiry in the past", {"name": "k", "expires_at": "2001-01-01T00:00:00Z"}, "expires_at", "past", path="/keys"
    ),
    Case(
        "a field that cannot change",
        {"path": "fleet"},
        "path",
        "cannot be changed",
        CHANGEABLE,
        method="PATCH",
        path="/deployments/taken",
    ),
    Case(
        "a patch out of bounds",
        {"capacity": {"min": 5}},
        "capacity.min",
        "5 is above capacity.max, which is 1",
        method="PATCH",
        path="/deployments/taken",
    ),
    Case(
        "a patch with an unknown field",
        {"capacity": {"colour": 1}},
        "capacity.colour",
        "not a field",
        CAPACITY_FIELDS,
        method="PATCH",
        path="/deployments/taken",
    ),
    Case("a limit of none", None, "limit", "greater than or equal to 1", method="GET", path="/deployments?limit=0"),
    Case("a limit too large", None, "limit", "less than or equal to 100", method="GET", path="/keys?limit=101"),
    Case("a cursor that is none", None, "cursor", "", method="GET", path="/deployments?cursor=bm9uc2Vuc2U"),
]
UNKNOWN = [
    ("GET", "/deployments/nobody"),
    ("GET", "/deployments/nobody/decisions"),
    ("PATCH", "/deployments/nobody"),
    ("DELETE", "/deployments/nobody"),
    ("POST", "/deployments/nobody/wake"),
    ("POST", "/deployments/nobody/sleep"),
]


@pytest.fixture(scope="module", autouse=True)
def asked_for(sandbox: Sandbox) -> None:
    sandbox.emulation.catalog.models[NOT_AUTHORISED].authorized = False
    sandbox.emulation.faults.insufficient_capacity.add("p5.48xlarge")
    ask_at_once(
        sandbox,
        spec_body(name="taken", path="bedrock", model=BEDROCK_MODEL, spill=None, capacity=None),
        spec_body(name="failed-alone", path="bedrock", model={"id": NOT_AUTHORISED}, spill=None, capacity=None),
        spec_body(name="failed-spilling", capacity={"instance_types": ["p5.48xlarge"]}),
    )


@pytest.fixture(scope="module")
def settled() -> set[str]:
    return set()


@pytest.fixture
async def quiet(operator: Operator, settled: set[str]) -> None:
    """What was asked for has come to its end: whatever changes from now on comes from the request."""
    for name, news in (("taken", "deployed"), ("failed-alone", "deploy_failed"), ("failed-spilling", "deploy_failed")):
        if name not in settled:
            await operator.alerted(name, news)
            await operator.eventually(lambda: is_noted(operator))
            settled.add(name)


def is_noted(operator: Operator) -> bool:
    """Whether every launch that failed has been taken note of, which nobody else waits for."""
    seen = [each["DetailType"] for each in list(operator.sandbox.emulation.events.seen)]
    return seen.count("EC2 Instance Launch Unsuccessful") == seen.count("InstanceLaunchFailed")


def contents(sandbox: Sandbox) -> Iterator[tuple[str, list[Any]]]:
    """Yield every table's items; what the check remembers, and what requests used, is not the operator's to change."""
    stack = sandbox.deployed.stack
    for logical_id in stack.of_type("AWS::DynamoDB::Table"):
        if logical_id not in ("ChecksTable", "UsageTable"):
            table = dynamodb_backends[ACCOUNT][REGION].tables[stack.ref(logical_id)]
            yield logical_id, sorted((item.to_json() for item in table.all_items()), key=json.dumps)


def changes(before: dict[str, list[Any]], sandbox: Sandbox) -> list[tuple[str, Any]]:
    """Return what is in a table now that wasn't, or the other way round."""
    after = dict(contents(sandbox))
    return [
        (name, item)
        for name in before
        for some, others in ((before[name], after[name]), (after[name], before[name]))
        for item in some
        if item not in others
    ]


@pytest.mark.parametrize("case", [*CREATIONS, *OTHERS], ids=lambda case: case.id)
async def test_it_is_refused_with_the_field_and_what_is_allowed(
    sandbox: Sandbox, quiet: None, operator: Operator, case: Case
) -> None:
    before, executions = dict(contents(sandbox)), running(sandbox)
    assert (len(before["DeploymentsTable"]), executions) == (3, 3)
    answer = await operator.call(case.method, case.path, case.body)
    assert answer.status == case.status, answer.body
    assert (answer.error["type"], answer.error["code"]) == ("invalid_request_error", case.code)
    assert (answer.error["param"], case.says in answer.error["message"]) == (case.param, True), answer.error
    assert tuple(answer.error.get("allowed", ())) == (case.allowed or ())
    assert changes(before, sandbox) == []
    assert running(sandbox) == executions


@pytest.mark.parametrize(("method", "path"), UNKNOWN)
async def test_an_unknown_deployment_is_not_found(
    sandbox: Sandbox, quiet: None, operator: Operator, method: str, path: str
) -> None:
    before = dict(contents(sandbox))
    answer = await operator.call(method, path, {} if method == "PATCH" else None)
    assert (answer.status, answer.error["type"], answer.error["param"]) == (404, "not_found_error", "name")
    assert "nobody" in answer.error["message"]
    assert changes(before, sandbox) == []


@pytest.mark.parametrize(
    ("text", "says"), [("{", "not valid JSON"), ("[" * 5000, "nested too deep"), ('{"a": NaN}', "not a number")]
)
@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/deployments"), ("PATCH", "/deployments/taken"), ("POST", "/keys")]
)
async def test_a_body_that_is_no_json_is_refused(
    operator: Operator, quiet: None, method: str, path: str, text: str, says: str
) -> None:
    answer = await operator.call(method, path, data=text, headers={"Content-Type": "application/json"})
    assert (answer.status, answer.error["type"]) == (400, "invalid_request_error")
    assert says in answer.error["message"]


async def test_a_body_over_the_limit_is_refused(sandbox: Sandbox, quiet: None, operator: Operator) -> None:
    before = dict(contents(sandbox))
    large = spec_body(name="wrong", model={"id": "x" * 300_000})
    answer = await operator.call("POST", "/deployments", large)
    assert (answer.status, answer.error["code"]) == (413, "request_too_large")
    assert "262144" in answer.error["message"]
    largest = await operator.call("POST", "/deployments", data=BytesIO(b"x" * (10 * 1024 * 1024 + 2)))
    assert (largest.status, largest.error["code"]) == (413, "request_too_large")
    assert changes(before, sandbox) == []


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/deployments"),
        ("POST", "/deployments"),
        ("DELETE", "/deployments/taken"),
        ("GET", "/keys"),
        ("GET", "/v1/models"),
        ("POST", "/v1/chat/completions"),
    ],
)
async def test_without_a_key_nothing_is_done(
    sandbox: Sandbox, quiet: None, operator: Operator, method: str, path: str
) -> None:
    before = dict(contents(sandbox))
    body = spec_body(name="wrong") if method == "POST" else None
    answer = await operator.call(method, path, body, key=None)
    assert (answer.status, answer.error["type"]) == (401, "authentication_error")
    assert changes(before, sandbox) == []


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/deployments"), ("POST", "/deployments"), ("DELETE", "/deployments/taken"), ("POST", "/keys")],
)
async def test_a_key_without_the_scope_may_not(
    sandbox: Sandbox, quiet: None, operator: Operator, method: str, path: str
) -> None:
    key = (await operator.call("POST", "/keys", {"name": "narrow"})).body["secret"]
    before = dict(contents(sandbox))
    answer = await operator.call(method, path, spec_body(name="wrong") if method == "POST" else None, key=key)
    assert (answer.status, answer.error["type"]) == (403, "permission_error")
    assert changes(before, sandbox) == []


async def test_a_failed_deployment_without_spill_says_that_it_failed_and_why(quiet: None, operator: Operator) -> None:
    for stream in (False, True):
        answer = await operator.chat("failed-alone", stream=stream)
        assert (answer.status, answer.error["type"]) == (503, "service_unavailable")
        assert answer.error["code"] == "deploy_failed"
        assert "'failed-alone' failed" in answer.error["message"]
        assert int(answer.headers["Retry-After"]) > 0


async def test_a_failed_deployment_with_spill_is_answered_by_it(quiet: None, operator: Operator) -> None:
    answer = await operator.chat("failed-spilling")
    assert answer.status == 200, answer.body
    assert (answer.headers["x-spillway-target"], answer.headers["x-spillway-reason"]) == ("bedrock", "deploy_failed")


@pytest.mark.parametrize(
    ("body", "status", "param"),
    [
        ({"messages": [{"role": "user", "content": "hi"}]}, 400, "model"),
        ({"model": "taken"}, 400, "messages"),
        ({"model": "taken", "messages": []}, 400, "messages"),
        ({"model": "taken", "messages": [{"content": "hi"}]}, 400, "messages.0.role"),
        ({"model": "taken", "messages": [{"role": "user", "content": "hi"}], "stream": "yes"}, 400, "stream"),
        ({"model": "nobody", "messages": [{"role": "user", "content": "hi"}]}, 404, "model"),
    ],
)
async def test_a_completion_request_that_is_wrong_is_refused_with_its_field(
    quiet: None, operator: Operator, body: Any, status: int, param: str
) -> None:
    answer = await operator.call("POST", "/v1/chat/completions", body)
    assert (answer.status, answer.error["param"]) == (status, param)


@pytest.mark.parametrize(
    ("method", "path"), [("PUT", "/deployments"), ("GET", "/v1/chat/completions"), ("GET", "/nowhere")]
)
async def test_a_call_that_the_api_does_not_have_is_answered_in_the_same_shape(
    operator: Operator, method: str, path: str
) -> None:
    answer: Answer = await operator.call(method, path)
    assert answer.status in (404, 405)
    assert answer.error["message"]


def running(sandbox: Sandbox) -> int:
    """Return how many executions were ever started."""
    machines = stepfunctions_parser_backends[ACCOUNT][REGION].state_machines
    return sum(len(machine.executions) for machine in machines)
