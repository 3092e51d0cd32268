"""The way to the fleets, tried without one: as far as the load balancer's own answer."""

import asyncio
from dataclasses import dataclass

import orjson

from spillway.adapters.aws.http import AwsHttp, AwsUnreachable
from spillway.adapters.upstreams.failures import refusal_of
from spillway.domain.errors import SmokeTestFailed
from spillway.gateway.timeouts import CONNECT_SECONDS, SMOKE_TEST_SECONDS

# No deployment can have this name.
NOBODY = "-"
# What the listener of the template answers where no fleet's rule matches.
NO_FLEET = "no_fleet"


@dataclass(frozen=True)
class FleetDoor:
    """API Gateway, its VPC link, and the load balancer behind them."""

    aws: AwsHttp
    fleets_url: str

    async def ensure_open(self) -> None:
        """Ask for a fleet that cannot be; raises SmokeTestFailed unless the load balancer says that there is none.

        API Gateway puts a VPC link to sleep that carried nothing for 60 days: requests fail until it has been woken,
        which the first of them begins and which takes minutes.
        """
        url = f"{self.fleets_url}/{NOBODY}/v1/models"
        headers = {"content-type": "application/json"}
        try:
            async with asyncio.timeout(SMOKE_TEST_SECONDS):
                response = await self.aws.post(url, "execute-api", orjson.dumps({}), headers, CONNECT_SECONDS)
                async with response:
                    refusal = refusal_of(response.status, response.headers, await response.read())
        except (AwsUnreachable, OSError) as err:
            raise SmokeTestFailed(f"the way to the fleets does not answer: {type(err).__name__} {err}") from err
        error = (refusal.fields or {}).get("error")
        if not isinstance(error, dict) or error.get("code") != NO_FLEET:
            raise SmokeTestFailed(f"the way to the fleets is closed: HTTP {refusal.status} {refusal.message}")
