"""The schemas that Bedrock's structured outputs refuse, in its words as quoted in BerriAI/litellm#29624.

Written from its guide and that issue, apart from the product's table: a wrong line there must show here.
"""

from collections.abc import Iterator, Mapping
from typing import Any

_NUMBERS = ("maximum", "minimum", "exclusiveMaximum", "exclusiveMinimum", "multipleOf")
_UNSUPPORTED: Mapping[str, tuple[str, ...]] = {
    "integer": _NUMBERS,
    "number": _NUMBERS,
    "string": ("maxLength", "minLength"),
    "array": ("maxItems", "uniqueItems", "contains", "prefixItems"),
    "object": ("maxProperties", "minProperties", "patternProperties", "propertyNames"),
}
_NOWHERE = ("oneOf", "not", "if", "then", "else", "dependentRequired", "dependentSchemas")


def wrong_schema(schema: Any) -> str | None:
    """Return what Bedrock says of a schema that it takes no answer by; None for one that it takes."""
    return next((f"output_config.format.schema: {words}" for words in _wrong(schema)), None)


def _wrong(schema: Any) -> Iterator[str]:
    if not isinstance(schema, dict):
        return
    types = schema.get("type")
    for kind in types if isinstance(types, list) else [types]:
        if names := [name for name in _UNSUPPORTED.get(str(kind), ()) if name in schema]:
            yield f"For '{kind}' type, properties {', '.join(names)} are not supported"
    if names := [name for name in _NOWHERE if name in schema]:
        yield f"Schema keywords {', '.join(names)} are not supported"
    if schema.get("additionalProperties", False) is not False:
        yield "For 'object' type, 'additionalProperties' other than false is not supported"
    if schema.get("minItems", 0) not in (0, 1):
        yield "For 'array' type, 'minItems' values other than 0 or 1 are not supported"
    if "$ref" in schema and not str(schema["$ref"]).startswith("#"):
        yield "External $ref is not supported"
    for inner in _inside(schema):
        yield from _wrong(inner)


def _inside(schema: Mapping[str, Any]) -> Iterator[Any]:
    yield schema.get("items")
    for keyword in ("anyOf", "allOf"):
        yield from schema.get(keyword, ())
    for keyword in ("properties", "$defs", "definitions"):
        yield from schema.get(keyword, {}).values()
