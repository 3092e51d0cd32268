"""The composition root of the control API."""

import secrets
from functools import cache, partial

from spillway import clock
from spillway.adapters.aws.bedrock_catalog import RegionalCatalog
from spillway.adapters.aws.clients import client
from spillway.adapters.aws.driver_functions import WAIT_SECONDS, DriverFunctions
from spillway.adapters.aws.sns_subscribers import SnsSubscribers
from spillway.adapters.aws.workflows import StepFunctions
from spillway.adapters.dynamodb.benchmarks_table import BenchmarksTable
from spillway.adapters.dynamodb.decisions_table import DecisionsTable
from spillway.adapters.dynamodb.deployments_table import DeploymentsTable
from spillway.adapters.dynamodb.idempotency_table import IdempotencyTable
from spillway.adapters.dynamodb.keys_table import KeysTable
from spillway.adapters.dynamodb.prices_table import PricesTable
from spillway.adapters.dynamodb.reviews_table import ReviewsTable
from spillway.adapters.dynamodb.routes_table import RoutesTable
from spillway.adapters.dynamodb.usage_table import UsageTable
from spillway.adapters.observe.cost_explorer import ENDPOINT_REGION as COST_EXPLORER_REGION
from spillway.adapters.observe.cost_explorer import CostExplorer
from spillway.api.control_api import ControlApi
from spillway.bootstrap.common import all_topics
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
from spillway.settings import Settings

# The bill is compared where it is told in time; costs are shown without it.
_BILL_SECONDS = 8
# Nobody shall wait for the catalog: what it does not tell in time is unknown.
_CATALOG_SECONDS = 2


def control_api_services(settings: Settings) -> ControlApi:
    """Build the services of ``control_api``."""
    dynamodb = client("dynamodb")
    deployments = DeploymentsTable(dynamodb, settings.deployments_table)
    routes = RoutesTable(dynamodb, settings.routes_table)
    stored_prices = PricesTable(dynamodb, settings.prices_table)
    prices = CurrentPrices(price_book_of(settings.region), stored_prices, clock.utc_now)
    workflows = StepFunctions(client("stepfunctions"), settings.workflow_arns)
    catalog = RegionalCatalog(settings.region, cache(partial(client, "bedrock", within=_CATALOG_SECONDS)))
    costs = ShowCosts(
        deployments=deployments,
        usage=UsageTable(dynamodb, settings.usage_table),
        prices=prices,
        benchmarks=benchmarks(),
        region=settings.region,
        now=clock.utc_now,
        bills=_bills(settings),
    )
    return ControlApi(
        manage=ManageDeployments(
            deployments=deployments,
            routes=routes,
            workflows=workflows,
            catalog=catalog,
            now=clock.utc_now,
        ),
        rehearse=RehearseDeployments(
            deployments=deployments,
            rehearsals=DriverFunctions(cache(partial(client, "lambda", within=WAIT_SECONDS)), settings.driver_arns),
            catalog=catalog,
            prices=prices,
            region=settings.region,
            now=clock.utc_now,
        ),
        benchmarks=ManageBenchmarks(
            deployments=deployments,
            records=BenchmarksTable(dynamodb, settings.benchmarks_table),
            workflows=workflows,
            prices=prices,
            region=settings.region,
            now=clock.utc_now,
        ),
        show=ShowDeployments(
            deployments=deployments,
            routes=routes,
            decisions=DecisionsTable(dynamodb, settings.decisions_table),
            usage=UsageTable(dynamodb, settings.usage_table),
            reviews=ReviewsTable(dynamodb, settings.reviews_table),
            prices=prices,
            region=settings.region,
            now=clock.utc_now,
        ),
        costs=costs,
        plans=PlanCosts(
            deployments=deployments,
            prices=prices,
            benchmarks=benchmarks(),
            region=settings.region,
            now=clock.utc_now,
        ),
        prices=ManagePrices(stored_prices, prices, clock.utc_now),
        credits=ManageCredits(stored_prices, costs, clock.utc_now),
        keys=ManageKeys(
            keys=KeysTable(dynamodb, settings.keys_table),
            new_token=partial(secrets.token_urlsafe, 32),
            now=clock.utc_now,
        ),
        subscribers=SnsSubscribers(client("sns"), all_topics(settings)),
        once=IdempotencyTable(dynamodb, settings.idempotency_table),
        now=clock.utc_now,
    )


def _bills(settings: Settings) -> CostExplorer | None:
    if not settings.compares_with_bill:
        return None
    return CostExplorer(client("ce", COST_EXPLORER_REGION, within=_BILL_SECONDS), settings.stack)
