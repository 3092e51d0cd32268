"""One deployment's turn in a look of the check: estimate, remember, decide, route, act, alert."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from spillway.domain.alerts.alert import Alert
from spillway.domain.alerts.evaluate import evaluate
from spillway.domain.costs.running_estimate import add_up, count_instances
from spillway.domain.decision import Action, Code, Decision, decision_to_json, reason_to_json
from spillway.domain.deployments.deployment import Deployment
from spillway.domain.deployments.status import Status
from spillway.domain.economics.economy import larger_news_of, why_unused
from spillway.domain.economics.import_windows.in_check import imported_of
from spillway.domain.errors import Retryable, Superseded
from spillway.domain.observations.usage import InstanceTime
from spillway.domain.pricing.price_book import PriceBook
from spillway.domain.routing.route import Route
from spillway.domain.routing.route_for_status import is_still_lost, may_replace, route_of
from spillway.domain.scaling.check_state import Memory, Snapshot
from spillway.domain.scaling.policy import decide, remember
from spillway.ports import Alerts, Decisions, Events, Routes, Workflows

logger = logging.getLogger(__name__)

_QUIET = frozenset({Code.STEADY, Code.STARTING, Code.ASLEEP})


@dataclass(frozen=True)
class Turn:
    """What was read of one deployment, and what each step adds to it: first its prices and its estimate.

    ``instance_times`` and ``alerts`` are what the turn counted and sent; ``acted``: whether a workflow was started.
    """

    snapshot: Snapshot
    route: Route | None
    instance_times: Sequence[InstanceTime] = ()
    acted: bool = False
    alerts: Sequence[Alert] = ()

    @property
    def deployment(self) -> Deployment:
        """Whose turn it is."""
        return self.snapshot.deployment

    @property
    def memory(self) -> Memory:
        """What is to be remembered as of the last step; before the first, what the last look remembered."""
        return self.snapshot.memory

    def remembering(self, memory: Memory) -> "Turn":
        """Return the turn with what a step remembers."""
        return replace(self, snapshot=replace(self.snapshot, memory=memory))


@dataclass(frozen=True)
class TurnSteps:
    """The steps of a turn; none changes what it is given, so that a turn that fails leaves its memory as it was."""

    routes: Routes
    decisions: Decisions
    workflows: Workflows
    alerts: Alerts
    events: Events
    region: str

    def take(self, turn: Turn, prices: PriceBook, now: datetime) -> Turn:
        """Take all steps; of a retired deployment only the last instances are counted."""
        if turn.deployment.status is Status.RETIRED:
            return self._count_last(turn, prices, now)
        turn = self._estimate(self._priced(turn, prices), prices, now)
        turn = turn.remembering(remember(turn.snapshot, now))
        decision = decide(turn.snapshot, now)
        self._keep_route(turn, now)
        turn = self._act(turn, decision, now)
        self._note_larger(turn, now)
        return self._alert(turn, now)

    def _count_last(self, turn: Turn, prices: PriceBook, now: datetime) -> Turn:
        counted = count_instances(turn.deployment, turn.snapshot.capacity, turn.memory, prices, self.region, now)
        turn = turn.remembering(replace(counted.memory, checked_at=now))
        return replace(turn, instance_times=counted.instance_times)

    def _priced(self, turn: Turn, prices: PriceBook) -> Turn:
        spec, snapshot = turn.deployment.spec, turn.snapshot
        price = prices.instance_of(spec, self.region, snapshot.capacity.instance_type)
        larger = spec.capacity.larger
        larger_price = prices.instance_of(spec, self.region, larger.instance_type) if larger else None
        priced = replace(
            snapshot,
            usd_per_hour=price.usd_per_hour if price else None,
            spill_price=prices.tokens(model, self.region) if (model := turn.deployment.spill_model) else None,
            larger_usd_per_hour=larger_price.usd_per_hour if larger_price else None,
            imported=imported_of(turn.deployment, prices, self.region),
        )
        return replace(turn, snapshot=priced)

    def _estimate(self, turn: Turn, prices: PriceBook, now: datetime) -> Turn:
        seen = turn.snapshot
        spent = add_up(seen.deployment, seen.capacity, seen.load, seen.memory, prices, self.region, now)
        return replace(turn.remembering(spent.memory), instance_times=spent.instance_times)

    def _keep_route(self, turn: Turn, now: datetime) -> None:
        deployment, snapshot, route = turn.deployment, turn.snapshot, turn.route
        # In every other state the route is the workflow's.
        if deployment.status is not Status.SERVING or route is None or not may_replace(route, deployment):
            return
        if is_still_lost(route, deployment, snapshot.capacity, now):
            return
        # A model in Bedrock has no capacity that could be lost.
        seen = snapshot.capacity if deployment.spec.profile.has_instances else None
        unused = why_unused(turn.memory.economy)
        wanted = route_of(deployment, seen, snapshot.load, version=route.version, unused=unused)
        if wanted == route:
            return
        try:
            self.routes.put(wanted)
        except Superseded:
            logger.info("route changed meanwhile", extra={"deployment": deployment.name})

    def _act(self, turn: Turn, decision: Decision, now: datetime) -> Turn:
        code, last_code = decision.reason.code, turn.memory.code
        if decision.action is Action.HOLD:
            # That everything just goes on is no news at the first look.
            is_news = code not in _QUIET if not last_code else code != last_code
            if is_news:
                self.decisions.add(turn.deployment.name, decision, now)
            acted = False
        else:
            acted = self._start(turn.deployment, decision)
        return replace(turn.remembering(replace(turn.memory, code=code)), acted=acted)

    def _start(self, deployment: Deployment, decision: Decision) -> bool:
        # The version names the state that the decision was taken on: a repeat of it starts nothing new.
        execution = f"{deployment.name}-{decision.action}-{deployment.version}"
        payload = {
            "deployment": deployment.name,
            "path": deployment.spec.path,
            "desired": decision.desired,
            "reason": reason_to_json(decision.reason),
        }
        try:
            self.workflows.start("scale", execution, payload)
        except Retryable as err:
            logger.warning("scale not started", extra={"deployment": deployment.name, "error": str(err)})
            return False
        self.events.publish("DecisionTaken", deployment.name, decision_to_json(decision))
        return True

    def _note_larger(self, turn: Turn, now: datetime) -> None:
        if (news := larger_news_of(turn.memory.economy)) is not None:
            note = Decision(Action.HOLD, turn.deployment.desired, news, 0.0)
            self.decisions.add(turn.deployment.name, note, now)

    def _alert(self, turn: Turn, now: datetime) -> Turn:
        seen = turn.snapshot
        alerts, memory = evaluate(seen.deployment, seen.capacity, seen.memory, now, seen.usd_per_hour, seen.load)
        for alert in alerts:
            self.alerts.send(alert)
        return replace(turn.remembering(memory), alerts=alerts)
