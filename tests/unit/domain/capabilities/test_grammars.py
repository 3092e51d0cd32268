"""Which part of JSON Schema each grammar engine holds an answer to."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spillway.domain.capabilities.grammars import GRAMMARS, first_outside
from tests.sandbox.bedrock_schemas import wrong_schema

INTEGER, TEXT = {"type": "integer"}, {"type": "string"}


def an_object(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties)}


def tagged(tag: str) -> dict[str, Any]:
    return an_object(kind={"const": tag, "type": "string"}, value=INTEGER)


# What pydantic and zod make of common models, but for bounds: all of them hold it.
EVERYDAY: dict[str, Any] = {
    "title": "Order",
    "description": "…",
    **an_object(
        id={"type": "string", "format": "uuid", "title": "Id"},
        state={"enum": ["open", "done"], "type": "string"},
        kind={"const": "order", "type": "string"},
        note={"anyOf": [TEXT, {"type": "null"}], "default": None},
        lines={"type": "array", "items": {"$ref": "#/$defs/Line", "description": "one"}},
        # Properties that are named like keywords are none.
        minLength=INTEGER,
    ),
    "additionalProperties": False,
    "$defs": {"Line": an_object(name=TEXT, amount={"type": "number"})},
}
# Schema → what xgrammar, guidance and Bedrock do not hold of it.
CASES: dict[str, tuple[Any, tuple[str | None, str | None, str | None]]] = {
    "everyday": (EVERYDAY, (None, None, None)),
    "any JSON": ({}, (None, None, None)),
    "no schema": (["x"], (None, None, None)),
    "required beside anyOf": (
        {"anyOf": [{"properties": {"b": INTEGER}}, {"type": "null"}], "required": ["a"]},
        ("required", None, None),
    ),
    "required without properties": ({"type": "object", "required": ["a"]}, ("required", None, None)),
    "required that is no property": (
        {"type": "object", "properties": {"b": TEXT}, "required": ["a"]},
        ("required", None, None),
    ),
    "a length": (
        an_object(a={"type": "string", "maxLength": 5}),
        (None, None, "properties.a.maxLength"),
    ),
    "a length without a type": ({"maxLength": 5}, ("maxLength", None, "maxLength")),
    "a length beside a pattern": (
        {"type": "string", "pattern": "^a+$", "minLength": 3},
        ("minLength", None, "minLength"),
    ),
    "a length beside a format": (
        {"type": "string", "format": "date", "maxLength": 9},
        ("maxLength", None, "maxLength"),
    ),
    "a bound": ({"type": "integer", "minimum": 3}, (None, None, "minimum")),
    "a bound without a type": ({"minimum": 3}, ("minimum", None, "minimum")),
    "a pattern": ({"type": "string", "pattern": "^[a-z]+$"}, (None, None, None)),
    "a pattern that looks ahead": ({"type": "string", "pattern": "^(?=a).+$"}, ("pattern", None, None)),
    "a pattern with a quote": ({"type": "string", "pattern": '^"'}, ("pattern", None, None)),
    "a pattern beside a format": ({"type": "string", "pattern": "1", "format": "date"}, ("pattern", None, None)),
    "an unknown format": ({"type": "string", "format": "phone"}, ("format", "format", "format")),
    "two branches of allOf": ({"allOf": [tagged("a"), an_object(b=TEXT)]}, ("allOf", None, None)),
    "one of allOf": ({"allOf": [{"$ref": "#/$defs/A"}], "$defs": {"A": TEXT}}, (None, None, None)),
    "oneOf by type": ({"oneOf": [INTEGER, TEXT]}, (None, None, "oneOf")),
    "oneOf by tag": (
        {"oneOf": [{"$ref": "#/$defs/A"}, {"$ref": "#/$defs/B"}], "$defs": {"A": tagged("a"), "B": tagged("b")}},
        (None, None, "oneOf"),
    ),
    "oneOf that overlaps": ({"oneOf": [INTEGER, {"type": "number"}]}, ("oneOf", "oneOf", "oneOf")),
    "oneOf of the same tag": ({"oneOf": [tagged("a"), tagged("a")]}, ("oneOf", "oneOf", "oneOf")),
    "an enum of another type": ({"type": "string", "enum": ["a", 1]}, ("type", None, None)),
    "true is no integer": ({"type": "integer", "const": True}, ("type", None, None)),
    "an enum of objects": ({"enum": [{"a": 1}]}, (None, None, "enum")),
    "siblings of a reference": (
        {"$ref": "#/$defs/A", "required": ["a"], "$defs": {"A": {"type": "object"}}},
        ("required", None, None),
    ),
    "a reference elsewhere": ({"$ref": "https://example.org/x.json"}, ("$ref", "$ref", "$ref")),
    "unique items": (
        {"type": "array", "items": TEXT, "uniqueItems": True},
        ("uniqueItems", "uniqueItems", "uniqueItems"),
    ),
    "many items": ({"type": "array", "items": TEXT, "minItems": 2}, (None, None, "minItems")),
    "an item": ({"type": "array", "items": TEXT, "minItems": 1}, (None, None, None)),
    "a tuple": (
        {"type": "array", "prefixItems": [TEXT, {"minimum": 1}]},
        ("prefixItems.1.minimum", None, "prefixItems"),
    ),
    "open objects": (an_object() | {"additionalProperties": TEXT}, (None, None, "additionalProperties")),
    "inside of what is open": (
        an_object() | {"additionalProperties": {"not": TEXT}},
        ("additionalProperties.not", "additionalProperties.not", "additionalProperties"),
    ),
    "names by pattern": ({"patternProperties": {"^x": TEXT}}, ("patternProperties", None, "patternProperties")),
    "not": ({"items": {"not": TEXT}}, ("items.not", "items.not", "items.not")),
    "in a definition": ({"$defs": {"A": {"if": True}}}, ("$defs.A.if", "$defs.A.if", "$defs.A.if")),
}


@pytest.mark.parametrize("case", CASES)
def test_what_lies_outside_is_told_by_its_place(case: str) -> None:
    schema, expected = CASES[case]
    assert tuple(first_outside(schema, GRAMMARS[name]) for name in ("xgrammar", "guidance", "bedrock")) == expected


@pytest.mark.parametrize("case", [case for case, (_, (_, _, bedrock)) in CASES.items() if bedrock is None])
def test_what_bedrock_is_said_to_hold_it_does_not_refuse(case: str) -> None:
    assert wrong_schema(CASES[case][0]) is None


NAMES = "$ref type enum const allOf anyOf oneOf items prefixItems properties required pattern format minItems $defs a"
KEYS = st.sampled_from(NAMES.split())
LEAVES = st.none() | st.booleans() | st.integers() | st.sampled_from(["#", "#/a", "string", "a", '"'])
ANYTHING = st.recursive(LEAVES, lambda one: st.lists(one, max_size=3) | st.dictionaries(KEYS, one, max_size=4))


@given(schema=ANYTHING)
def test_whatever_a_client_calls_a_schema_is_read(schema: Any) -> None:
    for grammar in GRAMMARS.values():
        place = first_outside(schema, grammar)
        assert place is None or place.rpartition(".")[2] in json.dumps(schema)
