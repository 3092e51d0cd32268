"""The answer that CloudFormation waits for from a custom resource."""

import json
import urllib.request
from collections.abc import Mapping
from typing import Any, Protocol

TIMEOUT_SECONDS = 10.0


class Respond(Protocol):
    """Tells CloudFormation how a custom resource's request ended."""

    def __call__(self, event: Mapping[str, Any], *, physical_id: str, failure: str | None = None) -> None:
        """Put the outcome; ``failure`` is the reason, None for success."""
        ...


def respond(event: Mapping[str, Any], *, physical_id: str, failure: str | None = None) -> None:
    """Put the outcome of ``event`` to CloudFormation's pre-signed URL; ``failure`` is the reason, None for success.

    Raises ``OSError`` when the URL does not take it.
    """
    url = event["ResponseURL"]
    if not url.startswith(("https://", "http://")):
        raise ValueError("ResponseURL is not an HTTP address")
    body = {
        "Status": "FAILED" if failure else "SUCCESS",
        "Reason": failure or "",
        "PhysicalResourceId": physical_id,
        "StackId": event["StackId"],
        "RequestId": event["RequestId"],
        "LogicalResourceId": event["LogicalResourceId"],
        "NoEcho": True,
    }
    # The URL is signed for no content type at all.
    request = urllib.request.Request(  # noqa: S310
        url, data=json.dumps(body).encode(), method="PUT", headers={"Content-Type": ""}
    )
    with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS):  # noqa: S310
        return
