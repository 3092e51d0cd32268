"""What every Python driver shares: it reads orders from its input, one JSON object a line, and answers each with one.

An order names a scenario and the deployment to ask, the answer says in a few words what the client made of it; the
same words whatever the client. A driver has no other words of ours than ``OPENAI_BASE_URL`` and ``OPENAI_API_KEY``.
"""

import json
import sys
import traceback
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

MATERIAL: dict[str, Any] = json.loads((Path(__file__).parent / "material.json").read_text())
LONG: str = MATERIAL["long"]["word"] * MATERIAL["long"]["times"]
# An answer is short, but longer than what some models think before it.
MOST_TOKENS = 40

Ask = Callable[[str], str]
# Whatever a client prints goes beside the answers.
_ANSWERS, sys.stdout = sys.stdout, sys.stderr


def serve(scenarios: Mapping[str, Ask]) -> None:
    """Say that the client is loaded, and answer orders until the input ends."""
    _say({"loaded": True})
    for line in sys.stdin:
        order = json.loads(line)
        _say({"seen": _seen(scenarios[order["scenario"]], order["model"])})


def a_text(text: str | None) -> str:
    """Return whether there is a text."""
    return "text" if text and text.strip() else f"no text: {text!r}"


def the_calls(calls: Iterable[tuple[str, Any]]) -> str:
    """Return the names of calls, whose arguments are an object or the JSON of one, with a value for ``order``."""
    found = [(name, json.loads(given) if isinstance(given, str) else given) for name, given in calls]
    wrong = [f"{name}({given})" for name, given in found if not isinstance(given, dict) or not given.get("order")]
    return f"wrong arguments: {', '.join(wrong)}" if wrong else " ".join(sorted(name for name, _ in found)) or "no call"


def an_object(answer: Any) -> str:
    """Return whether an answer is a JSON object."""
    return "an object" if isinstance(_value(answer), dict) else f"no object: {answer!r}"


def by_the_schema(answer: Any) -> str:
    """Return whether an answer keeps to the schema."""
    value = _value(answer)
    keeps = isinstance(value, dict) and {name: type(each) for name, each in value.items()} == {
        "city": str,
        "degrees": int,
    }
    return "by the schema" if keeps else f"not by the schema: {answer!r}"


def _value(answer: Any) -> Any:
    try:
        return json.loads(answer) if isinstance(answer, str) else answer
    except ValueError:
        return None


def _say(answer: Mapping[str, Any]) -> None:
    print(json.dumps(answer), file=_ANSWERS, flush=True)


def _seen(ask: Ask, model: str) -> str:
    try:
        return ask(model)
    except Exception as err:  # noqa: BLE001 (what a client raises is what it saw)
        traceback.print_exc()
        return refusal(err)


def refusal(err: BaseException) -> str:
    """Return status and code of what the gateway refused, from whichever exception of the chain has its body."""
    found: BaseException | None = err
    while found is not None:
        status, body = getattr(found, "status_code", None), getattr(found, "body", None)
        if status is not None and isinstance(body, dict):
            return f"{status} {body.get('error', body).get('code')}"
        found = found.__cause__ or found.__context__
    return f"{type(err).__name__}: {err}"
