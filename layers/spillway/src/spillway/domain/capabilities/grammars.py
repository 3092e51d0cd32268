"""Which JSON schemas hold: a grammar engine keeps answers to a part of JSON Schema, and forgets the rest in silence.

xgrammar and guidance were asked keyword by keyword (``findings/xgrammar-forgets.sh``), in the releases that
vLLM 0.27 uses. Bedrock's part is what its guide and the refusals quoted in BerriAI/litellm#29624 and
567-labs/instructor#2566 tell of structured outputs.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any, TypeAlias

Holds: TypeAlias = Callable[[Any], bool]

# Every keyword, of all drafts, by which a value can be a wrong one. What is none of these only tells something.
_KEYWORDS = """
    $ref $dynamicRef $recursiveRef type enum const allOf anyOf oneOf not if then else format
    minLength maxLength pattern multipleOf minimum maximum exclusiveMinimum exclusiveMaximum
    items prefixItems additionalItems contains minContains maxContains minItems maxItems uniqueItems unevaluatedItems
    properties patternProperties additionalProperties propertyNames required minProperties maxProperties
    unevaluatedProperties dependencies dependentRequired dependentSchemas
"""
_ASSERTIONS = frozenset(_KEYWORDS.split())
# Of these a grammar that merges nothing reads the first and forgets what stands beside it.
_DECIDING = ("$ref", "const", "enum", "anyOf", "oneOf", "allOf")
# It forgets these where no type stands beside them.
_TYPED = (
    *("pattern", "format", "minLength", "maxLength"),
    *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
)
# Of what holds a text to a form it reads the first, and forgets the others.
_FORMS = (("format",), ("pattern",), ("minLength", "maxLength"))
# Where schemas stand inside of one.
_SCHEMAS = frozenset({"items", "additionalProperties"})
_LISTS = frozenset({"anyOf", "oneOf", "allOf", "prefixItems"})
_MAPS = frozenset({"properties", "patternProperties", "$defs", "definitions"})
_TYPES: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
    "object": (dict,),
    "array": (list,),
}


@dataclass(frozen=True)
class Grammar:
    """``holds`` has the assertions that an answer is held to, and for which of their values.

    One that ``merges`` reads keywords that stand side by side as one schema.
    """

    holds: Mapping[str, Holds]
    merges: bool


def _always(_value: Any) -> bool:
    return True


def _words(words: str) -> dict[str, Holds]:
    return dict.fromkeys(words.split(), _always)


def _one_of(*allowed: str) -> Holds:
    return lambda value: isinstance(value, str) and value in allowed


def _is_local(value: Any) -> bool:
    """Whether a reference is a pointer into the schema itself."""
    return isinstance(value, str) and (value == "#" or value.startswith("#/"))


def _is_plain(pattern: Any) -> bool:
    """Whether xgrammar reads a pattern as it stands: it forgets what looks around, and writes quotes without escape."""
    return isinstance(pattern, str) and not any(each in pattern for each in ('"', "(?=", "(?!", "(?<"))


def _are_plain(values: Any) -> bool:
    return isinstance(values, list) and not any(isinstance(value, dict | list) for value in values)


_FORMATS = _one_of("date-time", "date", "time", "duration", "email", "hostname", "ipv4", "ipv6", "uri", "uuid")
_EVERYWHERE = _words("type const anyOf items properties required") | {"$ref": _is_local, "format": _FORMATS}
_NUMBERS = _words("minimum maximum exclusiveMinimum exclusiveMaximum multipleOf")

GRAMMARS: Mapping[str, Grammar] = {
    # A string with a length keeps to it, and can't have an escape in it: no quote, no line break.
    "xgrammar": Grammar(
        _EVERYWHERE
        | _NUMBERS
        | _words("enum oneOf additionalProperties prefixItems minItems maxItems minLength maxLength")
        | {"pattern": _is_plain, "allOf": lambda branches: isinstance(branches, list) and len(branches) == 1},
        merges=False,
    ),
    "guidance": Grammar(
        _EVERYWHERE
        | _NUMBERS
        | _words("enum oneOf allOf additionalProperties patternProperties prefixItems minItems maxItems")
        | _words("pattern minLength maxLength"),
        merges=True,
    ),
    # Refused at once is what lies outside; in which form it merges is not known.
    "bedrock": Grammar(
        _EVERYWHERE
        | _words("allOf pattern")
        | {
            "enum": _are_plain,
            "additionalProperties": lambda value: value is False,
            "minItems": lambda value: value in (0, 1),
        },
        merges=True,
    ),
}


def first_outside(schema: Any, grammar: Grammar) -> str | None:
    """Return the place of the first keyword that an answer isn't held to, as ``properties.age.minimum``, or None."""
    return next(_outside(schema, grammar, schema, ""), None)


