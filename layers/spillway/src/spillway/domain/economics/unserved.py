"""Requests that found nobody: without a spill target, all that is known of them is how many they were."""

from spillway.domain.observations.traffic import Minute

# How far one minute moves what is remembered of a request's size.
_WEIGHT = 0.05


def size_after(tokens_per_request: float | None, minute: Minute) -> float | None:
    """Return the mean tokens of an answered request, moved by what the primary answered in this minute."""
    if not minute.primary_requests:
        return tokens_per_request
    size = minute.primary_tokens / minute.primary_requests
    return size if tokens_per_request is None else tokens_per_request + _WEIGHT * (size - tokens_per_request)


def unserved_tokens(minute: Minute, tokens_per_request: float | None, capacity: float) -> float:
    """Return the tokens that the minute's unanswered requests would have had, refused and given up alike.

    While no answer has told how large a request is, all of them together count as one instance's ``capacity``.
    """
    unserved = max(0, minute.requests - minute.primary_requests)
    if not unserved:
        return 0.0
    return capacity if tokens_per_request is None else unserved * tokens_per_request
