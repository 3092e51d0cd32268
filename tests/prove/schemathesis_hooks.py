"""What schemathesis is told of the API that its document does not say; it loads this by name, and nothing of ours."""

import os
from typing import Any

import schemathesis  # type: ignore[import-not-found]

_NAME, _OWN_KEY = os.environ["JUDGED_NAME"], os.environ["OWN_KEY_ID"]


@schemathesis.hook  # type: ignore[untyped-decorator]
def filter_case(context: Any, case: Any) -> bool:
    """Leave out methods that API Gateway has no name for: they lead nowhere, and it answers them by itself."""
    return case.method not in ("TRACE", "QUERY")


@schemathesis.hook  # type: ignore[untyped-decorator]
def map_path_parameters(context: Any, path_parameters: Any) -> Any:
    """Put a deployment that there is into every second path: otherwise all are answered 404."""
    name = (path_parameters or {}).get("name")
    if isinstance(name, str) and len(name) % 2 == 0:
        path_parameters["name"] = _NAME
    return path_parameters


@schemathesis.hook  # type: ignore[untyped-decorator]
def before_call(context: Any, case: Any, kwargs: Any) -> None:
    """Keep it from deleting or rotating the key that it calls with."""
    if (case.path_parameters or {}).get("key_id") == _OWN_KEY:
        case.path_parameters["key_id"] = "key_of_nobody"