def _outside(schema: Any, grammar: Grammar, root: Any, place: str) -> Iterator[str]:
    if not isinstance(schema, dict):
        return
    for keyword, value in schema.items():
        if keyword in _ASSERTIONS and not grammar.holds.get(keyword, _never)(value):
            yield place + keyword
    if not grammar.merges:
        yield from (place + keyword for keyword in _forgotten(schema))
    if not _are_apart(schema.get("oneOf"), root):
        yield f"{place}oneOf"
    for where, inner in _inside(schema):
        yield from _outside(inner, grammar, root, f"{place}{where}.")


def _never(_value: Any) -> bool:
    return False


def _forgotten(schema: Mapping[str, Any]) -> Iterator[str]:
    """Yield what a grammar that merges nothing forgets of a schema."""
    deciding = next((keyword for keyword in _DECIDING if keyword in schema), None)
    if deciding is not None:
        read = {deciding, "type"} if _have_type(schema) else {deciding}
        yield from (keyword for keyword in schema if keyword in _ASSERTIONS and keyword not in read)
        return
    if "type" not in schema:
        yield from (keyword for keyword in _TYPED if keyword in schema)
    forms = [present for form in _FORMS if (present := [keyword for keyword in form if keyword in schema])]
    yield from chain.from_iterable(forms[1:])
    required, properties = schema.get("required"), schema.get("properties")
    named = properties if isinstance(properties, dict) else ()
    if isinstance(required, list) and not all(isinstance(name, str) and name in named for name in required):
        yield "required"


def _have_type(schema: Mapping[str, Any]) -> bool:
    """Whether the values that a schema lists are all of its type."""
    values = schema["enum"] if "enum" in schema and "const" not in schema else [schema.get("const")]
    wanted = schema.get("type")
    types = _TYPES.get(wanted, ()) if isinstance(wanted, str) else ()
    is_listed = "$ref" not in schema and ("enum" in schema or "const" in schema)
    return is_listed and isinstance(values, list) and all(type(value) in types for value in values)


def _are_apart(branches: Any, root: Any) -> bool:
    """Whether no value fits two branches of a ``oneOf``, by their types or a tag: grammars read it as ``anyOf``."""
    if not isinstance(branches, list):
        return True
    found = [_resolved(branch, root) for branch in branches]
    types = [str(branch.get("type")) for branch in found if isinstance(branch.get("type"), str)]
    if len(set(types)) == len(found) and not {"integer", "number"} <= set(types):
        return True
    tags = [_tags(branch) for branch in found]
    return bool(tags) and any(len({tag[name] for tag in tags if name in tag}) == len(tags) for name in tags[0])


def _resolved(branch: Any, root: Any) -> dict[str, Any]:
    """Return a branch, or what it refers to; an empty schema for what cannot be told."""
    ref = branch.get("$ref") if isinstance(branch, dict) else None
    if isinstance(ref, str):
        branch = root
        for step in ref.split("/")[1:]:
            branch = branch.get(step) if isinstance(branch, dict) else None
    return branch if isinstance(branch, dict) else {}


def _tags(branch: Mapping[str, Any]) -> dict[str, str]:
    """Return the properties that a branch's objects must have with one word for each."""
    required, properties = branch.get("required"), branch.get("properties")
    if not isinstance(required, list) or not isinstance(properties, dict):
        return {}
    return {
        name: word
        for name, value in properties.items()
        if name in required and isinstance(value, dict) and isinstance(word := value.get("const"), str)
    }


def _inside(schema: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the schemas right inside of one, with their places."""
    for keyword, value in schema.items():
        if keyword in _SCHEMAS:
            yield keyword, value
        elif keyword in _LISTS and isinstance(value, list):
            yield from ((f"{keyword}.{index}", each) for index, each in enumerate(value))
        elif keyword in _MAPS and isinstance(value, dict):
            yield from ((f"{keyword}.{name}", each) for name, each in value.items())
