"""Our EventBridge bus, open to the user's own automation."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

from spillway.adapters.aws.errors import translated
from spillway.domain.errors import Retryable

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient

SOURCE = "spillway"


class EventBus:
    """Implements the ``Events`` port."""

    def __init__(self, client: "EventBridgeClient", bus: str) -> None:
        self._client = client
        self._bus = bus

    def publish(self, kind: str, deployment: str, detail: Mapping[str, object]) -> None:
        """Put one event; its detail always names the deployment."""
        entry_detail = json.dumps({"deployment": deployment, **detail})
        with translated():
            answer = self._client.put_events(
                Entries=[{"Source": SOURCE, "DetailType": kind, "Detail": entry_detail, "EventBusName": self._bus}]
            )
        # The call as a whole succeeds even when the bus takes no entry.
        if answer["FailedEntryCount"]:
            entry = answer["Entries"][0]
            raise Retryable(f"the event bus refused {kind}: {entry.get('ErrorCode')}: {entry.get('ErrorMessage')}")
