"""A CloudWatch log group for prompts and answers, written without an SDK."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from spillway.adapters.aws.http import AwsError, AwsHttp, AwsUnreachable
from spillway.gateway.errors import StoreUnavailable
from spillway.gateway.metering.text_log import Event


@dataclass
class LogGroup:
    """Implements the gateway's ``Sink`` by a stream of this process's own.

    ``name`` names the stream, when it is first needed: a process may be one of many that come from one snapshot.
    """

    aws: AwsHttp
    group: str
    name: Callable[[], str]
    _stream: str | None = field(default=None, init=False)
    _is_made: bool = field(default=False, init=False)

    async def put(self, events: Sequence[Event], seconds: float) -> None:
        """Put events in their order, in one call; raises StoreUnavailable."""
        if self._stream is None:
            self._stream = self.name()
        place = {"logGroupName": self.group, "logStreamName": self._stream}
        if not self._is_made:
            await self._call("CreateLogStream", place, seconds)
            self._is_made = True
        lines = [{"timestamp": event.at, "message": event.line} for event in events]
        answer = await self._call("PutLogEvents", {**place, "logEvents": lines}, seconds)
        if rejected := answer.get("rejectedLogEventsInfo"):
            raise StoreUnavailable(f"refused by the log: {rejected}")

    async def _call(self, operation: str, payload: Mapping[str, Any], seconds: float) -> dict[str, Any]:
        try:
            return await self.aws.call("CLOUDWATCH_LOGS", f"Logs_20140328.{operation}", payload, seconds)
        except AwsError as err:
            if err.code == "ResourceAlreadyExistsException":  # made by a call whose answer was lost
                return {}
            self._is_made = self._is_made and err.code != "ResourceNotFoundException"
            raise StoreUnavailable(str(err)) from err
        except AwsUnreachable as err:
            raise StoreUnavailable(str(err)) from err
