"""The control API through real HTTP: repeats, keys, pages, and its own description."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

import pytest
from openapi_spec_validator import validate
from yarl import URL

from tests.builders import SPILL_MODEL, spec_body
from tests.e2e.operator import Answer, Operator, ask_at_once
from tests.sandbox.sandbox import Sandbox

# At this pace API Gateway remembers an authorisation for half a real second.
TIME_FACTOR = 120
SCHEDULES = ()
KEY_CACHE_SECONDS = 60
BEDROCK: dict[str, Any] = {"path": "bedrock", "model": {"id": SPILL_MODEL}, "spill": None, "capacity": None}
NAMES = ["page-a", "page-b", "page-c"]


@pytest.fixture(scope="module", autouse=True)
def asked_for(sandbox: Sandbox) -> None:
    ask_at_once(sandbox, *(spec_body(name=name, **BEDROCK) for name in NAMES))


async def new_key(operator: Operator, **wish: Any) -> dict[str, Any]:
    answer = await operator.call("POST", "/keys", {"name": "test", **wish})
    assert answer.status == 201, answer.body
    assert answer.headers["Location"].endswith(f"/keys/{answer.body['id']}")
    found: dict[str, Any] = answer.body
    return found


async def models(operator: Operator, key: str) -> Answer:
    return await operator.call("GET", "/v1/models", key=key)


async def refused_from(sandbox: Sandbox, operator: Operator, key: str, ended: datetime) -> Answer:
    """Wait until a key that ended is refused: as long as API Gateway remembers it, and no longer."""
    while True:
        began = sandbox.clock.now()
        answer = await models(operator, key)
        if answer.status != 200:
            return answer
        assert began <= ended + timedelta(seconds=KEY_CACHE_SECONDS), "a key outlived its authorisation"
        await asyncio.sleep(0.02)


async def test_the_same_idempotency_key_again_gets_the_first_answer_again(operator: Operator) -> None:
    operator.adopt("repeated")
    headers = {"Idempotency-Key": "order-66"}
    body = spec_body(name="repeated", **BEDROCK)
    answers = await asyncio.gather(*(operator.call("POST", "/deployments", body, headers=headers) for _ in range(4)))
    assert {answer.status for answer in answers} <= {202, 409}
    (first,) = {answer.body["created_at"] for answer in answers if answer.status == 202}
    await operator.until("repeated", "serving")
    again = await operator.call("POST", "/deployments", body, headers=headers)
    assert (again.status, again.body["created_at"], again.body["status"]) == (202, first, "requested")
    assert operator.statuses("repeated").count("provisioning") == 1


@pytest.mark.parametrize("name", ["%0A", "a%0Ab", "%00", "%F0%9F%92%A5", "..%2F..", "%25"])
async def test_no_path_is_so_odd_that_its_answer_has_another_shape(operator: Operator, name: str) -> None:
    for path in (f"/deployments/{name}", f"/deployments/{name}/benchmarks/{name}", f"/keys/{name}"):
        answer = await operator.call("DELETE", URL(f"{path}", encoded=True).raw_path)
        assert (answer.status, answer.error["type"]) == (404, "not_found_error"), f"{path}: {answer.body}"


async def test_a_cross_region_profile_names_the_regions_that_may_answer(operator: Operator) -> None:
    profile = {"path": "bedrock", "model": {"id": f"us.{SPILL_MODEL}"}, "spill": None, "capacity": None}
    made = await operator.ask_for("across", **profile)
    regions = {f"us.{SPILL_MODEL}": ["us-east-1", "us-east-2", "us-west-2"]}
    assert made.body["serves_in"] == regions
    assert (await operator.until("across", "serving"))["serves_in"] == regions


async def test_an_idempotency_key_with_another_body_is_refused(operator: Operator) -> None:
    operator.adopt("first-body")
    headers = {"Idempotency-Key": "one-key"}
    first = await operator.call("POST", "/deployments", spec_body(name="first-body", **BEDROCK), headers=headers)
    assert first.status == 202
    other = await operator.call("POST", "/deployments", spec_body(name="other-body", **BEDROCK), headers=headers)
    assert 400 <= other.status < 500
    assert other.error["param"] == "Idempotency-Key"
    assert await operator.seen("other-body") == {}
    other_caller = (await new_key(operator, scopes=["admin"]))["secret"]
    operator.adopt("others-own")
    own = await operator.call(
        "POST", "/deployments", spec_body(name="others-own", **BEDROCK), headers=headers, key=other_caller
    )
    assert own.status == 202


async def test_a_refused_request_may_be_corrected_under_the_same_key(operator: Operator) -> None:
    operator.adopt("corrected")
    headers = {"Idempotency-Key": "try-again"}
    taken = await operator.call("POST", "/deployments", spec_body(name="page-a", **BEDROCK), headers=headers)
    assert taken.status == 409
    right = await operator.call("POST", "/deployments", spec_body(name="corrected", **BEDROCK), headers=headers)
    assert right.status == 202, right.body


async def test_a_repeat_of_a_new_key_shows_no_secret(sandbox: Sandbox, operator: Operator) -> None:
    headers = {"Idempotency-Key": "one-secret"}
    first = await operator.call("POST", "/keys", {"name": "once"}, headers=headers)
    again = await operator.call("POST", "/keys", {"name": "once"}, headers=headers)
    assert (first.status, again.status) == (201, 201)
    assert first.body["secret"].startswith("sk-spillway-")
    assert again.body == {**first.body, "secret": None}
    stack = sandbox.deployed.stack
    tables = [stack.ref(name) for name in stack.of_type("AWS::DynamoDB::Table")]
    stored = str([stack.client("dynamodb").scan(TableName=name)["Items"] for name in tables])
    assert first.body["secret"] not in stored
    assert not any(first.body["secret"] in line for _, line in sandbox.functions.lines)


async def test_a_key_works_until_it_is_revoked(sandbox: Sandbox, operator: Operator) -> None:
    key = await new_key(operator)
    assert (await models(operator, key["secret"])).status == 200
    assert (await operator.call("DELETE", f"/keys/{key['id']}")).status == 204
    refused = await refused_from(sandbox, operator, key["secret"], sandbox.clock.now())
    assert (refused.status, refused.error["code"]) == (401, "invalid_api_key")
    gone = await operator.call("DELETE", f"/keys/{key['id']}")
    assert (gone.status, gone.error["type"]) == (404, "not_found_error")


async def test_a_key_ends_when_it_expires(sandbox: Sandbox, operator: Operator) -> None:
    key = await new_key(operator, expires_in_seconds=60)
    expires_at = datetime.fromisoformat(key["expires_at"])
    refused = await refused_from(sandbox, operator, key["secret"], expires_at)
    assert refused.status == 401
    assert sandbox.clock.now() >= expires_at


async def test_a_key_for_some_deployments_sees_and_calls_only_those(operator: Operator) -> None:
    await operator.until("page-a", "serving")
    key = (await new_key(operator, deployments=["page-a"]))["secret"]
    listed = await models(operator, key)
    assert {model["id"] for model in listed.body["data"]} <= {"page-a"}
    body = {"messages": [{"role": "user", "content": "hi"}], "max_tokens": 2}
    allowed = await operator.call("POST", "/v1/chat/completions", {"model": "page-a", **body}, key=key)
    assert allowed.status == 200, allowed.body
    for other in ("page-b", "nobody"):
        refused = await operator.call("POST", "/v1/chat/completions", {"model": other, **body}, key=key)
        assert (refused.status, refused.error["code"]) == (403, "model_not_allowed")
        assert (refused.error["param"], refused.error["allowed"]) == ("model", ["page-a"])


async def test_the_last_admin_key_cannot_be_deleted(operator: Operator) -> None:
    keys = (await operator.call("GET", "/keys?limit=100")).body["items"]
    admins = [key for key in keys if "admin" in key["scopes"]]
    assert len(admins) >= 1
    own = next(key for key in admins if operator.sandbox.admin_key.startswith(key["prefix"]) or not key["prefix"])
    for key in admins:
        if key["id"] != own["id"]:
            assert (await operator.call("DELETE", f"/keys/{key['id']}")).status == 204
    refused = await operator.call("DELETE", f"/keys/{own['id']}")
    assert (refused.status, refused.error["type"]) == (409, "invalid_request_error")


async def pages(operator: Operator, path: str, limit: int) -> list[list[dict[str, Any]]]:
    found, cursor = [], ""
    while True:
        answer = await operator.call("GET", f"{path}?limit={limit}{cursor}")
        assert answer.status == 200, answer.body
        found.append(answer.body["items"])
        assert len(answer.body["items"]) <= limit
        if answer.body["next_cursor"] is None:
            return found
        cursor = f"&cursor={answer.body['next_cursor']}"


@pytest.mark.parametrize("limit", [1, 2, 100])
async def test_deployments_come_in_pages_each_once(operator: Operator, limit: int) -> None:
    names = [each["name"] for page in await pages(operator, "/deployments", limit) for each in page]
    assert len(names) == len(set(names))
    assert set(NAMES) <= set(names)
    assert "repeated" not in names, "a retired deployment is no longer listed"


@pytest.mark.parametrize("limit", [1, 3])
async def test_keys_come_in_pages_each_once_and_without_secrets(operator: Operator, limit: int) -> None:
    keys = [each for page in await pages(operator, "/keys", limit) for each in page]
    assert len({key["id"] for key in keys}) == len(keys) > 1
    assert not any({"secret", "digest"} & set(key) for key in keys)


async def test_decisions_come_in_pages_newest_first(operator: Operator) -> None:
    await operator.until("page-b", "serving")
    await operator.alerted("page-b", "deployed")
    for maximum in (2, 3):
        await operator.call("PATCH", "/deployments/page-b", {"capacity": {"max": maximum}})
    whole = (await pages(operator, "/deployments/page-b/decisions", 100))[0]
    single = [each for page in await pages(operator, "/deployments/page-b/decisions", 1) for each in page]
    assert single[-len(whole) :] == whole
    assert [each["at"] for each in single] == sorted((each["at"] for each in single), reverse=True)
    assert "ready" in [each["reason"]["code"] for each in whole]


async def test_a_location_leads_to_the_deployment(operator: Operator) -> None:
    answer = await operator.ask_for("located", **BEDROCK)
    stage = operator.sandbox.base_url.rsplit("/", 1)[-1]
    assert answer.headers["Location"] == f"/{stage}/deployments/located"
    assert (await operator.call("GET", "/deployments/located")).body["name"] == "located"


async def test_the_api_describes_itself(operator: Operator) -> None:
    page = await operator.call("GET", "/docs", key=None)
    assert (page.status, page.headers["Content-Type"].partition(";")[0]) == (200, "text/html")
    assert "swagger" in page.body.lower()
    described = await operator.call("GET", "/docs?format=json", key=None)
    assert described.status == 200
    assert described.body["openapi"].startswith("3.")
    validate(described.body)
    assert {"/deployments", "/deployments/{name}", "/keys", "/keys/{key_id}", "/healthz"} <= set(
        described.body["paths"]
    )


async def test_in_the_end_nothing_is_left(operator: Operator) -> None:
    for name in NAMES:
        operator.adopt(name)
