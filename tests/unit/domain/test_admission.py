"""Which of a user's wishes make sense in a deployment's present state."""

from typing import Any

import pytest

from spillway.domain.admission import ensure_can
from spillway.domain.decision import Action
from spillway.domain.deployments.status import Status
from spillway.domain.errors import Conflict, NotFound
from tests.builders import NOW, a_deployment


@pytest.mark.parametrize(
    ("action", "changes", "error"),
    [
        (Action.WAKE, {"status": Status.ASLEEP}, None),
        (Action.SLEEP, {"status": Status.SERVING}, None),
        (Action.WAKE, {"status": Status.SERVING}, Conflict),
        (Action.SLEEP, {"status": Status.ASLEEP}, Conflict),
        (Action.WAKE, {"status": Status.ASLEEP, "workflow": "another-execution"}, Conflict),
        (Action.SLEEP, {"status": Status.SERVING, "workflow": "another-execution"}, Conflict),
        (Action.WAKE, {"status": Status.FAILED}, Conflict),
        (Action.WAKE, {"status": Status.RETIRED}, NotFound),
    ],
)
def test_a_wake_or_sleep_needs_a_deployment_at_rest(
    action: Action, changes: dict[str, Any], error: type[Exception] | None
) -> None:
    deployment = a_deployment(**changes)
    if error is None:
        ensure_can(action, deployment, NOW)
    else:
        with pytest.raises(error):
            ensure_can(action, deployment, NOW)
