"""VPC links V2 as API Gateway keeps them: one that carried nothing for 60 days sleeps, and fails whoever wakes it."""

from collections.abc import Callable

from moto.apigatewayv2.models import apigatewayv2_backends

from tests.sandbox.cloud.moto_cloud import ACCOUNT, REGION

# API Gateway Developer Guide, "Set up VPC links V2"; it says "a few minutes" of the waking.
QUIET_SECONDS = 60 * 86_400.0
WAKING_SECONDS = 180.0


def is_made(link_id: str) -> bool:
    """Whether the account has this link."""
    return link_id in apigatewayv2_backends[ACCOUNT][REGION].vpc_links


class VpcLinks:
    """Tells whether requests get through; ``now`` gives sandbox seconds."""

    def __init__(self, now: Callable[[], float], is_made: Callable[[str], bool] = is_made) -> None:
        self._now = now
        self._is_made = is_made
        self._made_at = now()
        self._awake_at: dict[str, float] = {}
        # When each link was last asked to carry a request.
        self.last_traffic: dict[str, float] = {}

    def carry(self, link_id: str) -> bool:
        """Whether a request gets through now. One that doesn't is traffic too: it wakes the link."""
        if not self._is_made(link_id):
            return False
        now = self._now()
        if now - self.last_traffic.get(link_id, self._made_at) > QUIET_SECONDS:
            self._awake_at[link_id] = now + WAKING_SECONDS
        self.last_traffic[link_id] = now
        return now >= self._awake_at.get(link_id, 0.0)
