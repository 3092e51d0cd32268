"""moto in server mode inside this process, with a front that answers what moto does not know."""

import logging
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import localcontext
from functools import cache
from typing import Any

import moto.core.config
import moto.stepfunctions.models
import moto.stepfunctions.parser.asl.utils.boto_client
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.moto_api._internal.models import moto_api_backend
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from moto.stepfunctions.parser.models import stepfunctions_parser_backends
from werkzeug.serving import BaseWSGIServer, make_server

from tests.sandbox.cloud import dynamodb_rules, zones
from tests.sandbox.cloud.calls import Answer, AwsError, failure, identify, success
from tests.sandbox.cloud.faults import Faults
from tests.sandbox.cloud.patches import Patches

REGION = "us-east-1"
ACCOUNT = "123456789012"

# DynamoDB's operations that only read, by the beginnings of their names.
READING = ("BatchGet", "Describe", "Get", "List", "Query", "Scan", "TransactGet")

Handler = Callable[[dict[str, Any]], dict[str, Any]]
Respond = Callable[[str, list[tuple[str, str]]], Any]


class _QuietHandler(MotoRequestHandler):  # type: ignore[misc]
    def log_request(self, *args: Any) -> None:
        """Log nothing: the demo's output belongs to its story."""


class _Dispatcher(DomainDispatcherApplication):  # type: ignore[misc]
    """Finds a service's backend once: moto goes through its folders and patterns for every request."""

    def __init__(self) -> None:
        super().__init__(create_backend_app)
        self.get_backend_for_host = cache(super().get_backend_for_host)


class Front:
    """A WSGI application before moto: faults, then our own handlers, then moto.

    Handlers take and return what boto3 does, for services that speak JSON by ``X-Amz-Target``.
    """

    def __init__(self, moto_app: Callable[..., Any], faults: Faults) -> None:
        self._moto = moto_app
        self._faults = faults
        self._handlers: dict[tuple[str, str], Handler] = {}
        # moto checks a condition and then writes; AWS does both at once.
        self._writing = threading.Lock()
        # How often each of DynamoDB's tables was written to.
        self.writes: Counter[str] = Counter()

    def handle(self, service: str, operation: str, handler: Handler) -> None:
        """Answer ``operation`` with ``handler``, which may raise ``AwsError``."""
        self._handlers[service, operation] = handler

    def __call__(self, environ: dict[str, Any], respond: Respond) -> Iterable[bytes]:
        """Serve one request."""
        call = identify(environ)
        if call is None:
            return self._pass_on(environ, respond)
        try:
            self._faults.check(call)
            if handler := self._handlers.get((call.service, call.operation)):
                return _send(success(call, handler(call.params())), respond)
            if call.service == "dynamodb":
                dynamodb_rules.check(call.operation, call.params(), ACCOUNT, REGION)
        except AwsError as err:
            return _send(failure(call, err), respond)
        if call.service != "dynamodb" or call.operation.startswith(READING):
            return self._pass_on(environ, respond)
        # moto adds numbers up with as many digits as the thread's decimals have.
        with self._writing, localcontext(prec=dynamodb_rules.DIGITS):
            written = self._pass_on(environ, respond)
            self.writes.update(_tables(call.params()))
        return written

    def _pass_on(self, environ: dict[str, Any], respond: Respond) -> Iterable[bytes]:
        result: Iterable[bytes] = self._moto(environ, respond)
        return result


class MotoCloud:
    """moto's server on a free loopback port; account 123456789012, region us-east-1."""

    def __init__(self, faults: Faults | None = None) -> None:
        self.faults = faults or Faults()
        self.front = Front(_Dispatcher(), self.faults)
        self.patches = Patches()
        self._server: BaseWSGIServer | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> str:
        """Start with empty backends and return the endpoint's URL."""
        assert DEFAULT_ACCOUNT_ID == ACCOUNT
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        zones.install(self.patches)
        moto_api_backend.reset()
        self._server = make_server("127.0.0.1", 0, self.front, threaded=True, request_handler=_QuietHandler)
        self._server.daemon_threads = True
        self._configure(self._server.server_port)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True, name="moto")
        self._thread.start()
        return f"http://127.0.0.1:{self._server.server_port}"

    def stop(self) -> None:
        """Stop the server and put moto back as it was."""
        if self._server and self._thread:
            self._server.shutdown()
            self._thread.join(5)
            self._server.server_close()
        self.patches.undo()

    def _configure(self, port: int) -> None:
        config = {
            **moto.core.config.default_user_config,
            "stepfunctions": {"execute_state_machine": True},
            "lambda": {"use_docker": False},
            "batch": {"use_docker": False},
        }
        saved = dict(moto.core.config.default_user_config)
        moto.core.config.default_user_config.update(config)
        self.patches.on_undo(lambda: moto.core.config.default_user_config.update(saved))
        # CloudFormation makes state machines in the backend that does not execute them.
        self.patches.set(moto.stepfunctions.models, "stepfunctions_backends", stepfunctions_parser_backends)
        # The interpreter reaches other services at its own server's port, which it takes from the environment.
        self.patches.set(moto.stepfunctions.parser.asl.utils.boto_client, "moto_server_port", lambda: port)


def _tables(params: Mapping[str, Any]) -> Iterator[str]:
    """Yield the tables that a call to DynamoDB writes to."""
    if "TableName" in params:
        yield params["TableName"]
    yield from params.get("RequestItems", {})
    for item in params.get("TransactItems", []):
        for each in item.values():
            yield each["TableName"]


def _send(answer: Answer, respond: Respond) -> Iterable[bytes]:
    respond(f"{answer.status} ", [*answer.headers.items(), ("Content-Length", str(len(answer.body)))])
    return [answer.body]
