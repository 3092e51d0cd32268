"""What a worker does before its function is imported: its clock runs fast, its AWS calls are authorised."""

import http.client
import json
import threading
import time
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import boto3
import botocore.endpoint
from botocore.client import BaseClient
from botocore.exceptions import ClientError
from botocore.loaders import JSONFileLoader

from tests.calls.record import CallShape, call_shape

RECORDED_HEADER = "x-sandbox-recorded"


def replace_clock(setting: str) -> None:
    """Replace ``spillway.clock.utc_now``, and let the SDK wait between its retries on the same clock.

    ``setting`` is ``<real epoch>:<sandbox epoch>:<factor>``.
    """
    real0, sandbox0, factor = (float(part) for part in setting.split(":"))
    from spillway import clock

    def utc_now() -> datetime:
        return datetime.fromtimestamp(sandbox0 + (time.time() - real0) * factor, UTC)

    clock.utc_now = utc_now
    waits: Any = SimpleNamespace(sleep=lambda seconds: time.sleep(seconds / factor))
    botocore.endpoint.time = waits  # type: ignore[attr-defined]


def keep_data_files() -> None:
    """Read every file of the SDK's data only once from now on."""
    loader_class: Any = JSONFileLoader
    load = loader_class.load_file
    read: dict[str, Any] = {}

    def load_once(self: JSONFileLoader, file_path: str) -> Any:
        if file_path not in read:
            read[file_path] = load(self, file_path)
        return read[file_path]

    loader_class.load_file = load_once


def make_client(service: str) -> None:
    """Read what a client of a service reads."""
    boto3.Session("none", "none", region_name="us-east-1").client(service)  # type: ignore[call-overload]


def authorize_calls(endpoint: str) -> None:
    """Ask the sandbox before every API call of botocore whether the function's role allows it."""
    gate = _Gate(endpoint)
    client_class: Any = BaseClient
    call = client_class._make_api_call

    def authorized(self: Any, operation_name: str, api_params: dict[str, Any]) -> Any:
        service = self.meta.service_model.service_name
        principal = self._request_signer._credentials.access_key
        shape = call_shape(self, operation_name, api_params)
        refused = gate.refusal(principal, service, operation_name, api_params, shape)
        if refused is not None:
            raise ClientError(_denial(service, refused), operation_name)
        self.meta.events.register_first("before-call", _mark, unique_id="sandbox-recorded")
        return call(self, operation_name, api_params)

    client_class._make_api_call = authorized


class _Gate:
    """One kept-alive connection per thread to the sandbox's own endpoint."""

    def __init__(self, endpoint: str) -> None:
        parts = urlsplit(endpoint)
        self._address = (parts.hostname or "127.0.0.1", parts.port or 80)
        self._local = threading.local()

    def refusal(
        self, principal: str, service: str, operation: str, params: dict[str, Any], shape: CallShape | None
    ) -> str | None:
        """Return why the call is denied, or None."""
        asked = {
            "principal": principal,
            "service": service,
            "operation": operation,
            "params": params,
            "shape": shape and shape.parameters,
        }
        answer = self._post(json.dumps(asked, default=_plain).encode())
        return None if answer["allowed"] else str(answer["message"])

    def _post(self, body: bytes) -> dict[str, Any]:
        for fresh in (False, True):
            connection = self._connection(fresh)
            try:
                connection.request("POST", "/_sandbox/authorize", body, {"Content-Type": "application/json"})
                response = connection.getresponse()
                answer: dict[str, Any] = json.loads(response.read())
                return answer
            except (http.client.HTTPException, ConnectionError):
                # A kept-alive connection may have been closed meanwhile; a fresh one that fails is an error.
                if fresh:
                    raise
        raise AssertionError("unreachable")

    def _connection(self, fresh: bool) -> http.client.HTTPConnection:
        existing: http.client.HTTPConnection | None = getattr(self._local, "connection", None)
        if existing is None or fresh:
            existing = http.client.HTTPConnection(*self._address, timeout=30)
            self._local.connection = existing
        return existing


def _mark(params: dict[str, Any], **_: object) -> None:
    params["headers"][RECORDED_HEADER] = "1"


def _denial(service: str, message: str) -> Any:
    code = {"ec2": "UnauthorizedOperation", "sns": "AuthorizationError"}.get(service, "AccessDeniedException")
    if service in ("autoscaling", "elbv2", "iam", "sqs", "sts"):
        code = "AccessDenied"
    return {
        "Error": {"Code": code, "Message": message},
        "ResponseMetadata": {"HTTPStatusCode": 403, "RequestId": "sandbox", "HTTPHeaders": {}, "RetryAttempts": 0},
    }


def _plain(value: object) -> str:
    if isinstance(value, (bytes, bytearray)):
        return bytes(value).decode("utf-8", "replace")
    return str(value)
