"""The drivers' functions, asked directly and waited for."""

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from botocore.exceptions import ReadTimeoutError

from spillway.adapters.aws.errors import translated
from spillway.domain.deployments.findings import Findings, findings_from_json
from spillway.domain.deployments.spec import DeploymentSpec
from spillway.domain.errors import Retryable, TimedOut

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

# Two of them, a spec's and its spill target's, fit into API Gateway's 29 seconds with a cold start of the API itself.
WAIT_SECONDS = 12


class DriverFunctions:
    """Implements the ``Rehearsals`` port; ``functions`` maps a path's name to its driver's ARN.

    The client is made when it is first needed: nothing else in the control API needs Lambda.
    """

    def __init__(self, client: "Callable[[], LambdaClient]", functions: Mapping[str, str]) -> None:
        self._client = client
        self._functions = functions

    def of(self, spec: DeploymentSpec) -> Findings:
        """Return what the path's driver finds of a spec."""
        payload = {"verb": "rehearse", "spec": spec.model_dump(mode="json", by_alias=True)}
        with translated():
            try:
                answer = self._client().invoke(
                    FunctionName=self._functions[spec.path], Payload=json.dumps(payload).encode()
                )
            except ReadTimeoutError as err:
                raise TimedOut(f"the checks of path {spec.path} took longer than {WAIT_SECONDS} s") from err
            found = json.loads(answer["Payload"].read())
        if "FunctionError" not in answer:
            return findings_from_json(found)
        kind, message = found.get("errorType"), found.get("errorMessage")
        if kind == Retryable.__name__:
            raise Retryable(str(message))
        raise RuntimeError(f"the driver of path {spec.path} failed: {kind}: {message}")
