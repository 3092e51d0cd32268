"""What of a text has to wait for more of it, because a mark may have begun in it."""

from collections.abc import Sequence


def begun_length(text: str, marks: Sequence[str]) -> int:
    """Return the length of the longest end of a text that one of the marks begins with, but is not whole in."""
    longest = min(len(text), max(map(len, marks), default=1) - 1)
    for length in range(longest, 0, -1):
        if any(mark.startswith(text[-length:]) for mark in marks):
            return length
    return 0
