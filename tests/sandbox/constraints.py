"""What a service's model says of its parameters, and botocore does not look at: longest, largest, pattern, closed sets.

botocore refuses wrong types, missing members and what is too short or too small, and sends the rest.
"""

import re
import sys
import unicodedata
import warnings
from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import groupby
from typing import Any

from botocore.client import BaseClient
from botocore.exceptions import ClientError
from botocore.model import ListShape, MapShape, ServiceModel, Shape, StringShape, StructureShape

# Java's classes that Python's expressions lack, as what stands between the brackets.
_POSIX = {"ASCII": r"\x00-\x7f", "Alnum": "0-9A-Za-z", "Print": r"\x20-\x7e"}
# How models write every character beyond the first plane, which in Java is two.
_SURROGATES = r"\uD800\uDC00-\uDBFF\uDFFF"


def refuse_what_services_refuse() -> None:
    """Have every boto3 client of this process answer a call that its service's model forbids as the service would."""
    client_class: Any = BaseClient
    call = client_class._make_api_call

    def checked(self: Any, operation_name: str, api_params: dict[str, Any]) -> Any:
        service = self.meta.service_model
        if found := violation(service, operation_name, api_params):
            answer: Any = {
                "Error": {"Code": code_of(service), "Message": found},
                "ResponseMetadata": {"HTTPStatusCode": 400, "RequestId": "sandbox"},
            }
            raise ClientError(answer, operation_name)
        return call(self, operation_name, api_params)

    client_class._make_api_call = checked


def violation(service: ServiceModel, operation: str, params: Mapping[str, Any]) -> str | None:
    """Return what the service would say of the first parameter that it does not take, None if it takes all.

    Nothing of EC2's: it has a code of its own for each, and its model limits hardly anything but to today's names.
    """
    if service.service_name == "ec2":
        return None
    shape = service.operation_model(operation).input_shape
    first = next(_violations(shape, params, ""), None) if shape else None
    return f"1 validation error detected: {first}" if first else None


def code_of(service: ServiceModel) -> str:
    """Return the error code of a parameter that a service does not take."""
    return "ValidationError" if service.metadata["protocol"] == "query" else "ValidationException"


@cache
def compiled(pattern: str) -> "re.Pattern[str] | None":
    """Return a model's pattern, None for one that cannot be read; Java's own notation is put into Python's."""
    text = pattern.replace(_SURROGATES, r"\U00010000-\U0010FFFF").replace(r"\z", r"\Z")
    text = re.sub(r"\\w-(?=[^\]])", r"\\w\\-", text)
    text = re.sub(r"\\p\{(\w+)\}", lambda found: _in_place(_class(found[1]), text[: found.start()]), text)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return re.compile(text)
        except re.error:
            return None


def _violations(shape: Shape, value: Any, place: str) -> Iterator[str]:
    match shape, value:
        case StringShape(), str():
            yield from _wrong_length(shape, value, place)
            yield from _wrong_text(shape, value, place)
        case (ListShape() | MapShape(), list() | tuple() | Mapping()) | (_, bytes() | bytearray()):
            yield from _wrong_length(shape, value, place)
        case _, int() | float() if not isinstance(value, bool):
            yield from _wrong_size(shape, value, place)
    for inner, member, at in _members(shape, value):
        yield from _violations(inner, member, f"{place}.{at}" if place else at)


def _members(shape: Shape, value: Any) -> Iterator[tuple[Shape, Any, str]]:
    """Yield what a parameter is made of, with its place in it."""
    match shape, value:
        case StructureShape(), Mapping() if not shape.is_document_type:
            yield from ((shape.members[name], each, name) for name, each in value.items() if name in shape.members)
        case ListShape(), list() | tuple():
            yield from ((shape.member, each, f"{number}.member") for number, each in enumerate(value, 1))
        case MapShape(), Mapping():
            yield from ((shape.key, key, "key") for key in value)
            yield from ((shape.value, each, f"{key}.value") for key, each in value.items())


def _wrong_length(shape: Shape, value: Any, place: str) -> Iterator[str]:
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    if most is not None and len(value) > most:
        yield _failed(value, place, f"Member must have length less than or equal to {most}")
    if least is not None and len(value) < least:
        yield _failed(value, place, f"Member must have length greater than or equal to {least}")


def _wrong_size(shape: Shape, value: float, place: str) -> Iterator[str]:
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    if most is not None and value > most:
        yield _failed(value, place, f"Member must have value less than or equal to {most}")
    if least is not None and value < least:
        yield _failed(value, place, f"Member must have value greater than or equal to {least}")


def _wrong_text(shape: StringShape, value: str, place: str) -> Iterator[str]:
    if shape.enum and value not in shape.enum:
        yield _failed(value, place, f"Member must satisfy enum value set: [{', '.join(shape.enum)[:200]}]")
    pattern = shape.metadata.get("pattern")
    readable = compiled(pattern) if pattern else None
    if readable and not readable.fullmatch(value):
        yield _failed(value, place, f"Member must satisfy regular expression pattern: {pattern}")


def _failed(value: Any, place: str, constraint: str) -> str:
    return f"Value '{str(value)[:200]}' at '{place}' failed to satisfy constraint: {constraint}"


def _in_place(letters: str, before: str) -> str:
    """Return a class's letters, in brackets unless brackets are open already."""
    plain = re.sub(r"\\.", "", before)
    return letters if plain.count("[") > plain.count("]") else f"[{letters}]"


def _class(name: str) -> str:
    """Return what stands between the brackets for a POSIX class, or for a Unicode category such as ``L``."""
    return _POSIX.get(name) or _categories()[name]


@cache
def _categories() -> Mapping[str, str]:
    """Return all characters by the first letters of their categories, as ranges."""
    ranges: dict[str, list[str]] = defaultdict(list)
    for letter, run in groupby(range(sys.maxunicode + 1), lambda code: unicodedata.category(chr(code))[0]):
        codes = list(run)
        ranges[letter].append(f"\\U{codes[0]:08x}-\\U{codes[-1]:08x}")
    return {letter: "".join(each) for letter, each in ranges.items()}
