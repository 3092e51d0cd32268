"""Tell which AWS operation an HTTP request is, and answer it in the protocol that its client speaks."""

import json
import re
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from io import BytesIO
from typing import Any
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

from botocore.loaders import Loader
from botocore.model import ServiceModel

# Signing names that differ from the name of the boto3 client.
_CLIENTS = {
    "elasticloadbalancing": "elbv2",
    "states": "stepfunctions",
    "monitoring": "cloudwatch",
    "servicequotas": "service-quotas",
    "tagging": "resourcegroupstaggingapi",
}
_REST = ("scheduler", "lambda", "bedrock")


class AwsError(Exception):
    """What AWS answers when it refuses a call."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(f"{code}: {message}")
        self.code, self.message, self.status = code, message, status


@dataclass(frozen=True)
class Call:
    """One AWS call: ``service`` as boto3 names the client, ``protocol`` as its error has to be written."""

    service: str
    operation: str
    protocol: str
    body: bytes

    def params(self) -> dict[str, Any]:
        """Return the parameters of a call in a JSON protocol, or the plain ones of one in the query protocol."""
        if self.protocol == "query":
            return {name: values[0] for name, values in parse_qs(self.body.decode()).items()}
        found = json.loads(self.body or b"{}")
        return found if isinstance(found, dict) else {}


@dataclass(frozen=True)
class Answer:
    """An HTTP answer to a call."""

    status: int
    headers: dict[str, str]
    body: bytes


def identify(environ: dict[str, Any]) -> Call | None:
    """Return the call behind a WSGI request, or None for one that is not signed as an AWS call."""
    scope = re.search(r"Credential=[^/]+/\d+/[^/]+/([^/]+)/aws4_request", environ.get("HTTP_AUTHORIZATION", ""))
    if not scope:
        return None
    service = _CLIENTS.get(scope[1], scope[1])
    path = environ.get("PATH_INFO", "")
    if target := environ.get("HTTP_X_AMZ_TARGET"):
        return Call(service, target.rpartition(".")[2], "json", _body(environ))
    if rpc := re.match(r"/service/[^/]+/operation/([^/]+)", path):
        return Call(service, rpc[1], "cbor", b"")
    if environ.get("CONTENT_TYPE", "").startswith("application/x-www-form-urlencoded"):
        body = _body(environ)
        action = parse_qs(body.decode()).get("Action", [""])[0]
        return Call(service, action, "ec2" if service == "ec2" else "query", body)
    if service in _REST:
        return Call(service, _rest_operation(service, environ["REQUEST_METHOD"], path), "rest-json", b"")
    return None


def success(call: Call, result: dict[str, Any]) -> Answer:
    """Return the answer in the call's protocol; in JSON, times go as epoch seconds."""
    if call.protocol == "query":
        xml = _xml({f"{call.operation}Response": {f"{call.operation}Result": result}})
        return Answer(200, {"Content-Type": "text/xml"}, xml.encode())
    body = json.dumps(result, default=_epoch).encode()
    return Answer(200, {"Content-Type": "application/x-amz-json-1.1"}, body)


def failure(call: Call, err: AwsError) -> Answer:
    """Return ``err`` in the call's protocol."""
    match call.protocol:
        case "query":
            kind = "Sender" if err.status < 500 else "Receiver"
            xml = f"<ErrorResponse><Error><Type>{kind}</Type>{_code_and_message(err)}</Error></ErrorResponse>"
            return Answer(err.status, {"Content-Type": "text/xml"}, xml.encode())
        case "ec2":
            xml = f"<Response><Errors><Error>{_code_and_message(err)}</Error></Errors></Response>"
            return Answer(err.status, {"Content-Type": "text/xml"}, xml.encode())
        case "cbor":
            body = b"\xa2" + b"".join(_cbor_text(text) for text in ("__type", err.code, "message", err.message))
            headers = {"Content-Type": "application/cbor", "Smithy-Protocol": "rpc-v2-cbor"}
            return Answer(err.status, headers, body)
        case _:
            body = json.dumps({"__type": err.code, "message": err.message}).encode()
            headers = {"Content-Type": "application/x-amz-json-1.1", "x-amzn-ErrorType": err.code}
            return Answer(err.status, headers, body)


def _xml(value: Any) -> str:
    match value:
        case dict():
            return "".join(f"<{name}>{_xml(each)}</{name}>" for name, each in value.items())
        case list():
            return "".join(f"<member>{_xml(each)}</member>" for each in value)
        case datetime():
            return value.isoformat()
        case _:
            return escape(str(value))


def _body(environ: dict[str, Any]) -> bytes:
    """Read the body and put it back for the application behind."""
    raw = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    environ["wsgi.input"] = BytesIO(raw)
    return bytes(raw)


def _code_and_message(err: AwsError) -> str:
    return f"<Code>{escape(err.code)}</Code><Message>{escape(err.message)}</Message>"


def _cbor_text(text: str) -> bytes:
    raw = text.encode()
    return b"\x79" + len(raw).to_bytes(2, "big") + raw


def _epoch(value: object) -> float:
    if isinstance(value, datetime):
        return value.timestamp()
    raise TypeError(f"{type(value).__name__} does not go into an answer")


@cache
def _routes(service: str) -> list[tuple[str, re.Pattern[str], str]]:
    model = ServiceModel(Loader().load_service_model(service, "service-2"))
    routes = []
    for name in model.operation_names:
        http = model.operation_model(name).http
        template = re.escape(http["requestUri"].split("?")[0].rstrip("/"))
        pattern = re.sub(r"\\\{\w+(\\\+)?\\\}", lambda part: ".+" if part[1] else "[^/]+", template)
        routes.append((http["method"], re.compile(f"{pattern}/?"), name))
    return routes


def _rest_operation(service: str, method: str, path: str) -> str:
    return next((name for verb, uri, name in _routes(service) if verb == method and uri.fullmatch(path)), "")
