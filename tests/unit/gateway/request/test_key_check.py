"""The door of a server that clients reach by themselves."""

import json
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from spillway.domain.access.keys import Key, OldSecret, Scope, digest_of, id_of
from spillway.domain.access.limits import KeyLimits
from spillway.domain.errors import Unauthorized
from spillway.gateway.errors import StoreUnavailable, Unavailable
from spillway.gateway.request.caller import Headers
from spillway.gateway.request.key_check import REFUSAL, KeyCheck
from tests.builders import a_key
from tests.template.transform import source
from tests.unit.gateway.doubles import CONTEXT, FakeClock

SECRET = "sk-spillway-test"


@dataclass
class FakeStore:
    keys: dict[str, Key] = field(default_factory=dict)
    down: bool = False
    reads: int = 0

    async def find(self, secret_id: str) -> Key | None:
        self.reads += 1
        if self.down:
            raise StoreUnavailable("down")
        return self.keys.get(secret_id)


@dataclass
class Authenticator:
    cache_seconds: float = 60.0
    store: FakeStore = field(default_factory=FakeStore)
    clock: FakeClock = field(default_factory=FakeClock)

    def __post_init__(self) -> None:
        self.check = KeyCheck(self.store.find, self.clock.now, self.clock.monotonic, self.cache_seconds)

    def has(self, secret: str = SECRET, **changes: Any) -> None:
        self.store.keys[id_of(secret)] = a_key(SECRET, **changes)

    async def ask(self, secret: str = SECRET, *, scheme: str = "Bearer", headers: Headers | None = None) -> Any:
        sent = [(b"authorization", f"{scheme} {secret}".encode())] if headers is None else headers
        return await self.check.caller(sent, self.check.context(sent))


async def test_a_key_brings_what_it_may() -> None:
    door = Authenticator()
    door.has(scopes=frozenset({Scope.INVOKE}), deployments=("a",), limits=KeyLimits(usd_per_month=2.5))
    caller = await door.ask(scheme="bearer")
    assert (caller.key_id, caller.limits.usd_per_month) == (id_of(SECRET), 2.5)
    assert caller.sees("a")
    assert not caller.sees("b")
    caller.may_invoke()


SPOOFED = (b"x-amzn-request-context", json.dumps(CONTEXT).encode())
BEARER = (b"authorization", b"Bearer " + SECRET.encode())
API_KEY = (b"x-api-key", SECRET.encode())


@pytest.mark.parametrize("headers", [[API_KEY], [BEARER, (b"x-api-key", b"sk-unknown")]], ids=["alone", "beside"])
async def test_a_header_of_its_own_counts_where_there_is_no_authorization(headers: Headers) -> None:
    door = Authenticator()
    door.has()
    assert (await door.ask(headers=headers)).key_id == id_of(SECRET)


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [SPOOFED],
        [(b"authorization", b"Basic " + SECRET.encode())],
        [(b"authorization", b"Bearer ")],
        [(b"authorization", b"Bearer \xff\xfe")],
        [(b"authorization", b"Bearer sk-unknown")],
        [(b"authorization", b"Bearer " + b"k" * 5000)],
        [BEARER, BEARER],
        [(b"x-api-key", b"sk-unknown")],
        [(b"x-api-key", b"")],
        [(b"x-api-key", b"Bearer " + SECRET.encode())],
        [API_KEY, API_KEY],
        [(b"authorization", b"Bearer sk-unknown"), API_KEY],
        [BEARER, BEARER, API_KEY],
    ],
)
async def test_what_is_no_known_key_is_refused_without_a_word_of_why(headers: Headers) -> None:
    door = Authenticator()
    door.has()
    with pytest.raises(Unauthorized) as refused:
        await door.ask(headers=headers)
    assert refused.value.message == REFUSAL


def test_the_refusal_is_the_apis_own() -> None:
    responses = source()["Resources"]["PublicApi"]["Properties"]["GatewayResponses"]["UNAUTHORIZED"]
    error = json.loads(responses["ResponseTemplates"]["application/json"])["error"]
    assert (error["message"], error["code"]) == (REFUSAL, Unauthorized.code)


async def test_a_deleted_key_goes_on_for_the_cache_time_and_no_longer() -> None:
    door = Authenticator(cache_seconds=60)
    door.has()
    await door.ask()
    door.store.keys.clear()
    door.clock.moment += 59
    await door.ask()
    assert door.store.reads == 1
    door.clock.moment += 1
    with pytest.raises(Unauthorized):
        await door.ask()


async def test_without_a_cache_time_every_request_asks() -> None:
    door = Authenticator(cache_seconds=0)
    door.has()
    await door.ask()
    door.store.keys.clear()
    with pytest.raises(Unauthorized):
        await door.ask()


async def test_an_expiry_and_an_overlap_end_to_the_moment_within_the_cache_time() -> None:
    door, old = Authenticator(), "sk-spillway-old"
    soon = door.clock.now() + timedelta(seconds=10)
    door.has()
    door.has(old, digest=digest_of("sk-spillway-new"), old_secrets=(OldSecret(digest_of(old), soon),))
    door.store.keys[id_of(SECRET)] = a_key(SECRET, expires_at=soon)
    for secret in (SECRET, old):
        await door.ask(secret)
    door.clock.moment += 10
    for secret in (SECRET, old):
        with pytest.raises(Unauthorized):
            await door.ask(secret)


async def test_a_table_that_is_away_opens_nothing_once_the_cache_time_is_over() -> None:
    door = Authenticator()
    door.has()
    await door.ask()
    door.store.down = True
    door.clock.moment += 59
    await door.ask()
    door.clock.moment += 1
    for _ in range(2):
        with pytest.raises(Unavailable) as refused:
            await door.ask()
        assert (refused.value.code, refused.value.retry_after_seconds) == ("keys_unavailable", 2)
    door.store.down = False
    await door.ask()
