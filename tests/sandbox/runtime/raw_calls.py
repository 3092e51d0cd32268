"""Which AWS operation a signed HTTP request is, for requests that were not made by botocore."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import unquote

from botocore.loaders import Loader
from botocore.model import ServiceModel, Shape, StructureShape

from tests.sandbox.constraints import violation

# boto3's clients for each signing name, those with REST paths in the order they are tried.
_CLIENTS = {
    "bedrock": ("bedrock-runtime", "bedrock"),
    "sagemaker": ("sagemaker-runtime", "sagemaker"),
    "elasticloadbalancing": ("elbv2",),
    "monitoring": ("cloudwatch",),
    "servicequotas": ("service-quotas",),
    "states": ("stepfunctions",),
    "tagging": ("resourcegroupstaggingapi",),
}
_OPENAI = re.compile(r"/openai/v1/(chat/completions|completions|responses)")


@dataclass(frozen=True)
class RawCall:
    """``service`` and ``operation`` as boto3 names them."""

    service: str
    operation: str
    params: dict[str, Any]


def identify(signing_name: str, method: str, path: str, headers: Mapping[str, str], body: bytes) -> RawCall:
    """Return the operation, of REST's parameters those in path and headers; an empty one for none of the service's.

    ``headers`` finds a name in any case.
    """
    clients = _CLIENTS.get(signing_name, (signing_name,))
    if target := headers.get("X-Amz-Target"):
        return RawCall(clients[-1], target.rpartition(".")[2], _document(body))
    if signing_name == "bedrock" and _OPENAI.fullmatch(path):
        document = _document(body)
        streams = document.get("stream") is True
        operation = "InvokeModelWithResponseStream" if streams else "InvokeModel"
        return RawCall("bedrock-runtime", operation, {"modelId": document.get("model", "")})
    for client in clients:
        for verb, pattern, names, operation in _routes(client):
            if verb == method and (found := pattern.fullmatch(path)):
                labels = dict(zip(names, map(unquote, found.groups()), strict=True))
                return RawCall(client, operation, labels | _in_headers(client, operation, headers))
    return RawCall(clients[0], "", {})


def problem_of(call: RawCall) -> str | None:
    """Return what the service says of a parameter that it does not take; of REST's, in path and headers alone."""
    model = _model(call.service)
    return violation(model, call.operation, call.params) if call.operation in model.operation_names else None


def _in_headers(client: str, operation: str, headers: Mapping[str, str]) -> dict[str, str]:
    shape = _model(client).operation_model(operation).input_shape
    members = shape.members if isinstance(shape, StructureShape) else {}
    named = {name: str(member.serialization.get("name")) for name, member in members.items() if _is_header(member)}
    return {name: headers[header] for name, header in named.items() if header in headers}


def _is_header(member: Shape) -> bool:
    return member.serialization.get("location") == "header"


@cache
def _model(client: str) -> ServiceModel:
    return ServiceModel(Loader().load_service_model(client, "service-2"))


@cache
def _routes(client: str) -> list[tuple[str, re.Pattern[str], tuple[str, ...], str]]:
    model = _model(client)
    if not model.protocol.startswith("rest"):
        return []
    routes = []
    for operation in model.operation_names:
        http = model.operation_model(operation).http
        uri = http["requestUri"].partition("?")[0]
        names = tuple(name.rstrip("+") for name in re.findall(r"\{([^}]+)\}", uri))
        parts = re.split(r"(\{[^}]+\})", uri)
        text = "".join(_group(part) if part.startswith("{") else re.escape(part) for part in parts)
        routes.append((http["method"], re.compile(text), names, operation))
    return routes


def _group(label: str) -> str:
    return "(.+)" if label.endswith("+}") else "([^/]+)"


def _document(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body or b"{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
