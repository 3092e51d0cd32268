"""Repeat-safe calls on Powertools' idempotency records in DynamoDB."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast

from aws_lambda_powertools.utilities.idempotency import (
    DynamoDBPersistenceLayer,
    IdempotencyConfig,
    idempotent_function,
)
from aws_lambda_powertools.utilities.idempotency.exceptions import (
    IdempotencyAlreadyInProgressError,
    IdempotencyInconsistentStateError,
    IdempotencyPersistenceLayerError,
    IdempotencyValidationError,
)

from spillway.adapters.aws.errors import translated
from spillway.domain.errors import Conflict

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext
    from mypy_boto3_dynamodb import DynamoDBClient

KEPT_FOR = timedelta(hours=24)
_HEADER = "Idempotency-Key"


@dataclass(frozen=True)
class _Remaining:
    """The one thing that Powertools asks a Lambda context for."""

    milliseconds: int

    def get_remaining_time_in_millis(self) -> int:
        return self.milliseconds


class IdempotencyTable:
    """Implements the ``Once`` port; answers are kept for a day."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client = client
        self._table = table

    def run(
        self, key: str, payload: Mapping[str, object], action: Callable[[], dict[str, Any]], remaining_ms: int
    ) -> dict[str, Any]:
        """Run ``action``, or return what it returned under this key before."""
        config = IdempotencyConfig(
            event_key_jmespath="key",
            payload_validation_jmespath="payload",
            raise_on_no_idempotency_key=True,
            expires_after_seconds=int(KEPT_FOR.total_seconds()),
            hash_function="sha256",
            lambda_context=cast("LambdaContext", _Remaining(remaining_ms)),
        )

        def answer(*, call: Mapping[str, object]) -> dict[str, Any]:
            return action()

        once = idempotent_function(
            answer,
            data_keyword_argument="call",
            persistence_store=self._store(),
            config=config,
            key_prefix="spillway",
        )
        with translated():
            try:
                found: dict[str, Any] = once(call={"key": key, "payload": dict(payload)})
            except IdempotencyValidationError as err:
                raise Conflict(
                    f"{_HEADER} was used with another request: use a new one for a new request",
                    param=_HEADER,
                    code="idempotency_key_reused",
                ) from err
            except (IdempotencyAlreadyInProgressError, IdempotencyInconsistentStateError) as err:
                raise Conflict(
                    f"the first request with this {_HEADER} still runs: repeat it in a moment",
                    param=_HEADER,
                    code="idempotency_key_in_progress",
                ) from err
            except IdempotencyPersistenceLayerError as err:
                # Powertools wraps what botocore raised.
                raise err.__cause__ or err from err
        return found

    def _store(self) -> DynamoDBPersistenceLayer:
        # A store remembers its first configuration, and with it the Lambda context of that call.
        return DynamoDBPersistenceLayer(table_name=self._table, boto3_client=self._client)
