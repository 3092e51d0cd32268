"""A look at the emulated account from outside, and the hand that breaks things in it."""

import asyncio
import json
import time
from typing import Any

from aiohttp import ClientSession

from tests.sandbox.demo.ledger import Ledger
from tests.sandbox.runtime.alert_collector import is_alert


class Cloud:
    """Reads and faults through the sandbox's own ``/_sandbox`` endpoints."""

    def __init__(self, session: ClientSession, endpoint: str, ledger: Ledger) -> None:
        self._session = session
        self._endpoint = endpoint
        self._ledger = ledger

    async def instances(self, deployment: str) -> list[str]:
        """Return the ids of a deployment's instances that are not terminated."""
        found = await self._get("/_sandbox/instances")
        return [one["id"] for one in found if one["deployment"] == deployment]

    async def until_answering(self, deployment: str, seconds: float) -> str:
        """Wait for an instance whose engine answers, and return its id; LookupError after ``seconds`` (real)."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for one in await self._get("/_sandbox/instances"):
                if one["deployment"] == deployment and one["answers"]:
                    return str(one["id"])
            await asyncio.sleep(0.25)
        raise LookupError(f"no instance of {deployment} answers")

    async def kill_instance(self, deployment: str) -> str:
        """End the first answering instance of a deployment at once; return its id."""
        victim = await self.until_answering(deployment, 1)
        async with self._session.post(f"{self._endpoint}/_sandbox/instances/{victim}/kill") as answer:
            answer.raise_for_status()
        return victim

    async def no_capacity(self, instance_type: str) -> None:
        """Let AWS have no instance of this type."""
        async with self._session.post(
            f"{self._endpoint}/_sandbox/faults", json={"insufficient_capacity": [instance_type]}
        ) as answer:
            answer.raise_for_status()

    async def leftovers(self, deployment: str = "") -> list[str]:
        """Return every resource that still carries the deployment's tag (any deployment's, when left out)."""
        return list(await self._get("/_sandbox/leftovers", contains=deployment))

    async def meter(self) -> dict[str, Any]:
        """Return what the simulated AWS would bill: instances with their times, and models' tokens."""
        found: dict[str, Any] = await self._get("/_sandbox/meter")
        return found

    async def denied_calls(self) -> list[Any]:
        """Return the AWS calls that the caller's own role does not allow."""
        return list(await self._get("/_sandbox/calls", denied="1"))

    async def events(self, detail_type: str) -> list[dict[str, Any]]:
        """Return the details of the events of one type that went over any bus."""
        seen = await self._get("/_sandbox/events")
        return [one["detail"] for one in seen if one["detail-type"] == detail_type]

    async def alert(self, news: str, seconds: float) -> dict[str, Any] | None:
        """Wait for an alert of one kind of news for at most ``seconds`` (real)."""
        deadline = time.monotonic() + seconds
        while True:
            await self.read_alerts()
            found = [one for one in self._ledger.alerts if f"/{news}" in one["id"]]
            if found or time.monotonic() > deadline:
                return found[-1] if found else None
            await asyncio.sleep(0.25)

    async def read_alerts(self) -> None:
        """Bring the ledger's list of alerts up to date."""
        found = await self._get("/_sandbox/alerts")
        self._ledger.alerts = [each for one in found if is_alert(each := _alert(one["message"]))]

    async def _get(self, path: str, **query: str) -> Any:
        async with self._session.get(f"{self._endpoint}{path}", params=query) as answer:
            answer.raise_for_status()
            return await answer.json()


def _alert(message: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(message)
    return found
