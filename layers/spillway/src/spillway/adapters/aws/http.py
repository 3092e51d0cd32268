"""Signed HTTP to AWS: what the gateway needs of an SDK, at a fraction of its weight."""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

import orjson

from spillway.adapters.aws.connections import Answer, ConnectionDropped, Connections
from spillway.adapters.aws.sigv4 import Credentials, Signer
from spillway.settings import Settings

# Service id in the SDKs' endpoint variables → (host prefix, name in the signature).
SERVICES = {
    "DYNAMODB": ("dynamodb", "dynamodb"),
    "EVENTBRIDGE": ("events", "events"),
    "BEDROCK_RUNTIME": ("bedrock-runtime", "bedrock"),
    "SAGEMAKER_RUNTIME": ("runtime.sagemaker", "sagemaker"),
    "CLOUDWATCH_LOGS": ("logs", "logs"),
}
# A connection that was dead before the request is noticed within a round trip.
_AT_ONCE_SECONDS = 0.5
# How long credentials are not looked for again: botocore renews them at least ten minutes before they end.
_CREDENTIALS_SECONDS = 30.0


class AwsError(Exception):
    """AWS answered with an error; ``code`` is its name without the namespace, ``fields`` the whole answer."""

    def __init__(self, status: int, code: str, message: str, fields: Mapping[str, Any] | None = None) -> None:
        super().__init__(f"{code}: {message}")
        self.status = status
        self.code = code
        self.fields = fields or {}


class AwsUnreachable(Exception):
    """No answer: refused, reset, no such host, or too slow."""


@dataclass
class AwsHttp:
    """Signed requests to AWS, or to wherever the SDKs' own endpoint variables point."""

    connections: Connections
    settings: Settings
    now: Callable[[], datetime]
    _session: Any = field(default=None, init=False)
    _chain: Any = field(default=None, init=False)
    _found: tuple[float, Credentials] | None = field(default=None, init=False)

    @cached_property
    def _signer(self) -> Signer:
        return Signer(self.settings.region)

    def url(self, service: str, path: str = "/") -> str:
        """Return a service's address with an already percent-encoded ``path``."""
        base = self.settings.endpoint_url(service)
        if base is None:
            region = self.settings.region
            suffix = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
            base = f"https://{SERVICES[service][0]}.{region}.{suffix}"
        return base + path

    async def post(
        self,
        url: str,
        signed_as: str,
        body: bytes,
        headers: Mapping[str, str],
        connect_seconds: float,
        *,
        repeatable: bool = True,
    ) -> Answer:
        """Send a request and return once the answer's headers are there; raises AwsUnreachable.

        A pooled connection may have died while Lambda had us frozen: a request that a server dropped at once and
        without a word is sent once more, unless doing it twice would do harm. One that it dropped later it had begun
        to work on, and an engine's work is paid for.
        """
        credentials = await self._credentials()
        signed = self._signer.headers(url, signed_as, body, headers, credentials, self.now())
        for is_last in (False, True) if repeatable else (True,):
            sent = time.monotonic()
            try:
                return await self.connections.post(url, signed, body, connect_seconds)
            except OSError as err:
                if is_last or not isinstance(err, ConnectionDropped) or time.monotonic() - sent > _AT_ONCE_SECONDS:
                    raise AwsUnreachable(f"{type(err).__name__}: {err}") from err
        raise AssertionError("the last attempt returns or raises")

    async def call(
        self, service: str, target: str, payload: Mapping[str, Any], seconds: float, *, repeatable: bool = True
    ) -> dict[str, Any]:
        """Call an AWS JSON operation such as ``DynamoDB_20120810.GetItem``; raises AwsError or AwsUnreachable."""
        version = "1.0" if service == "DYNAMODB" else "1.1"
        headers = {"content-type": f"application/x-amz-json-{version}", "x-amz-target": target}
        try:
            async with asyncio.timeout(seconds):
                url, signed_as = self.url(service), SERVICES[service][1]
                response = await self.post(
                    url, signed_as, orjson.dumps(payload), headers, seconds, repeatable=repeatable
                )
                async with response:
                    return _answer(response.status, await response.read())
        except OSError as err:
            raise AwsUnreachable(f"{target}: {type(err).__name__}") from err

    async def _credentials(self) -> Credentials:
        """Return Lambda's credentials, or what botocore's chain finds (SnapStart, containers, a profile)."""
        moment = time.monotonic()
        if self._found is not None and moment - self._found[0] < _CREDENTIALS_SECONDS:
            return self._found[1]
        if static := self.settings.static_credentials():
            credentials = Credentials(*static)
        else:
            found = await asyncio.to_thread(self._from_chain)
            credentials = Credentials(found.access_key, found.secret_key, found.token)
        self._found = moment, credentials
        return credentials

    def prepare(self) -> None:
        """Load what credentials are found with, and find none: those of a snapshot would be every start's."""
        # Not at the top: half a second that the common case does not need.
        from botocore.session import Session

        self._session = Session()
        self._session.get_component("credential_provider")

    def _from_chain(self) -> Any:
        if self._session is None:
            self.prepare()
        if self._chain is None:
            self._chain = self._session.get_credentials()
        if self._chain is None:
            raise AwsUnreachable("no AWS credentials found")
        return self._chain.get_frozen_credentials()


def _answer(status: int, body: bytes) -> dict[str, Any]:
    try:
        answer = orjson.loads(body) if body else {}
    except orjson.JSONDecodeError:
        answer = {}
    if status == 200 and isinstance(answer, dict):
        return answer
    fields = answer if isinstance(answer, dict) else {}
    code = str(fields.get("__type") or f"HTTP{status}").rsplit("#", 1)[-1]
    raise AwsError(status, code, str(fields.get("message") or fields.get("Message") or ""), fields)
