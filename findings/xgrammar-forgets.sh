#!/usr/bin/env bash
# xgrammar, vLLM's default for structured output, compiles schemas of which it forgets keywords, some with a warning.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
pip() { "$work/venv/bin/pip" install --quiet --disable-pip-version-check "$@"; }
pip apache-tvm-ffi==0.1.15.post2 llguidance==1.7.6 numpy==2.4.6 pydantic==2.14.4 typing_extensions==4.16.0
# Without torch and transformers, which take gigabytes and only put masks on logits: two empty modules in their place.
pip --no-deps xgrammar==0.2.6
mkdir "$work/torch" "$work/transformers"
cat >"$work/torch/__init__.py" <<'PYTHON'
from unittest.mock import MagicMock


def __getattr__(name):
    if name.startswith("__"):
        raise AttributeError(name)
    return type(name, (), {}) if name[0].isupper() or name == "dtype" else MagicMock()
PYTHON
cat >"$work/transformers/__init__.py" <<'PYTHON'
class PreTrainedTokenizerBase: ...


class PreTrainedTokenizerFast: ...


class LogitsProcessor: ...
PYTHON
PYTHONPATH="$work" "$work/venv/bin/python" - <<'PYTHON'
import json
from importlib.metadata import version

from llguidance import LLMatcher, LLTokenizer
from xgrammar import Grammar
from xgrammar.testing import _is_grammar_accept_string as xgrammar_accepts

BYTES = LLTokenizer("byte")
INTEGER = {"type": "integer"}
A, B = ({"type": "object", "properties": {name: INTEGER}, "required": [name]} for name in "ab")
# Schema, and an answer that it rules out.
FORGOTTEN = {
    "required beside anyOf": ({**A, "anyOf": [{"properties": {"b": INTEGER}}, {"properties": {"c": INTEGER}}]}, "{}"),
    "required without properties": ({"type": "object", "required": ["a"]}, "{}"),
    "two branches of allOf": ({"allOf": [A, B]}, "{}"),
    "required beside $ref": ({"$ref": "#/$defs/A", "required": ["a"], "$defs": {"A": {"properties": {}}}}, "{}"),
    "a length beside a pattern": ({"type": "string", "pattern": "^[a-z]+$", "maxLength": 2}, '"abc"'),
    "a bound without a type": ({"minimum": 3}, "2"),
    "a look-ahead": ({"type": "string", "pattern": "^(?=.*a).+$"}, '"b"'),
}


def guidance_accepts(schema, answer):
    matcher = LLMatcher(BYTES, LLMatcher.grammar_from_json_schema(json.dumps(schema)))
    tokens = BYTES.tokenize_str(answer)
    is_possible = not matcher.is_error() and matcher.validate_tokens(tokens) == len(tokens)
    return is_possible and matcher.consume_tokens(tokens) and matcher.is_accepting()


def xgrammar_takes(schema, answer):
    return xgrammar_accepts(Grammar.from_json_schema(json.dumps(schema)), answer)


print(f"version:  xgrammar {version('xgrammar')}, llguidance {version('llguidance')}")
print("expected: an answer that JSON Schema rules out is not accepted, or the schema is refused")
accepted = [name for name, case in FORGOTTEN.items() if xgrammar_takes(*case)]
print(f"observed: xgrammar accepts one in spite of: {', '.join(accepted)}")
assert accepted == list(FORGOTTEN)
assert not any(guidance_accepts(*case) for case in FORGOTTEN.values())
print("observed: llguidance refuses each of these answers, or the schema")
assert not xgrammar_takes({"type": "string", "maxLength": 5}, '"a\\nb"')
print("observed: in a string with a length, xgrammar takes no escape, so no quote and no line break")
PYTHON
