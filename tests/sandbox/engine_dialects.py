"""How families of models write calls of tools and thoughts, and which of vLLM's parsers read that.

Written from the parsers of vLLM 0.32 and the models' own templates, apart from the product's table of parsers: a wrong
line there must show here.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

Arguments: TypeAlias = Mapping[str, Any]
ToolCalls: TypeAlias = Iterable[tuple[str, Arguments]]


@dataclass(frozen=True)
class Dialect:
    """``write`` puts one call into the model's own words; ``read_by`` and ``thoughts_by`` name the parsers that fit.

    A model that is ``single`` makes one call an answer; one with ``thoughts_by`` thinks unless it is told not to.
    """

    write: Callable[[str, Arguments], str]
    read_by: frozenset[str] = frozenset()
    thoughts_by: frozenset[str] = frozenset()
    single: bool = False


def _tagged(name: str, arguments: Arguments) -> str:
    return f"<tool_call>\n{_json({'name': name, 'arguments': dict(arguments)})}\n</tool_call>"


def _bare(name: str, arguments: Arguments) -> str:
    return _json({"name": name, "parameters": dict(arguments)})


def _xml(name: str, arguments: Arguments) -> str:
    values = "".join(f"<parameter={key}>\n{_plain(value)}\n</parameter>\n" for key, value in arguments.items())
    return f"<tool_call>\n<function={name}>\n{values}</function>\n</tool_call>"


def _marked(name: str, arguments: Arguments) -> str:
    return f"[TOOL_CALLS]{name}{_json(dict(arguments))}"


def _pythonic(name: str, arguments: Arguments) -> str:
    return f"[{name}({', '.join(f'{key}={value!r}' for key, value in arguments.items())})]"


def _harmony(name: str, arguments: Arguments) -> str:
    return f"<|channel|>commentary to=functions.{name} <|constrain|>json<|message|>{_json(dict(arguments))}<|call|>"


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _plain(value: object) -> str:
    return value if isinstance(value, str) else _json(value)


def _dialect(
    write: Callable[[str, Arguments], str], read_by: str = "", thoughts_by: str = "", *, single: bool = False
) -> Dialect:
    return Dialect(write, frozenset(read_by.split()), frozenset(thoughts_by.split()), single)


# The first that is found in a model's name, or in the S3 prefix of its weights, counts.
_DIALECTS = (
    ("deepseek-r1-distill", _dialect(_tagged, "", "deepseek_r1")),
    ("qwen3-coder|qwen3coder", _dialect(_xml, "qwen3_coder qwen3_xml")),
    ("qwen3[.-][56]", _dialect(_xml, "qwen3_coder qwen3_xml", "qwen3")),
    ("qwen3.*instruct", _dialect(_tagged, "hermes")),
    ("qwen3", _dialect(_tagged, "hermes", "qwen3 deepseek_r1")),
    ("qwen2[.-]5-coder", _dialect(_bare)),
    ("qwq", _dialect(_tagged, "hermes", "deepseek_r1")),
    ("qwen2[.-]5|hermes", _dialect(_tagged, "hermes")),
    ("llama-3[.-][123]", _dialect(_bare, "llama3_json llama4_json", single=True)),
    ("llama-4", _dialect(_pythonic, "llama4_pythonic")),
    ("mixtral", _dialect(_bare)),
    ("magistral", _dialect(_marked, "mistral", "mistral")),
    ("mistral|ministral|devstral", _dialect(_marked, "mistral")),
    ("gpt-oss", _dialect(_harmony, "openai", "openai_gptoss")),
    ("gemma-3", _dialect(_pythonic, "pythonic")),
)


def dialect_of(model: str) -> Dialect | None:
    """Return how a model speaks; None for one that is not known to use tools."""
    return next((dialect for words, dialect in _DIALECTS if re.search(words, model.lower())), None)


# Models that take images, by their cards at the Hugging Face Hub.
_SEES = r"ministral-3|mistral-(small-(3\.[12]|4)|large-3)|magistral-small-2509|-vl-|gemma-[34]|llama-4|qwen3[.-][56]"


def sees(model: str) -> bool:
    """Return whether a model takes images."""
    return re.search(_SEES, model.lower()) is not None
