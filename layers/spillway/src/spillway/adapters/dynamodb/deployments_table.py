"""The ``deployments`` table in DynamoDB: one item a deployment, every write conditional."""

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from spillway.adapters.aws.errors import translated
from spillway.adapters.dynamodb.cursor import decode_cursor, encode_cursor
from spillway.domain.admission import name_in_use
from spillway.domain.deployments.deployment import Deployment, Inventory
from spillway.domain.deployments.measured_capacity import measured_from_json, measured_to_json
from spillway.domain.deployments.spec import DeploymentSpec
from spillway.domain.deployments.status import Status
from spillway.domain.errors import NotFound, Superseded
from spillway.domain.paths.bedrock_models import CalledModel, own_id
from spillway.domain.paths.targets import target_from_json, target_to_json

if TYPE_CHECKING:
    from botocore.exceptions import ClientError
    from mypy_boto3_dynamodb import DynamoDBClient

logger = logging.getLogger(__name__)


class DeploymentsTable:
    """Implements the ``Deployments`` port."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client = client
        self._table = table

    def get(self, name: str) -> Deployment:
        """Read consistently: what follows is decided on it."""
        with translated():
            answer = self._client.get_item(TableName=self._table, Key={"name": {"S": name}}, ConsistentRead=True)
        if "Item" not in answer:
            raise NotFound(f"no deployment is named '{name}'", param="name")
        return deployment_of(answer["Item"])

    def create(self, deployment: Deployment) -> None:
        """Store a new record, over a retired one of the same name at most."""
        with translated():
            try:
                self._client.put_item(
                    TableName=self._table,
                    Item=item_of(deployment),
                    ConditionExpression="attribute_not_exists(#name) OR #status = :retired",
                    ExpressionAttributeNames={"#name": "name", "#status": "status"},
                    ExpressionAttributeValues={":retired": {"S": Status.RETIRED}},
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                )
            except self._client.exceptions.ConditionalCheckFailedException as err:
                if _is_stored(err, deployment):
                    return
                raise name_in_use(deployment.name) from err

    def update(self, deployment: Deployment) -> Deployment:
        """Store the next version of a record that nobody else wrote meanwhile."""
        written = replace(deployment, version=deployment.version + 1)
        with translated():
            try:
                self._client.put_item(
                    TableName=self._table,
                    Item=item_of(written),
                    ConditionExpression="#version = :read",
                    ExpressionAttributeNames={"#version": "version"},
                    ExpressionAttributeValues={":read": {"N": str(deployment.version)}},
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                )
            except self._client.exceptions.ConditionalCheckFailedException as err:
                if _is_stored(err, written):
                    return written
                raise Superseded(f"deployment '{deployment.name}' was changed by somebody else") from err
        return written

    def page(self, limit: int, cursor: str | None) -> tuple[Sequence[Deployment], str | None]:
        """Return one page in the table's own order, which is stable but not by name."""
        start: dict[str, Any] = {"ExclusiveStartKey": decode_cursor(cursor, "name")} if cursor else {}
        with translated():
            answer = self._client.scan(TableName=self._table, Limit=limit, ConsistentRead=True, **start)
        return _inventory(answer["Items"]).deployments, encode_cursor(answer.get("LastEvaluatedKey"))

    def all(self) -> Inventory:
        """Read every deployment, a megabyte a call."""
        items: list[dict[str, Any]] = []
        start: dict[str, Any] = {}
        while True:
            with translated():
                answer = self._client.scan(TableName=self._table, ConsistentRead=True, **start)
            items += answer["Items"]
            if not answer.get("LastEvaluatedKey"):
                return _inventory(items)
            start = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}


def _inventory(items: Sequence[dict[str, Any]]) -> Inventory:
    deployments, unreadable = [], []
    for item in items:
        try:
            deployments.append(deployment_of(item))
        except (KeyError, TypeError, ValueError) as err:
            name = item["name"]["S"]
            unreadable.append(name)
            logger.error("a stored deployment cannot be read", extra={"deployment": name, "error": repr(err)})
    return Inventory(deployments, unreadable)


def _is_stored(err: "ClientError", written: Deployment) -> bool:
    """Whether what is in the way is our own write: the SDK repeats a call whose answer was lost."""
    stored: Any = err.response.get("Item")
    return stored is not None and deployment_of(stored) == written


def item_of(deployment: Deployment) -> dict[str, Any]:
    """Return the DynamoDB item of a record; absent values have no attribute."""
    texts = {
        "name": deployment.name,
        "spec": deployment.spec.model_dump_json(),
        "status": deployment.status,
        "status_reason": deployment.status_reason,
        "created_at": deployment.created_at.isoformat(),
        "updated_at": deployment.updated_at.isoformat(),
        "resources": json.dumps(dict(deployment.resources)),
        "target": json.dumps(target_to_json(deployment.target)) if deployment.target else None,
        "hold_until": deployment.hold_until.isoformat() if deployment.hold_until else None,
        "workflow": deployment.workflow,
        "called": json.dumps(_called_to_json(deployment.called)) if deployment.called else None,
        "measured": json.dumps(measured_to_json(deployment.measured)) if deployment.measured else None,
    }
    numbers = {
        "version": deployment.version,
        "desired": deployment.desired,
        "cold_start_seconds": deployment.cold_start_seconds,
        "restore": deployment.restore,
    }
    return {
        **{name: {"S": text} for name, text in texts.items() if text is not None},
        **{name: {"N": str(number)} for name, number in numbers.items() if number is not None},
    }


def deployment_of(item: dict[str, Any]) -> Deployment:
    """Read back what :func:`item_of` made."""
    plain: dict[str, str] = {name: next(iter(value.values())) for name, value in item.items()}
    return Deployment(
        spec=DeploymentSpec.model_validate_json(plain["spec"]),
        status=Status(plain["status"]),
        status_reason=plain["status_reason"],
        created_at=datetime.fromisoformat(plain["created_at"]),
        updated_at=datetime.fromisoformat(plain["updated_at"]),
        version=int(plain["version"]),
        desired=int(plain["desired"]),
        resources=json.loads(plain["resources"]),
        cold_start_seconds=float(plain["cold_start_seconds"]) if "cold_start_seconds" in plain else None,
        workflow=plain.get("workflow"),
        target=target_from_json(json.loads(plain["target"])) if "target" in plain else None,
        hold_until=datetime.fromisoformat(plain["hold_until"]) if "hold_until" in plain else None,
        restore=int(plain["restore"]) if "restore" in plain else None,
        called=_called_from(plain),
        measured=measured_from_json(json.loads(plain["measured"])) if "measured" in plain else None,
    )


def _called_to_json(called: Mapping[str, CalledModel | None]) -> dict[str, dict[str, Any] | None]:
    return {asked: None if model is None else vars(model) for asked, model in called.items()}


def _called_from(plain: Mapping[str, str]) -> dict[str, CalledModel | None]:
    """Return what the catalog said; an earlier version kept only the regions, by the id that is called."""
    if "called" not in plain:
        kept = json.loads(plain.get("serves_in", "{}"))
        return {id_: regions and CalledModel(id_, own_id(id_), tuple(regions)) for id_, regions in kept.items()}
    stored = json.loads(plain["called"])
    return {
        asked: model and CalledModel(model["called_id"], model["model_id"], tuple(model["regions"]))
        for asked, model in stored.items()
    }
