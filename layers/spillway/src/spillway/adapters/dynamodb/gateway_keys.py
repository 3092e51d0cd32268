"""The ``keys`` table as a gateway reads it that has no authorizer before it, without an SDK."""

from dataclasses import dataclass
from typing import Any

from spillway.adapters.aws.http import AwsHttp
from spillway.adapters.dynamodb.gateway_tables import dynamo
from spillway.adapters.dynamodb.key_items import key_of, points_to
from spillway.domain.access.keys import Key
from spillway.gateway.errors import StoreUnavailable


@dataclass(frozen=True)
class GatewayKeys:
    """Reads keys, consistently: one deleted a moment ago opens nothing."""

    aws: AwsHttp
    table: str

    async def find(self, secret_id: str) -> Key | None:
        """Return the key that a secret's id leads to; raises StoreUnavailable."""
        item = await self._item(secret_id)
        if item is not None and (key_id := points_to(item)):
            item = await self._item(key_id)
        try:
            return None if item is None or points_to(item) else key_of(item)
        except (AttributeError, LookupError, TypeError, ValueError) as err:
            raise StoreUnavailable(f"a stored key cannot be read: {err}") from err

    async def _item(self, item_id: str) -> dict[str, Any] | None:
        payload = {"TableName": self.table, "Key": {"id": {"S": item_id}}, "ConsistentRead": True}
        found: dict[str, Any] | None = (await dynamo(self.aws, "GetItem", payload)).get("Item")
        return found
