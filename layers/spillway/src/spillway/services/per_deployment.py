"""One turn a deployment, several at once: one that fails keeps nobody else from theirs."""

import logging
from collections.abc import Mapping
from concurrent.futures import Future
from typing import Any

from spillway.domain.errors import Retryable

logger = logging.getLogger(__name__)


def raise_unexpected(what: str, turns: Mapping[str, "Future[Any]"]) -> None:
    """Leave retryable failures to the next run; raise all others in a group. ``turns`` have ended, by deployment."""
    unexpected: list[Exception] = []
    for name, turn in turns.items():
        error = turn.exception()
        if isinstance(error, Retryable):
            logger.warning(f"left to the next {what}", extra={"deployment": name, "error": str(error)})
        elif isinstance(error, Exception):
            error.add_note(f"while looking at deployment {name}")
            unexpected.append(error)
    if unexpected:
        raise ExceptionGroup(f"the {what} failed for some deployments", unexpected)
