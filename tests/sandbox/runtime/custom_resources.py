"""Custom resources: their functions called as CloudFormation calls them, their answers taken by HTTP PUT."""

import json
import threading
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.sandbox.runtime.creation import Made
from tests.sandbox.runtime.template_stack import TemplateStack

DEFAULT_WAIT_SECONDS = 60.0

InvokeEvent = Callable[[str, bytes], object]


class CustomResourceError(Exception):
    """A custom resource's function reported a failure, or nothing."""


@dataclass(frozen=True)
class Question:
    """What CloudFormation asks about one custom resource; ``before`` are an Update's properties until now."""

    kind: str
    logical_id: str
    properties: Mapping[str, Any]
    before: Mapping[str, Any] | None = None
    physical_id: str | None = None

    def event(self, stack: TemplateStack) -> dict[str, Any]:
        """Return the function's event, but for where to answer."""
        optional = {"PhysicalResourceId": self.physical_id, "OldResourceProperties": self.before}
        return {
            "RequestType": self.kind,
            "StackId": stack.target.stack_id,
            "LogicalResourceId": self.logical_id,
            "ResourceType": stack.resources[self.logical_id]["Type"],
            "ResourceProperties": texts(self.properties),
            **{name: texts(value) for name, value in optional.items() if value is not None},
        }


@dataclass
class CustomResources:
    """Asks the functions of custom resources; the answers arrive at :meth:`routes`."""

    endpoint_url: str
    invoke_event: InvokeEvent
    _answers: dict[str, dict[str, Any]] = field(default_factory=dict)
    _arrived: threading.Condition = field(default_factory=threading.Condition)

    def routes(self) -> list[web.RouteDef]:
        """Return the route that a ResponseURL leads to."""
        return [web.put("/_sandbox/custom-resources/{token}", self._take)]

    def ask(self, stack: TemplateStack, question: Question) -> Made:
        """Return what the function made of it; blocks. CustomResourceError has the reason of a failure."""
        token = str(uuid.uuid4())
        event = {
            **question.event(stack),
            "RequestId": token,
            "ResponseURL": f"{self.endpoint_url}/_sandbox/custom-resources/{token}",
        }
        self.invoke_event(question.properties["ServiceToken"], json.dumps(event).encode())
        answer = self._wait(token, question.logical_id)
        if answer.get("Status") != "SUCCESS":
            raise CustomResourceError(f"{question.logical_id}: {answer.get('Reason', 'failed without a reason')}")
        return Made(str(answer.get("PhysicalResourceId")), answer.get("Data") or {})

    def _wait(self, token: str, logical_id: str) -> dict[str, Any]:
        with self._arrived:
            if not self._arrived.wait_for(lambda: token in self._answers, DEFAULT_WAIT_SECONDS):
                raise CustomResourceError(f"{logical_id}: its function sent no answer")
            return self._answers.pop(token)

    async def _take(self, request: web.Request) -> web.Response:
        answer = json.loads(await request.read())
        with self._arrived:
            self._answers[request.match_info["token"]] = answer
            self._arrived.notify_all()
        return web.Response()


def texts(value: Any) -> Any:
    """Return a property as a function gets it: CloudFormation makes text of numbers and truth values."""
    match value:
        case Mapping():
            return {name: texts(each) for name, each in value.items()}
        case list():
            return [texts(each) for each in value]
        case bool():
            return str(value).lower()
        case int() | float():
            return str(value)
        case _:
            return value
