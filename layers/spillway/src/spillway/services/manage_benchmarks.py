"""What users do about benchmarks: ask for one, look, stop it."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from spillway.domain.benchmarks.pricing import usd_per_second
from spillway.domain.benchmarks.record import Benchmark, Conditions, End, State
from spillway.domain.benchmarks.spec import BenchmarkSpec
from spillway.domain.deployments.deployment import Deployment
from spillway.domain.deployments.status import Status
from spillway.domain.errors import Conflict, InvalidRequest, NotFound
from spillway.domain.pricing.price_book import HourlyPrice, PriceBook
from spillway.domain.task import Task
from spillway.ports import BenchmarkRecords, Deployments, Workflows

logger = logging.getLogger(__name__)

# Benchmarks that ended before they had claimed a deployment of one version; a claim makes a new version.
_MOST_OF_ONE_VERSION = 99


@dataclass(frozen=True)
class ManageBenchmarks:
    """The workflow writes a benchmark's progress; here it is created, shown, and asked to stop."""

    deployments: Deployments
    records: BenchmarkRecords
    workflows: Workflows
    prices: Callable[[], PriceBook]
    region: str
    now: Callable[[], datetime]

    def create(self, name: str, spec: BenchmarkSpec) -> Benchmark:
        """Record a benchmark and start its workflow, which claims the deployment.

        Raises InvalidRequest or Conflict for what cannot be measured (now), Retryable when the workflow cannot be
        started; each of them leaves nothing behind.
        """
        deployment, now = self.deployments.get(name), self.now()
        ensure_measurable(deployment, now)
        price = self.prices().instance_of(deployment.spec, self.region)
        spec = _admitted(spec, deployment, price)
        benchmark = self._recorded(deployment, spec, price)
        payload = {
            "deployment": name,
            "path": deployment.spec.path,
            "benchmark": benchmark.id,
        }
        execution = None
        try:
            execution = self.workflows.start("benchmark", f"{name}-benchmark-{benchmark.id}", payload)
        finally:
            if execution is None:
                self.records.delete(name, benchmark.id)
        logger.info("benchmark requested", extra={"deployment": name, "benchmark": benchmark.id})
        return benchmark.model_copy(update={"workflow": execution})

    def one(self, name: str, benchmark: str) -> Benchmark:
        """Return one as it stands; NotFound for a deployment or benchmark that does not exist."""
        self.deployments.get(name)
        return _as_seen(self.records.get(name, benchmark), self.now())

    def page(self, name: str, limit: int, cursor: str | None) -> tuple[Sequence[Benchmark], str | None]:
        """Return one page of a deployment's benchmarks, newest first."""
        self.deployments.get(name)
        found, next_cursor = self.records.page(name, limit, cursor)
        return [_as_seen(one, self.now()) for one in found], next_cursor

    def stop(self, name: str, benchmark: str) -> Benchmark:
        """Press the stop button: load ends within seconds, what was measured stays. Conflict for one that has ended."""
        found = self.one(name, benchmark)
        if not found.is_open:
            raise Conflict(f"benchmark {benchmark} of {name} has ended already: it is {found.state}")
        self.records.ask_to_stop(name, benchmark, self.now())
        logger.info("benchmark to stop", extra={"deployment": name, "benchmark": benchmark})
        return found

    def _recorded(self, deployment: Deployment, spec: BenchmarkSpec, price: HourlyPrice | None) -> Benchmark:
        """Store the record under the first free id of the deployment's version: of two at once, one gets it."""
        now, version = self.now(), deployment.version
        for number in range(1, _MOST_OF_ONE_VERSION + 1):
            benchmark = self._new(f"{version:08d}-{number:02d}", deployment, spec, price)
            try:
                self.records.create(benchmark)
            except Conflict:
                if self.records.get(deployment.name, benchmark.id).holds(now):
                    raise _running(deployment.name) from None
                continue
            return benchmark
        raise Conflict(f"too many benchmarks of {deployment.name} have failed to begin: change its spec, or wait")

    def _new(
        self, benchmark_id: str, deployment: Deployment, spec: BenchmarkSpec, price: HourlyPrice | None
    ) -> Benchmark:
        ladder, usd_per_hour = spec.concurrency.ladder(), price.usd_per_hour if price else None
        rate = usd_per_second(self.prices(), usd_per_hour, deployment.desired, ladder[-1])
        return Benchmark(
            id=benchmark_id,
            deployment=deployment.name,
            state=State.REQUESTED,
            reason="Asked for; the benchmark workflow is starting.",
            spec=spec,
            created_at=self.now(),
            ladder=ladder,
            most_usd=None if rate is None else round(min(spec.max_usd, rate * spec.max_seconds), 6),
            conditions=conditions_of(deployment, None, deployment.desired, price),
            version=deployment.version,
        )


