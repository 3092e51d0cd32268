"""The fields that say how much may be generated: one reading of them for limits, engines and Bedrock alike."""

from typing import Any

from spillway.domain.errors import InvalidRequest

COUNTS = ("max_tokens", "max_completion_tokens", "max_output_tokens", "n", "best_of")
_LARGEST = 2**31 - 1
_DIGITS = len(str(_LARGEST))


def read_counts(body: dict[str, Any]) -> None:
    """Make whole numbers of what engines read as such (``"5"``, ``5.0``); raises InvalidRequest with the field.

    An engine takes them in any of these forms, Converse as integers only, and what a key may use is held by them.
    """
    for field in COUNTS:
        if (value := body.get(field)) is not None and not (type(value) is int and 1 <= value <= _LARGEST):
            body[field] = _count(field, value)


def _count(field: str, value: object) -> int:
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= _DIGITS:
        value = int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        raise InvalidRequest(_wrong(field), param=field, code="invalid_type")
    if not 1 <= value <= _LARGEST:
        raise InvalidRequest(_wrong(field), param=field)
    return value


def _wrong(field: str) -> str:
    return f"{field} must be a whole number from 1 to {_LARGEST}"
