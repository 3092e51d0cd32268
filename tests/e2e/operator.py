"""Who operates the stack, for end-to-end tests: calls over HTTP, and a look at what came of them."""

import asyncio
import json
import time
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp

from spillway.domain import errors
from tests.builders import spec_body
from tests.sandbox.runtime.lambda_runtime import Invocation
from tests.sandbox.runtime.permissions import RecordedCall
from tests.sandbox.sandbox import Sandbox

# Real seconds, for a machine that is busy with other things.
PATIENCE_SECONDS = 60.0
POLL_SECONDS = 0.05
# A look through the API costs as much as the work that is waited for: without a change, one in this time is enough.
LOOK_SECONDS = 1.0
# Tables that are written to all the time.
COUNTING = ("ChecksTable", "LimitsTable", "UsageTable")
_ON_PURPOSE = {name for name in vars(errors) if isinstance(getattr(errors, name), type)}
_OVER = ("retired", None)
# A step writes the record, tells of it, and writes the route last: with these states of the route it is over.
_ROUTED = {"asleep": ("cold",), "failed": ("failed",), "serving": ("cold", "ready", "saturated")}


@dataclass(frozen=True)
class Answer:
    """What the API answered; ``body`` is the JSON, or the text of what is none."""

    status: int
    headers: Mapping[str, str]
    body: Any

    @property
    def error(self) -> dict[str, Any]:
        """The one shape of every error."""
        assert set(self.body) == {"error"}, self.body
        found: dict[str, Any] = self.body["error"]
        assert {"message", "type", "param", "code"} <= set(found) <= {"message", "type", "param", "code", "allowed"}
        return found


def ask_at_once(sandbox: Sandbox, *bodies: dict[str, Any]) -> None:
    """POST several deployments, for fixtures of a whole module; they come up side by side."""
    headers = {"Authorization": f"Bearer {sandbox.admin_key}", "Content-Type": "application/json"}
    for body in bodies:
        data = json.dumps(body).encode()
        with urllib.request.urlopen(urllib.request.Request(f"{sandbox.base_url}/deployments", data, headers)) as answer:
            assert answer.status == 202


