"""EventBridge Scheduler, ticking on sandbox time."""

import json
import uuid
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from moto.scheduler.exceptions import ValidationException
from moto.scheduler.models import EventBridgeSchedulerBackend, scheduler_backends

from tests.sandbox.cloud.clock import SandboxClock
from tests.sandbox.cloud.cron import is_due, is_expression, rate_seconds
from tests.sandbox.cloud.delivery import Delivery
from tests.sandbox.cloud.moto_cloud import ACCOUNT, REGION
from tests.sandbox.cloud.patches import Patches

TICK_SECONDS = 5.0


@dataclass
class _Turn:
    """One schedule's last turn: sandbox epoch seconds, and what it set off."""

    at: float
    sent: "Future[Future[Any] | None] | None" = None

    def is_running(self) -> bool:
        if self.sent is None:
            return False
        if not self.sent.done():
            return True
        run = self.sent.result()
        return run is not None and not run.done()


def install(patches: Patches) -> None:
    """Refuse a schedule that could never be due until ``patches`` are undone; moto takes any."""
    for name in ("create_schedule", "update_schedule"):
        _check_before(patches, name)


def _check_before(patches: Patches, name: str) -> None:
    method = patches.set(EventBridgeSchedulerBackend, name, None)

    def checked(backend: Any, **fields: Any) -> Any:
        expression, zone = fields["schedule_expression"], fields["schedule_expression_timezone"]
        if not is_expression(expression):
            raise ValidationException(f"Invalid Schedule Expression {expression}.")
        if zone is not None and zone not in available_timezones():
            raise ValidationException(f"Invalid Schedule Expression Timezone {zone}.")
        return method(backend, **fields)

    setattr(EventBridgeSchedulerBackend, name, checked)


def _schedules() -> list[Any]:
    groups = list(scheduler_backends[ACCOUNT][REGION].schedule_groups.values())
    return [schedule for group in groups for schedule in list(group.schedules.values())]


class Scheduler:
    """Sends each enabled schedule's input to its target when it is due.

    A turn that is missed while the machine is late, or while the last one still runs, is left out: turns never pile up.
    """

    def __init__(self, clock: SandboxClock, delivery: Delivery) -> None:
        self._clock = clock
        self._delivery = delivery
        self._turns: dict[str, _Turn] = {}

    def start(self) -> None:
        """Begin to tick."""
        self._clock.call_later(TICK_SECONDS, self._tick)

    def leave(self, *functions: str) -> None:
        """Disable all schedules but those whose target's ARN has one of these names in it."""
        for schedule in _schedules():
            if not any(name in schedule.target["Arn"] for name in functions):
                schedule.state = "DISABLED"

    def _tick(self) -> None:
        now = self._clock.time()
        for schedule in _schedules():
            turn = self._turns.setdefault(schedule.arn, _Turn(now))
            if schedule.state == "ENABLED" and self._take_turn(schedule, turn, now) and not turn.is_running():
                turn.sent = self._delivery.send(schedule.arn, schedule.target, self._input(schedule))
        self.start()

    def _take_turn(self, schedule: Any, turn: _Turn, now: float) -> bool:
        if period := rate_seconds(schedule.schedule_expression):
            turns = int((now - turn.at) // period)
            turn.at += turns * period
            return turns > 0
        zone = ZoneInfo(schedule.schedule_expression_timezone)
        after, until = (datetime.fromtimestamp(at, zone) for at in (turn.at, now))
        turn.at = now
        return is_due(schedule.schedule_expression, after, until)

    def _input(self, schedule: Any) -> str:
        at = self._clock.now().strftime("%Y-%m-%dT%H:%M:%SZ")
        default = {
            "version": "0",
            "id": str(uuid.uuid4()),
            "detail-type": "Scheduled Event",
            "source": "aws.scheduler",
            "account": ACCOUNT,
            "time": at,
            "region": REGION,
            "resources": [schedule.arn],
            "detail": "{}",
        }
        text = str(schedule.target.get("Input") or json.dumps(default))
        attributes = {
            "schedule-arn": schedule.arn,
            "scheduled-time": at,
            "execution-id": default["id"],
            "attempt-number": "1",
        }
        for name, value in attributes.items():
            text = text.replace(f"<aws.scheduler.{name}>", str(value))
        return text
