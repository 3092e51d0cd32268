"""API Gateway's Lambda authorizer: which key a request carries, and what that key may call."""

from functools import cache
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from spillway.bootstrap.access import authorize_service
from spillway.domain.access.keys import API_KEY_HEADER, Key, Scope
from spillway.domain.errors import Unauthorized
from spillway.logs import function_logger
from spillway.services.authorize import Authorize
from spillway.settings import Settings

logger = function_logger("authorize_request")

# Where the template has an authorizer that goes by the key's own header.
_BY_API_KEY = f"/{API_KEY_HEADER}/"


@cache
def container() -> Authorize:
    """Build the service on first use."""
    return authorize_service(Settings())


@logger.inject_lambda_context(log_event=False)
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Return the policy of the request's key; raise what API Gateway answers 401 for."""
    headers = {name.lower(): value for name, value in (event.get("headers") or {}).items()}
    # Only of the header that API Gateway remembers the answer by: whoever sends the same one is given the same answer.
    by_api_key = event["resource"].startswith(_BY_API_KEY)
    sent = (None, headers.get(API_KEY_HEADER)) if by_api_key else (headers.get("authorization"),)
    try:
        key = container().key(*sent)
    except Unauthorized as err:
        logger.info("refused", extra={"reason": err.message})
        # API Gateway takes this very sentence for a 401; any other exception would be a 500.
        raise Exception("Unauthorized") from None
    return _answer(key, event["methodArn"])


def _answer(key: Key, method_arn: str) -> dict[str, Any]:
    """Allow every call that the key may make, because the answer is cached for all of them."""
    api, stage, *_ = method_arn.split("/")
    allowed = f"{api}/*" if Scope.ADMIN in key.scopes else f"{api}/{stage}/*/v1/*"
    return {
        "principalId": key.id,
        "policyDocument": {
            "Version": "2012-10-17",
            "Statement": [{"Action": "execute-api:Invoke", "Effect": "Allow", "Resource": allowed}],
        },
        "context": {
            "key_id": key.id,
            "scopes": ",".join(sorted(key.scopes)),
            "deployments": ",".join(key.deployments),
            # On their way to the gateway, so that it needs no read of its own.
            **key.limits.to_context(),
        },
    }
