"""The Lambda authorizer, called as API Gateway calls it."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any, cast

import pytest
from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.authorize_request import app
from spillway.domain.access.keys import Key, OldSecret, Scope, digest_of
from spillway.domain.access.limits import KeyLimits, limits_from
from spillway.services.authorize import Authorize
from tests.builders import NOW, a_key
from tests.fakes import FakeKeys
from tests.unit.api.conftest import Context

SECRET = "sk-spillway-" + "k" * 43
API = "arn:aws:execute-api:us-east-1:123456789012:abc123"
Ask = Callable[..., dict[str, Any]]


@pytest.fixture
def keys() -> FakeKeys:
    return FakeKeys()


@pytest.fixture
def ask(keys: FakeKeys, monkeypatch: pytest.MonkeyPatch) -> Ask:
    monkeypatch.setattr(app, "container", lambda: Authorize(keys, lambda: NOW))

    def call(
        header: str | None = f"Bearer {SECRET}",
        name: str = "Authorization",
        resource: str = "/v1/{proxy+}",
        headers: dict[str, str] | None = None,
    ) -> dict[str, Any]:
        event = {
            "type": "REQUEST",
            "methodArn": f"{API}/live/POST/v1/chat/completions",
            "resource": resource,
            "headers": headers or ({} if header is None else {name: header}),
        }
        return app.handler(event, cast(LambdaContext, Context()))

    return call


def allowed(answer: dict[str, Any]) -> str:
    (statement,) = answer["policyDocument"]["Statement"]
    assert (statement["Effect"], statement["Action"]) == ("Allow", "execute-api:Invoke")
    resource: str = statement["Resource"]
    return resource


def test_an_admin_key_may_call_everything(keys: FakeKeys, ask: Ask) -> None:
    keys.put(a_key(SECRET, scopes=frozenset({Scope.ADMIN})))
    assert allowed(ask()) == f"{API}/*"


def test_an_invoke_key_may_call_v1_and_nothing_else(keys: FakeKeys, ask: Ask) -> None:
    keys.put(a_key(SECRET))
    assert allowed(ask()) == f"{API}/live/*/v1/*"


def test_the_context_names_the_key_and_its_limits(keys: FakeKeys, ask: Ask) -> None:
    key = a_key(SECRET, scopes=frozenset(Scope), deployments=("a1", "b2"))
    keys.put(key)
    answer = ask()
    assert answer["principalId"] == key.id
    assert answer["context"] == {"key_id": key.id, "scopes": "admin,invoke", "deployments": "a1,b2"}
    assert SECRET not in str(answer)


def test_the_context_carries_the_limits_as_strings(keys: FakeKeys, ask: Ask) -> None:
    keys.put(a_key(SECRET, limits=KeyLimits(60, None, 12.5)))
    context = ask()["context"]
    assert (context["requests_per_minute"], context["usd_per_month"]) == ("60", "12.5")
    assert "tokens_per_minute" not in context
    assert limits_from(context) == KeyLimits(60, None, 12.5)


def test_a_rotated_key_is_the_same_key_under_either_secret(keys: FakeKeys, ask: Ask) -> None:
    new = "sk-spillway-" + "n" * 43
    key = a_key(SECRET, digest=digest_of(new), old_secrets=(OldSecret(digest_of(SECRET), NOW + timedelta(hours=1)),))
    keys.put(key)
    assert ask()["context"] == ask(f"Bearer {new}")["context"]
    keys.put(replace(key, old_secrets=(OldSecret(digest_of(SECRET), NOW),)))
    assert ask(f"Bearer {new}")["context"]["key_id"] == key.id
    with pytest.raises(Exception, match=r"^Unauthorized$"):
        ask()


@pytest.mark.parametrize("header", [f"bearer {SECRET}", f"BEARER  {SECRET} "])
def test_the_scheme_is_read_without_regard_to_case_or_space(keys: FakeKeys, ask: Ask, header: str) -> None:
    keys.put(a_key(SECRET))
    assert ask(header, "authorization")["principalId"]


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        SECRET,
        f"Basic {SECRET}",
        f"Bearer {SECRET}x",
        "Bearer \ud800",
        "Bearer " + "k" * 9999,
    ],
)
def test_anything_else_is_unauthorized(keys: FakeKeys, ask: Ask, header: str | None) -> None:
    keys.put(a_key(SECRET))
    with pytest.raises(Exception, match=r"^Unauthorized$"):
        ask(header)


BY_API_KEY = "/x-api-key/v1/{proxy+}"
BOTH = {"Authorization": f"Bearer {SECRET}", "X-Api-Key": "sk-unknown"}


def test_a_key_may_come_in_a_header_of_its_own(keys: FakeKeys, ask: Ask) -> None:
    keys.put(a_key(SECRET))
    assert ask(SECRET, "X-API-Key", BY_API_KEY) == ask()


def test_the_answer_is_that_of_the_header_by_which_it_is_remembered(keys: FakeKeys, ask: Ask) -> None:
    """Or the unknown key would open the door for as long as API Gateway remembers what it brought."""
    keys.put(a_key(SECRET))
    assert ask(headers=BOTH)["principalId"]
    for headers in (BOTH, {"Authorization": f"Bearer {SECRET}"}):
        with pytest.raises(Exception, match=r"^Unauthorized$"):
            ask(headers=headers, resource=BY_API_KEY)
    with pytest.raises(Exception, match=r"^Unauthorized$"):
        ask(headers={"X-Api-Key": SECRET})


def test_an_expired_key_is_unauthorized(keys: FakeKeys, ask: Ask) -> None:
    keys.put(a_key(SECRET, expires_at=NOW))
    with pytest.raises(Exception, match=r"^Unauthorized$"):
        ask()
    keys.put(a_key(SECRET, expires_at=NOW + timedelta(seconds=1)))
    assert ask()["principalId"]


def test_an_id_alone_opens_nothing(keys: FakeKeys, ask: Ask) -> None:
    key = a_key(SECRET)
    keys.items[key.id] = Key(**{**vars(key), "digest": "0" * 64})
    with pytest.raises(Exception, match=r"^Unauthorized$"):
        ask()
