"""The control API's handler over fakes, called as API Gateway calls it."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any, cast
from urllib.parse import parse_qs

import pytest
from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.control_api import app
from spillway.api.control_api import ControlApi, build_api
from spillway.domain.pricing.price_book import price_book_of
from spillway.domain.pricing.throughput import benchmarks
from spillway.services.deployments.manage_deployments import ManageDeployments
from spillway.services.deployments.rehearse_deployments import RehearseDeployments
from spillway.services.deployments.show_deployments import ShowDeployments
from spillway.services.manage_benchmarks import ManageBenchmarks
from spillway.services.manage_credits import ManageCredits
from spillway.services.manage_keys import ManageKeys
from spillway.services.manage_prices import CurrentPrices, ManagePrices
from spillway.services.plan_costs import PlanCosts
from spillway.services.show_costs import ShowCosts
from tests.builders import NOW
from tests.fakes import (
    FakeBenchmarks,
    FakeBills,
    FakeCatalog,
    FakeCredits,
    FakeDecisions,
    FakeDeployments,
    FakeKeys,
    FakeOnce,
    FakePrices,
    FakeRehearsals,
    FakeReviews,
    FakeRoutes,
    FakeSubscribers,
    FakeUsageLog,
    FakeWorkflows,
)


class Context:
    function_name = "control_api"
    memory_limit_in_mb = 512
    invoked_function_arn = "arn:aws:lambda:us-east-1:123456789012:function:control_api"
    aws_request_id = "request-1"

    def get_remaining_time_in_millis(self) -> int:
        return 20_000


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)

    @property
    def error(self) -> dict[str, Any]:
        error: dict[str, Any] = self.json["error"]
        return error


@dataclass
class World:
    """Everything that the API can see and change; ``call`` makes one request."""

    deployments: FakeDeployments = field(default_factory=FakeDeployments)
    routes: FakeRoutes = field(default_factory=FakeRoutes)
    decisions: FakeDecisions = field(default_factory=FakeDecisions)
    benchmarks: FakeBenchmarks = field(default_factory=FakeBenchmarks)
    usage: FakeUsageLog = field(default_factory=FakeUsageLog)
    workflows: FakeWorkflows = field(default_factory=FakeWorkflows)
    keys: FakeKeys = field(default_factory=FakeKeys)
    once: FakeOnce = field(default_factory=FakeOnce)
    catalog: FakeCatalog = field(default_factory=FakeCatalog)
    rehearsals: FakeRehearsals = field(default_factory=FakeRehearsals)
    prices: FakePrices = field(default_factory=FakePrices)
    credits: FakeCredits = field(default_factory=FakeCredits)
    reviews: FakeReviews = field(default_factory=FakeReviews)
    subscribers: FakeSubscribers = field(default_factory=FakeSubscribers)
    bills: FakeBills | None = None
    now: datetime = NOW
    region: str = "us-east-1"
    tokens: int = 0

    def services(self) -> ControlApi:
        prices = CurrentPrices(price_book_of(self.region), self.prices, lambda: self.now)
        costs = ShowCosts(self.deployments, self.usage, prices, benchmarks(), self.region, lambda: self.now, self.bills)
        return ControlApi(
            manage=ManageDeployments(self.deployments, self.routes, self.workflows, self.catalog, lambda: self.now),
            rehearse=RehearseDeployments(
                self.deployments, self.rehearsals, self.catalog, prices, "us-east-1", lambda: self.now
            ),
            show=ShowDeployments(
                self.deployments,
                self.routes,
                self.decisions,
                self.usage,
                self.reviews,
                prices,
                self.region,
                lambda: self.now,
            ),
            benchmarks=ManageBenchmarks(
                self.deployments, self.benchmarks, self.workflows, prices, self.region, lambda: self.now
            ),
            costs=costs,
            plans=PlanCosts(self.deployments, prices, benchmarks(), self.region, lambda: self.now),
            prices=ManagePrices(self.prices, prices, lambda: self.now),
            credits=ManageCredits(self.credits, costs, lambda: self.now),
            keys=ManageKeys(self.keys, self._token, lambda: self.now),
            subscribers=self.subscribers,
            once=self.once,
            now=lambda: self.now,
        )

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        headers: dict[str, str] | None = None,
        scopes: str | None = "admin",
        caller: str = "key_caller",
    ) -> Answer:
        """``body`` is sent as it is when it is a string, as JSON otherwise; ``scopes`` None means no authorizer."""
        path, _, query = path.partition("?")
        parameters = parse_qs(query, keep_blank_values=True)
        context: dict[str, Any] = {"requestId": "api-1", "stage": "live", "path": f"/live{path}"}
        if scopes is not None:
            context["authorizer"] = {"key_id": caller, "scopes": scopes, "deployments": ""}
        event = {
            "resource": "/deployments/{proxy+}",
            "path": path,
            "httpMethod": method,
            "headers": {"Content-Type": "application/json", **(headers or {})},
            "multiValueHeaders": {},
            "queryStringParameters": {name: values[-1] for name, values in parameters.items()} or None,
            "multiValueQueryStringParameters": parameters or None,
            "pathParameters": None,
            "requestContext": context,
            "body": body if body is None or isinstance(body, str) else json.dumps(body),
            "isBase64Encoded": False,
        }
        answer = app.handler(event, cast(LambdaContext, Context()))
        headers = {name: values[0] for name, values in (answer.get("multiValueHeaders") or {}).items()}
        return Answer(answer["statusCode"], {**headers, **(answer.get("headers") or {})}, answer["body"])

    def nothing_changed(self) -> bool:
        made = (self.deployments, self.routes, self.keys, self.benchmarks)
        return not (self.workflows.executions or any(each.items for each in made))

    def _token(self) -> str:
        self.tokens += 1
        return f"{self.tokens:043d}"


@cache
def document() -> dict[str, Any]:
    """Return the API's own OpenAPI document."""
    described: dict[str, Any] = json.loads(build_api(World().services()).get_openapi_json_schema())
    return described


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    made = World()
    monkeypatch.setattr(app, "container", made.services)
    app.api.cache_clear()
    yield made
    app.api.cache_clear()
