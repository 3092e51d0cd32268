"""The routes under ``/deployments/{name}/benchmarks``."""

from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response

from spillway.api.benchmark_models import BenchmarkBody, BenchmarkDetail, BenchmarkPage
from spillway.api.idempotency import answered_once
from spillway.api.json_responses import Cursor, Identifier, Limit, accepted, errors
from spillway.domain.benchmarks.record import Benchmark
from spillway.domain.benchmarks.spec import BenchmarkSpec
from spillway.ports import Once
from spillway.services.manage_benchmarks import ManageBenchmarks

_TAGS = ["benchmarks"]


def add_benchmark_routes(api: APIGatewayRestResolver, benchmarks: ManageBenchmarks, once: Once) -> None:
    """Register the routes; those that begin or stop something answer 202 with the record as it stands."""

    @api.post(
        "/deployments/<name>/benchmarks",
        summary="Measure a deployment",
        tags=_TAGS,
        responses=errors(202, 404, 409),
    )
    def create_benchmark(name: Identifier, spec: BenchmarkSpec) -> Response[BenchmarkDetail]:
        operation = f"POST /deployments/{name}/benchmarks"
        payload = spec.model_dump(mode="json")
        body = answered_once(api, once, operation, payload, lambda: _body(benchmarks.create(name, spec)))
        return accepted(f"/deployments/{name}/benchmarks/{body['id']}", body)

    @api.get(
        "/deployments/<name>/benchmarks",
        summary="List benchmarks",
        tags=_TAGS,
        responses=errors(200, 404),
    )
    def list_benchmarks(name: Identifier, limit: Limit = 20, cursor: Cursor = None) -> BenchmarkPage:
        found, next_cursor = benchmarks.page(name, limit, cursor)
        items = tuple(BenchmarkBody.model_validate(one) for one in found)
        return BenchmarkPage(items=items, next_cursor=next_cursor)

    @api.get(
        "/deployments/<name>/benchmarks/<benchmark_id>",
        summary="Show a benchmark",
        tags=_TAGS,
        responses=errors(200, 404),
    )
    def show_benchmark(name: Identifier, benchmark_id: Identifier) -> BenchmarkDetail:
        return BenchmarkDetail.model_validate(benchmarks.one(name, benchmark_id))

    @api.delete(
        "/deployments/<name>/benchmarks/<benchmark_id>",
        summary="Stop a benchmark",
        tags=_TAGS,
        responses=errors(202, 404, 409),
    )
    def stop_benchmark(name: Identifier, benchmark_id: Identifier) -> Response[BenchmarkDetail]:
        return accepted(f"/deployments/{name}/benchmarks/{benchmark_id}", _body(benchmarks.stop(name, benchmark_id)))


def _body(benchmark: Benchmark) -> dict[str, Any]:
    return BenchmarkDetail.model_validate(benchmark).model_dump(mode="json")
