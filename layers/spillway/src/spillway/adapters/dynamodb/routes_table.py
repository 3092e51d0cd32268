"""The ``routes`` table in DynamoDB, as the control plane writes it.

The gateway marks wake requests on the same items (``wake_requested_at``); writes here leave that attribute alone.
"""

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from spillway.adapters.aws.errors import translated
from spillway.adapters.dynamodb.batch_get import batch_get
from spillway.domain.errors import Superseded
from spillway.domain.routing.route import Route, route_from_json, route_to_json

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

logger = logging.getLogger(__name__)


class RoutesTable:
    """Implements the ``Routes`` port."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client = client
        self._table = table

    def get(self, name: str) -> Route | None:
        """Read consistently, because a write conditional on the version follows."""
        with translated():
            answer = self._client.get_item(TableName=self._table, Key={"name": {"S": name}}, ConsistentRead=True)
        item: Mapping[str, Any] = answer.get("Item", {})
        return _route_of(item)

    def put(self, route: Route) -> None:
        """Store the next version; version 0 is a route that does not exist yet."""
        written = replace(route, version=route.version + 1)
        condition = "#version = :read" if route.version else "attribute_not_exists(#version)"
        values = {":body": {"S": json.dumps(route_to_json(written))}, ":written": {"N": str(written.version)}}
        if route.version:
            values[":read"] = {"N": str(route.version)}
        with translated():
            try:
                self._client.update_item(
                    TableName=self._table,
                    Key={"name": {"S": route.name}},
                    UpdateExpression="SET #body = :body, #version = :written",
                    ConditionExpression=condition,
                    ExpressionAttributeNames={"#body": "body", "#version": "version"},
                    ExpressionAttributeValues=values,
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                )
            except self._client.exceptions.ConditionalCheckFailedException as err:
                # The SDK repeats a write whose answer was lost: then the version in the way is our own.
                stored: Any = err.response.get("Item", {})
                if _route_of(stored) == written:
                    return
                raise Superseded(f"the route of '{route.name}' was changed by somebody else") from err

    def delete(self, name: str) -> None:
        """Delete a route; one that is gone already is fine."""
        with translated():
            self._client.delete_item(TableName=self._table, Key={"name": {"S": name}})

    def get_many(self, names: Sequence[str]) -> Mapping[str, Route]:
        """Read many routes, 100 a call; a name without a route, or one that this version can read, has no entry."""
        found = (_readable(item) for item in batch_get(self._client, self._table, "name", names))
        return {route.name: route for route in found if route is not None}


def _readable(item: Mapping[str, Any]) -> Route | None:
    try:
        return _route_of(item)
    except (KeyError, TypeError, ValueError) as err:
        logger.error("a stored route cannot be read", extra={"deployment": item["name"]["S"], "error": repr(err)})
        return None


def _route_of(item: Mapping[str, Any]) -> Route | None:
    # A wake request that raced a deletion leaves an item without a route.
    return route_from_json(json.loads(item["body"]["S"])) if "body" in item else None