def conditions_of(
    deployment: Deployment, instance_type: str | None, instances: int, price: HourlyPrice | None
) -> Conditions:
    """Return what a benchmark's result will hold for; the engine tells its name later."""
    return Conditions(
        model=deployment.spec.model.id,
        path=deployment.spec.path,
        instance_type=instance_type,
        instances=instances,
        engine="",
        usd_per_hour_per_instance=price.usd_per_hour if price else None,
        price_source=f"{price.source.source}, {price.source.as_of}" if price else None,
    )


def ensure_measurable(deployment: Deployment, now: datetime) -> None:
    """Raise InvalidRequest or Conflict with the reason why a deployment cannot be measured, ever or now."""
    name = deployment.name
    if deployment.status is Status.RETIRED:
        raise NotFound(f"no deployment is named '{name}': it is retired", param="name")
    if not deployment.spec.profile.has_instances:
        raise InvalidRequest(
            f"{name} runs on Bedrock: it has no instances whose capacity could be measured", code="not_measurable"
        )
    if deployment.spec.task is not Task.CHAT:
        raise InvalidRequest(
            f"{name} is for {deployment.spec.task}, and a benchmark measures answers in chat", code="not_measurable"
        )
    if deployment.is_claimed(now) and deployment.is_benchmarked:
        raise _running(name)
    if deployment.status is not Status.SERVING or deployment.is_claimed(now):
        doing = "but a workflow is at work on it" if deployment.status is Status.SERVING else "so it answers nothing"
        raise Conflict(
            f"{name} is {deployment.status}, {doing}: a benchmark needs it to be serving and at rest",
            code="not_serving",
        )


def _running(name: str) -> Conflict:
    return Conflict(f"a benchmark of {name} is running already: wait for it, or DELETE it", code="benchmark_running")


def _admitted(spec: BenchmarkSpec, deployment: Deployment, price: HourlyPrice | None) -> BenchmarkSpec:
    """Return the spec with its last default; InvalidRequest for what the deployment or its price does not allow."""
    longest = deployment.spec.engine.max_model_len
    for number, part in enumerate(spec.mix):
        tokens = part.prompt_tokens + part.completion_tokens
        if deployment.spec.profile.runs_engine and tokens > longest:
            raise InvalidRequest(
                f"mix.{number} has {tokens} tokens; the engine takes {longest} of prompt and completion together",
                param=f"mix.{number}.prompt_tokens",
            )
    if price is None and not spec.allow_unknown_price:
        raise InvalidRequest(
            f"the price of {deployment.name}'s instances is unknown, so max_usd can't be kept: set allow_unknown_price "
            "to bound it by max_seconds alone, or give the price by PUT /prices/overrides",
            param="allow_unknown_price",
            code="price_unknown",
        )
    if spec.latency.ttft_p95_ms is not None:
        return spec
    bound = spec.latency.model_copy(update={"ttft_p95_ms": deployment.spec.thresholds.cold_start_after_seconds * 1000})
    return spec.model_copy(update={"latency": bound})


def _as_seen(benchmark: Benchmark, now: datetime) -> Benchmark:
    """Return one that never began as what it is."""
    if benchmark.state is not State.REQUESTED or benchmark.holds(now):
        return benchmark
    return benchmark.model_copy(update={"state": State.FAILED, "end": End.FAILED, "reason": "It never began."})