class Operator:
    """Uses the admin key unless told otherwise, and remembers which deployments it asked for."""

    def __init__(self, sandbox: Sandbox, http: aiohttp.ClientSession) -> None:
        self.sandbox = sandbox
        self._http = http
        self._names: list[str] = []
        self._denied_before = len(sandbox.permissions.calls(denied=True))
        self._failures_before = len(sandbox.functions.failures)

    async def call(self, method: str, path: str, body: Any = None, *, key: str | None = "", **more: Any) -> Answer:
        """Make one call; ``key`` None sends none. ``more`` goes to aiohttp."""
        headers = dict(more.pop("headers", {}))
        if key is not None:
            headers.setdefault("Authorization", f"Bearer {key or self.sandbox.admin_key}")
        if body is not None:
            more["json"] = body
        async with self._http.request(method, self.sandbox.base_url + path, headers=headers, **more) as answer:
            text = await answer.text()
            is_json = answer.content_type == "application/json" and bool(text)
            return Answer(answer.status, answer.headers, json.loads(text) if is_json else text)

    async def ask_for(self, name: str, **changes: Any) -> Answer:
        """POST a deployment (a fleet with a spill target, unless changed), which must be accepted."""
        self.adopt(name)
        answer = await self.call("POST", "/deployments", spec_body(name=name, **changes))
        assert answer.status == 202, answer.body
        return answer

    def adopt(self, name: str) -> None:
        """Be the one who cleans up after a deployment."""
        self._names.append(name)

    async def serving(self, name: str, **changes: Any) -> dict[str, Any]:
        """Ask for a deployment and wait until it serves."""
        await self.ask_for(name, **changes)
        return await self.until(name, "serving")

    async def ready(self, name: str) -> dict[str, Any]:
        """Wait until a deployment that others asked for serves; what becomes of it is now this test's affair."""
        self.adopt(name)
        return await self.until(name, "serving")

    async def seen(self, name: str) -> dict[str, Any]:
        """GET a deployment."""
        answer = await self.call("GET", f"/deployments/{name}")
        return answer.body if answer.status == 200 else {}

    async def until(self, name: str, *statuses: str, seconds: float = PATIENCE_SECONDS) -> dict[str, Any]:
        """Wait until a deployment has one of these statuses, its route too, and no workflow works on it."""
        ends = {"failed", "retired", *statuses}
        found = await self.when(
            name,
            lambda found: found.get("status") in ends and not found["workflow"] and _is_routed(found),
            seconds=seconds,
        )
        assert found["status"] in statuses, found["status_reason"]
        return found

    async def when(
        self, name: str, holds: Callable[[dict[str, Any]], bool], seconds: float = PATIENCE_SECONDS
    ) -> dict[str, Any]:
        """Wait until a deployment looks as wanted, and return it."""
        deadline = time.monotonic() + seconds
        while True:
            written = self._written()
            if holds(found := await self.seen(name)):
                return found
            again = time.monotonic() + LOOK_SECONDS
            while self._written() == written and time.monotonic() < again:
                await asyncio.sleep(POLL_SECONDS)
            assert time.monotonic() < deadline, {key: found.get(key) for key in ("name", "status", "status_reason")}

    def _written(self) -> int:
        """Return how often the tables were written to that a deployment is shown from, but for its costs."""
        writes = self.sandbox.emulation.moto.front.writes
        return sum(count for table, count in list(writes.items()) if not any(each in table for each in COUNTING))

    async def eventually(self, holds: Callable[[], Any], seconds: float = PATIENCE_SECONDS) -> Any:
        """Wait until ``holds`` returns something true, and return that; it may block."""
        deadline = time.monotonic() + seconds
        while not (found := await asyncio.to_thread(holds)):
            assert time.monotonic() < deadline, "it never held"
            await asyncio.sleep(POLL_SECONDS)
        return found

    async def retired(self, name: str) -> dict[str, Any]:
        """DELETE a deployment and wait until it is gone."""
        answer = await self.call("DELETE", f"/deployments/{name}")
        assert answer.status == 202, answer.body
        found = await self.when(name, lambda found: found["status"] == "retired")
        await self.eventually(lambda: "retired" in self.statuses(name)[-1:])
        return found

    async def alerts(self, name: str, news: str = "") -> list[dict[str, Any]]:
        """Return the alerts about a deployment, of one kind of news if named."""
        alerts = await asyncio.to_thread(self.sandbox.alerts.alerts)
        return [each for each in alerts if each["id"].startswith(f"{name}/{news}")]

    async def alerted(self, name: str, news: str) -> dict[str, Any]:
        """Wait for an alert, and return it."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not (found := await self.alerts(name, f"{news}/")):
            assert time.monotonic() < deadline, f"no alert {news} about {name}"
            await asyncio.sleep(POLL_SECONDS)
        return found[-1]

    async def failed_executions(self, name: str) -> list[dict[str, Any]]:
        """Wait until the operations topic is told of a deployment's workflows, and return what it was told."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            told = await asyncio.to_thread(self.sandbox.alerts.operations)
            if found := [each for each in told if f":{name}-" in each["execution"]]:
                return found
            assert time.monotonic() < deadline, f"nothing was told of {name}'s workflows"
            await asyncio.sleep(POLL_SECONDS)

    def events(self, detail_type: str, name: str) -> list[dict[str, Any]]:
        """Return the details of our events about a deployment, oldest first."""
        seen = [each for each in list(self.sandbox.emulation.events.seen) if each["DetailType"] == detail_type]
        details: list[dict[str, Any]] = [json.loads(each["Detail"]) for each in seen]
        return [each for each in details if each.get("deployment") == name]

    def statuses(self, name: str) -> list[str]:
        """Return the statuses that a deployment went through."""
        return [each["status"] for each in self.events("DeploymentStatusChanged", name)]

    async def codes(self, name: str) -> list[str]:
        """Return the codes of a deployment's decisions, newest first."""
        answer = await self.call("GET", f"/deployments/{name}/decisions?limit=100")
        return [each["reason"]["code"] for each in answer.body["items"]]

    async def chat(self, model: str, **more: Any) -> Answer:
        """Ask a model for a few words, whole."""
        body = {"model": model, "messages": [{"role": "user", "content": "hello"}], "max_tokens": 4, **more}
        return await self.call("POST", "/v1/chat/completions", body)

    def leftovers(self, name: str) -> list[str]:
        """Return the tagged resources of a deployment."""
        found = self.sandbox.emulation.leftovers(self.sandbox.options.stack)
        return [each for each in found if each.endswith(f"({name})")]

    async def clean_up(self) -> None:
        """Retire everything that was asked for; nothing may be left of it."""
        for name in dict.fromkeys(self._names):
            found = await self.when(
                name, lambda found: found.get("status") != "retiring" or not found["workflow"], seconds=PATIENCE_SECONDS
            )
            if found.get("status") not in _OVER:
                await self.retired(name)
            assert self.leftovers(name) == []

    def denied(self) -> list[RecordedCall]:
        """Return the AWS calls that were denied since this operator is here."""
        return self.sandbox.permissions.calls(denied=True)[self._denied_before :]

    def expect_no_accident(self) -> None:
        """Nothing was denied, no function raised but on purpose, and no event was lost."""
        assert self.denied() == []
        failures = list(self.sandbox.functions.failures)[self._failures_before :]
        assert [(name, each.payload) for name, each in failures if not _is_on_purpose(each)] == []
        assert self.sandbox.emulation.delivery.undelivered == []


def _is_routed(found: dict[str, Any]) -> bool:
    states = _ROUTED.get(found["status"])
    return states is None or found["route"]["state"] in states


def _is_on_purpose(invocation: Invocation) -> bool:
    # An authorizer says 401 by this very sentence.
    message = json.loads(invocation.payload).get("errorMessage")
    return invocation.error_type in _ON_PURPOSE or message == "Unauthorized"
