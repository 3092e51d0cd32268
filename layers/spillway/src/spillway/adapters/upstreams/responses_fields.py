"""What becomes of each field of a response's request where it is mapped onto chat."""

from collections.abc import Mapping
from typing import Any

from spillway.adapters.upstreams.fields import Field, refused
from spillway.gateway.request.validation import STATEFUL


def _dropped(how: str, *idle: Any) -> Field:
    return Field("dropped", how, idle)


_PASSED = Field("passed")
_OF_FUNCTION = Field("mapped", "inside of `function`")
_OPENAIS_TOOLS = _dropped("it tells of tools that nobody has here")

FIELDS: Mapping[str, Field] = {
    **{name: refused("nothing is remembered here", idle) for name, idle in STATEFUL.items()},
    "access_programs": refused("no such program is open here"),
    "background_options": _dropped("nothing runs in the background"),
    "context_management": refused("nothing is left out of a conversation here", []),
    "image": _dropped("a hint that chat has no place for"),
    "include": Field("mapped", "see each value"),
    "input": Field("mapped", "messages, functions' calls and their results; no other items", chat="messages"),
    "instructions": Field("mapped", "the first system message"),
    "max_output_tokens": Field("mapped", "`max_tokens`", chat="max_tokens"),
    "max_tool_calls": _dropped("it counts calls of OpenAI's own tools, of which there are none"),
    "metadata": Field("mapped", "stands in the response"),
    "model": _PASSED,
    "moderation": _PASSED,
    "parallel_tool_calls": _PASSED,
    "prompt_cache_key": _PASSED,
    "prompt_cache_options": _PASSED,
    "prompt_cache_retention": _PASSED,
    "reasoning": Field("mapped", "see each field"),
    "safety_identifier": _PASSED,
    "service_tier": _PASSED,
    "stream": _PASSED,
    "stream_options": Field("mapped", "see its field"),
    "temperature": _PASSED,
    "text": Field("mapped", "see each field"),
    "tool_choice": Field("mapped", "a word, or one function"),
    "tools": Field("mapped", "functions; no other tools"),
    "top_logprobs": Field("passed", "with `logprobs`"),
    "top_p": _PASSED,
    "truncation": _dropped("an input that is too long is refused, not cut", "disabled"),
    "user": _PASSED,
}

# Inside of fields, and the values of ``include``.
NESTED: Mapping[str, Field] = {
    "include.code_interpreter_call.outputs": _OPENAIS_TOOLS,
    "include.computer_call_output.output.image_url": _OPENAIS_TOOLS,
    "include.file_search_call.results": _OPENAIS_TOOLS,
    "include.message.input_image.image_url": _dropped("no input is sent back"),
    "include.message.output_text.logprobs": Field("mapped", "`logprobs`", chat="logprobs"),
    "include.reasoning.encrypted_content": _dropped("thoughts come as plain text"),
    "include.web_search_call.action.sources": _OPENAIS_TOOLS,
    "include.web_search_call.results": _OPENAIS_TOOLS,
    "reasoning.context": _dropped("no thoughts of earlier turns are read", "auto"),
    "reasoning.effort": Field("mapped", "`reasoning_effort`", chat="reasoning_effort"),
    "reasoning.generate_summary": _dropped("thoughts come whole"),
    "reasoning.mode": _dropped("a hint that chat has no place for", "standard"),
    "reasoning.summary": _dropped("thoughts come whole"),
    "stream_options.include_obfuscation": _dropped("nothing is obfuscated", False),
    "text.format": Field("mapped", "`response_format`", chat="response_format"),
    "text.verbosity": Field("mapped", "`verbosity`", chat="verbosity"),
    "tools.allowed_callers": _dropped("the model alone calls"),
    "tools.async": _dropped("a hint that chat has no place for", False),
    "tools.defer_loading": _dropped("all tools are told at once", False),
    "tools.description": _OF_FUNCTION,
    "tools.name": _OF_FUNCTION,
    "tools.output_schema": _dropped("a hint that chat has no place for"),
    "tools.parameters": _OF_FUNCTION,
    "tools.strict": _OF_FUNCTION,
}
