"""Models that are sold through AWS Marketplace: an account's first call subscribes it, if the caller's role may.

From Bedrock's user guide ("Request access to models"): the subscription goes on in the background, and calls may be
denied until it is through. That a first call may also be answered meanwhile, which it says too, is not played.
"""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from tests.sandbox.aws_errors import AwsError
from tests.sandbox.bedrock_catalog import Catalog, FoundationModel

# AWS's words as issues in public repositories of 2026 quote them.
_NOT_YET = (
    "Your AWS Marketplace subscription for this model cannot be completed at this time. If you recently fixed this "
    "issue, try again after 2 minutes."
)
_MAY_NOT = (
    "Model access is denied due to IAM user or service role is not authorized to perform the required AWS Marketplace "
    "actions (aws-marketplace:ViewSubscriptions, aws-marketplace:Subscribe) to enable access to this model. Refer to "
    f"the Amazon Bedrock documentation for further details. {_NOT_YET}"
)


class Subscriptions:
    """``may_subscribe`` is asked with the headers of a signed call; a subscription takes ``seconds`` of ``now``."""

    def __init__(
        self,
        catalog: Catalog,
        now: Callable[[], datetime],
        may_subscribe: Callable[[Mapping[str, str]], bool],
        seconds: float,
    ) -> None:
        self._catalog = catalog
        self._now = now
        self._may_subscribe = may_subscribe
        self._takes = timedelta(seconds=seconds)
        self._due: dict[str, datetime] = {}

    def settle(self) -> None:
        """Let subscriptions that have had their time be there."""
        for model_id in [name for name, due in self._due.items() if due <= self._now()]:
            del self._due[model_id]
            self._catalog.models[model_id].agreement = "AVAILABLE"

    def check(self, model: FoundationModel, headers: Mapping[str, str]) -> None:
        """Raise AccessDeniedException for a model that the account has not subscribed to; begin to, if that may be."""
        self.settle()
        if model.agreement == "AVAILABLE":
            return
        if model.agreement == "NOT_AVAILABLE":
            if not self._may_subscribe(headers):
                raise AwsError(403, "AccessDeniedException", _MAY_NOT)
            model.agreement = "PENDING"
            self._due[model.id] = self._now() + self._takes
        raise AwsError(403, "AccessDeniedException", f"Model access is denied. {_NOT_YET}")
