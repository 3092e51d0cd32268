"""One keyed JSON line a fact, on standard output."""

import sys
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import orjson

Log: TypeAlias = Callable[[Mapping[str, Any]], None]


def print_line(fields: Mapping[str, Any]) -> None:
    """Write one line; flushed, because Lambda may freeze the process at any time after the answer."""
    sys.stdout.buffer.write(orjson.dumps(fields, option=orjson.OPT_APPEND_NEWLINE))
    sys.stdout.flush()
