"""Cost Explorer, asked for what AWS billed for everything that bears our tags. AWS charges for every page of it."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from botocore.exceptions import ClientError

from spillway.adapters.aws.errors import code_of, message_of, translated
from spillway.domain.costs.aws_bill import Billed
from spillway.domain.deployments.resource_names import DEPLOYMENT_TAG, STACK_TAG
from spillway.domain.errors import CapacityUnavailable, Retryable

# Cost Explorer has one endpoint, for all regions.
ENDPOINT_REGION = "us-east-1"
_UNBLENDED, _AMORTIZED = "UnblendedCost", "AmortizedCost"


class CostExplorer:
    """Implements the ``Bills`` port; ``client`` is a boto3 client of ``ENDPOINT_REGION``."""

    def __init__(self, client: Any, stack: str) -> None:
        self._client = client
        self._stack = stack

    def days(self, first: date, end: date, deployment: str | None) -> Mapping[date, Billed]:
        """Return what was billed for each day from ``first`` on and before ``end``, as far as AWS has it.

        Raises Retryable when AWS does not say, whatever its reason.
        """
        asked: dict[str, Any] = {
            "TimePeriod": {"Start": first.isoformat(), "End": end.isoformat()},
            "Granularity": "DAILY",
            "Metrics": [_UNBLENDED, _AMORTIZED],
            "Filter": self._tagged(deployment),
        }
        found: dict[date, Billed] = {}
        while True:
            try:
                with translated():
                    page = self._client.get_cost_and_usage(**asked)
            except CapacityUnavailable as err:
                # So are limits called elsewhere; Cost Explorer's is that of calls.
                raise Retryable(str(err)) from err
            except ClientError as err:
                raise Retryable(f"{code_of(err)}: {message_of(err)}") from err
            found |= {date.fromisoformat(one["TimePeriod"]["Start"]): _billed(one) for one in page["ResultsByTime"]}
            if not (token := page.get("NextPageToken")):
                return found
            asked["NextPageToken"] = token

    def _tagged(self, deployment: str | None) -> dict[str, Any]:
        stack = {"Tags": {"Key": STACK_TAG, "Values": [self._stack], "MatchOptions": ["EQUALS"]}}
        if deployment is None:
            return stack
        return {"And": [stack, {"Tags": {"Key": DEPLOYMENT_TAG, "Values": [deployment], "MatchOptions": ["EQUALS"]}}]}


def _billed(day: Mapping[str, Any]) -> Billed:
    return Billed(_usd(day, _UNBLENDED), _usd(day, _AMORTIZED), not day.get("Estimated", False))


def _usd(day: Mapping[str, Any], metric: str) -> float:
    total = day["Total"][metric]
    if total["Unit"] != "USD":
        raise Retryable(f"the bill is in {total['Unit']}, not in USD")
    return float(total["Amount"])
