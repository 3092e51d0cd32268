"""Whether two patterns with stars have a text in common."""

from functools import cache


def arns_may_meet(one: str, other: str) -> bool:
    """Return whether some ARN fits both: each of its six parts by itself, as a name holds no colon that counts."""
    parts, others = one.split(":", 5), other.split(":", 5)
    return len(parts) == len(others) and all(map(may_meet, parts, others))


def may_meet(one: str, other: str) -> bool:
    """Return whether some text fits both; a star stands for anything, ``?`` for one character."""

    @cache
    def meet(left: int, right: int) -> bool:
        if left == len(one) and right == len(other):
            return True
        if left < len(one) and one[left] == "*":
            return meet(left + 1, right) or (right < len(other) and meet(left, right + 1))
        if right < len(other) and other[right] == "*":
            return meet(left, right + 1) or (left < len(one) and meet(left + 1, right))
        if left == len(one) or right == len(other):
            return False
        return (one[left] == other[right] or "?" in (one[left], other[right])) and meet(left + 1, right + 1)

    return meet(0, 0)
