"""The way to the fleets is open when the load balancer itself says that nobody is there."""

import json
import re
from typing import Any

import pytest

from functions.smoke_test.app import handler
from spillway.adapters.aws.http import AwsHttp
from spillway.adapters.upstreams.fleet_door import NO_FLEET, NOBODY, FleetDoor
from spillway.domain.deployments.spec import NAME_PATTERN
from spillway.domain.errors import SmokeTestFailed
from tests.template.transform import source
from tests.unit.gateway.servers import Played, upstreams_to


def listener_answer() -> Played:
    """Return what the template's load balancer answers to a path that is no fleet's."""
    (action,) = source()["Resources"]["FleetListener"]["Properties"]["DefaultActions"]
    fixed: dict[str, Any] = action["FixedResponseConfig"]
    return Played([fixed["MessageBody"].encode()], status=int(fixed["StatusCode"]))


async def knock(played: Played) -> Any:
    """Return the request that was made."""
    async with upstreams_to(played) as (upstreams, fake):
        aws: AwsHttp = upstreams.fleet.aws
        await FleetDoor(aws, f"{fake.url}/live/fleets").ensure_open()
        return fake.seen[0]


async def test_the_load_balancers_own_answer_means_open() -> None:
    seen = await knock(listener_answer())
    assert seen.path == "/live/fleets/-/v1/models"
    assert "/execute-api/aws4_request" in seen.headers["authorization"]


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (500, {"message": "Internal server error"}, "closed: HTTP 500 Internal server error"),
        (403, {"Message": "User is not authorized"}, "closed: HTTP 403 User is not authorized"),
        (503, {"message": "Service Unavailable"}, "closed: HTTP 503 Service Unavailable"),
        (504, {"message": "Endpoint request timed out"}, "closed: HTTP 504"),
        (200, {"object": "list"}, "closed: HTTP 200"),
    ],
)
async def test_any_other_answer_means_closed(status: int, body: dict[str, str], said: str) -> None:
    with pytest.raises(SmokeTestFailed, match=said):
        await knock(Played([json.dumps(body).encode()], status=status))


def test_nobody_can_have_the_name_that_is_asked_for() -> None:
    assert not re.fullmatch(NAME_PATTERN, NOBODY)
    assert NO_FLEET in listener_answer().parts[0].decode()


def test_the_schedules_event_goes_to_the_door(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIA")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s")
    monkeypatch.setenv("FLEETS_URL", "http://127.0.0.1:1/fleets")
    with pytest.raises(SmokeTestFailed, match="the way to the fleets does not answer"):
        handler({"door": "fleets"}, None)
