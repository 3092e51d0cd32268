"""CloudFormation's end of a custom resource: a request to a function, and a real HTTP server for its answer."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any, cast

from aws_lambda_powertools.utilities.typing import LambdaContext

from tests.unit.api.conftest import Context


class _Context(Context):
    log_stream_name = "2026/11/24/[$LATEST]abc"


@dataclass
class CloudFormation:
    """Sends requests of the resource ``resource``, and keeps the answers with the type that each came as."""

    handler: Callable[[dict[str, Any], LambdaContext], None]
    resource: dict[str, Any]
    url: str = ""
    answers: list[dict[str, Any]] = field(default_factory=list)
    content_types: list[str | None] = field(default_factory=list)

    def send(self, kind: str, physical_id: str | None = None, **more: Any) -> dict[str, Any]:
        """Return the answer to a request."""
        event = {
            "RequestType": kind,
            "ResponseURL": self.url,
            "StackId": "arn:stack",
            "RequestId": "request",
            **self.resource,
            **({"PhysicalResourceId": physical_id} if physical_id else {}),
            **more,
        }
        self.handler(event, cast(LambdaContext, _Context()))
        return self.answers[-1]


@contextmanager
def listening(cloud: CloudFormation) -> Iterator[None]:
    """Take the answers meanwhile."""

    class Handler(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            cloud.answers.append(json.loads(body))
            cloud.content_types.append(self.headers["Content-Type"])
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    cloud.url = f"http://127.0.0.1:{server.server_port}/answer?signature=1"
    yield
    server.shutdown()
    server.server_close()
    thread.join()
