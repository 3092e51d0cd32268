"""What a call's parameters look like, without their values: what an SDK's model of a service takes or refuses.

botocore looks at names, types, what is required, and least values and lengths: of those, zero is told apart.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from botocore.model import ListShape, MapShape, Shape, StructureShape

# DynamoDB's values: every SDK knows them, and an item's content would be a shape of its own each time.
VALUE = "AttributeValue"
# Before the type of a zero or an empty text.
EMPTY = "no "
# Stands for every key of a map.
ANY_KEY = "*"


def shape_of(shape: Shape | None, value: Any) -> Any:
    """Return ``value`` with the names of its types for values, and what repeats in lists and maps once.

    Raises KeyError for a member that the shape does not have.
    """
    if shape is None:
        return {}
    if shape.name == VALUE:
        return VALUE
    match shape:
        case StructureShape():
            members: Mapping[str, Shape] = shape.members
            return {name: shape_of(members[name], part) for name, part in sorted(value.items())}
        case ListShape():
            return _different(shape_of(shape.member, part) for part in value)
        case MapShape():
            return {ANY_KEY: _different(shape_of(shape.value, part) for part in value.values())}
        case _:
            return shape.type_name if value or shape.type_name == "boolean" else f"{EMPTY}{shape.type_name}"


def is_part(shape: Any, whole: Any) -> bool:
    """Whether whoever takes ``whole`` takes a shape: no more kinds of entries in each list and map, no lower values."""
    match shape, whole:
        case dict(), dict():
            return shape.keys() == whole.keys() and all(is_part(part, whole[name]) for name, part in shape.items())
        case list(), list():
            return all(any(is_part(part, other) for other in whole) for part in shape)
        case _:
            return shape == whole or (isinstance(shape, str) and f"{EMPTY}{shape}" == whole)


def _different(shapes: Iterable[Any]) -> list[Any]:
    return [json.loads(text) for text in sorted({json.dumps(shape, sort_keys=True) for shape in shapes})]
