"""The steps of the benchmark workflow: claim the deployment, plan a level, judge it, close the record.

Every step may be repeated. The deployment is claimed like by any other workflow, so that nothing scales it, puts it to
sleep or measures it at the same time; the claim is given back with the record closed.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, assert_never

from spillway.domain.benchmarks.concurrency_levels import Next, next_level
from spillway.domain.benchmarks.counts import Tally, merge
from spillway.domain.benchmarks.outcome import closed, ended, measured_by
from spillway.domain.benchmarks.pricing import usd_per_second
from spillway.domain.benchmarks.record import Benchmark, End, State, Verdict
from spillway.domain.benchmarks.steps import best_of, step_of
from spillway.domain.benchmarks.worker_orders import Length, order_to_json, orders_of
from spillway.domain.deployments.deployment import Deployment
from spillway.domain.errors import NotFound, Rejected, Superseded
from spillway.domain.observations.hours import hour_at
from spillway.domain.pricing.price_book import PriceBook
from spillway.ports import BenchmarkRecords, Deployments, Events, UsageLog
from spillway.services.events.benchmark_steps import BeginBenchmark, BenchmarkStep, EvaluateLevel, FailBenchmark
from spillway.services.manage_benchmarks import conditions_of, ensure_measurable

_ATTEMPTS = 3


@dataclass(frozen=True)
class RunBenchmark:
    """``run`` takes one step; ``moment`` is the machines' clock in seconds since the epoch, which steps go by."""

    deployments: Deployments
    records: BenchmarkRecords
    events: Events
    usage: UsageLog
    prices: Callable[[], PriceBook]
    region: str
    now: Callable[[], datetime]
    moment: Callable[[], float]

    def run(self, event: BenchmarkStep) -> dict[str, Any]:
        """Take the step that the task names; return the next level's orders, or that there is none."""
        benchmark = self.records.get(event.deployment, event.benchmark)
        match event:
            case BeginBenchmark():
                return self._begin(benchmark, event)
            case EvaluateLevel():
                return self._evaluate(benchmark, event)
            case FailBenchmark():
                return self._fail(benchmark, event)
            case _:
                assert_never(event)

    def _begin(self, benchmark: Benchmark, event: BeginBenchmark) -> dict[str, Any]:
        if not benchmark.is_open:
            return self._finish(benchmark, event.execution)
        try:
            deployment = self._claimed(benchmark, event.execution)
        except Rejected as err:
            return self._finish(ended(benchmark, End.FAILED, err.message, self.now()), event.execution)
        kind, ready = event.capacity.instance_type, event.capacity.ready
        price = self.prices().instance_of(deployment.spec, self.region, kind)
        begun = benchmark.model_copy(
            update={
                "state": State.RUNNING,
                "reason": "Running.",
                "begun_at": benchmark.begun_at or self.now(),
                "begun": benchmark.begun or self.moment(),
                "users_tokens_before": benchmark.users_tokens_before
                if benchmark.begun_at
                else self._users_tokens(deployment.name, self.now()),
                "conditions": conditions_of(deployment, kind, ready, price),
                "workflow": event.execution,
            }
        )
        if price is None and not benchmark.spec.allow_unknown_price:
            sentence = f"The price of {kind} is unknown, and allow_unknown_price is not set."
            return self._finish(ended(begun, End.FAILED, sentence, self.now()), event.execution)
        return self._go_on(begun, deployment, event)

    def _claimed(self, benchmark: Benchmark, execution: str) -> Deployment:
        """Return the deployment as this execution's own; raise Rejected when it cannot be measured any more."""
        for attempt in range(_ATTEMPTS):
            deployment = self.deployments.get(benchmark.deployment)
            if deployment.workflow == execution:
                return deployment
            ensure_measurable(deployment, self.now())
            try:
                return self.deployments.update(replace(deployment, workflow=execution, updated_at=self.now()))
            except Superseded:
                # A user's change of the spec came in between: look again.
                if attempt == _ATTEMPTS - 1:
                    raise
        raise AssertionError("the last attempt returns or raises")

    def _evaluate(self, benchmark: Benchmark, event: EvaluateLevel) -> dict[str, Any]:
        if not benchmark.is_open:
            return self._finish(benchmark, event.execution)
        deployment = self.deployments.get(benchmark.deployment)
        if deployment.workflow != event.execution:
            raise Superseded(f"{deployment.name} is worked on by {deployment.workflow or 'nobody'}")
        if len(benchmark.steps) < event.number:
            benchmark = self._with_step(benchmark, event.tallies, event.capacity.ready)
        return self._go_on(benchmark, deployment, event)

    def _with_step(self, benchmark: Benchmark, tallies: Sequence[Tally], ready: int) -> Benchmark:
        spec, conditions = benchmark.spec, benchmark.conditions
        concurrency = benchmark.running_concurrency or 0
        tally = merge(tallies, len(spec.mix))
        used = self.moment() - (benchmark.begun or 0.0)
        rate = self._usd_per_second(benchmark)(concurrency)
        usd = None if rate is None else (used - benchmark.seconds_used) * rate
        bound = spec.latency.ttft_p95_ms or float("inf")
        step = step_of(len(benchmark.steps) + 1, concurrency, tally, spec, bound, conditions.instances, usd)
        if ready != conditions.instances:
            step = step.model_copy(update={"verdict": Verdict.INCOMPLETE})
        total = None if usd is None or benchmark.usd_used is None else round(benchmark.usd_used + usd, 6)
        return benchmark.model_copy(
            update={
                "steps": (*benchmark.steps, step),
                "seconds_used": round(used, 3),
                "usd_used": total,
                "words_per_token": tally.prompt_words / tally.words_tokens if tally.words_tokens else None,
                "conditions": conditions.model_copy(update={"engine": tally.engine or conditions.engine}),
            }
        )

    def _go_on(
        self, benchmark: Benchmark, deployment: Deployment, event: BeginBenchmark | EvaluateLevel
    ) -> dict[str, Any]:
        """Plan the next level, or end."""
        found = next_level(
            benchmark,
            usd_per_second=self._usd_per_second(benchmark),
            seconds_used=self.moment() - (benchmark.begun or 0.0),
            instances=event.capacity.ready,
            stop_asked=self.records.is_to_stop(benchmark.deployment, benchmark.id),
        )
        if found.concurrency is None or deployment.target is None:
            return self._finish(self._closed(benchmark, found), event.execution)
        self.records.save(benchmark.model_copy(update={"running_concurrency": found.concurrency}))
        number = len(benchmark.steps) + 1
        orders = orders_of(
            deployment.name,
            benchmark.id,
            deployment.target,
            [Length(**part.model_dump()) for part in benchmark.spec.mix],
            found.concurrency,
            benchmark.spec.seconds_per_step,
            number,
            self.moment(),
            benchmark.words_per_token,
        )
        return {"go": True, "number": number, "orders": [order_to_json(order) for order in orders]}

    def _closed(self, benchmark: Benchmark, found: Next) -> Benchmark:
        users = self._users_tokens(benchmark.deployment, benchmark.begun_at or self.now())
        return closed(benchmark, found, max(0, users - benchmark.users_tokens_before), self.now())

    def _fail(self, benchmark: Benchmark, event: FailBenchmark) -> dict[str, Any]:
        """Close what an execution could not, this one or the one that it replaces."""
        if benchmark.is_open:
            best = best_of(benchmark.steps, is_at_least=True)
            failed = ended(benchmark, End.FAILED, event.error.sentence, self.now())
            benchmark = failed.model_copy(update={"best": best})
        return self._finish(benchmark, event.execution, event.replaces)

    def _finish(self, benchmark: Benchmark, execution: str, replaces: str | None = None) -> dict[str, Any]:
        """Store the end, give the deployment back with what was found, and tell; all of it may be repeated."""
        self.records.save(benchmark)
        self._release(benchmark, {execution, replaces or execution})
        best = benchmark.best.tokens_per_minute_per_instance if benchmark.best else None
        detail = {"benchmark": benchmark.id, "state": benchmark.state, "end": benchmark.end, "reason": benchmark.reason}
        self.events.publish("BenchmarkEnded", benchmark.deployment, {**detail, "tokens_per_minute_per_instance": best})
        return {"go": False, "state": benchmark.state}

    def _release(self, benchmark: Benchmark, owners: set[str]) -> None:
        for attempt in range(_ATTEMPTS):
            try:
                deployment = self.deployments.get(benchmark.deployment)
            except NotFound:
                return
            if deployment.workflow not in owners:
                return
            measured = measured_by(benchmark) if benchmark.became_capacity else deployment.measured
            try:
                self.deployments.update(replace(deployment, workflow=None, measured=measured))
                return
            except Superseded:
                if attempt == _ATTEMPTS - 1:
                    raise

    def _users_tokens(self, name: str, since: datetime) -> int:
        """Return the tokens that users' requests had of the instances, from the beginning of an hour on."""
        begin = hour_at(since)
        hours = self.usage.hours(name, begin, self.now() + timedelta(hours=1))
        primary = [one.traffic for one in hours.traffic if one.role == "primary"]
        return sum(traffic.prompt_tokens + traffic.completion_tokens for traffic in primary)

    def _usd_per_second(self, benchmark: Benchmark) -> Callable[[int], float | None]:
        prices, conditions = self.prices(), benchmark.conditions
        return lambda concurrency: usd_per_second(
            prices, conditions.usd_per_hour_per_instance, conditions.instances, concurrency
        )
