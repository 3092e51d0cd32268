"""From a request to the beginning of its answer: plan, wait where nothing else may answer, open."""

import asyncio
import math
from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from spillway.domain.capabilities.card import ABILITY_OF, MOST_EMULATED_ANSWERS, Ability, Card
from spillway.domain.capabilities.demand import param_of
from spillway.domain.decision import Code
from spillway.domain.errors import InvalidRequest, Rejected
from spillway.domain.paths.targets import Target
from spillway.domain.routing.route import Choice, Plan, Route, RouteState, plan
from spillway.domain.task import Task
from spillway.gateway.concurrency.cache import Monotonic
from spillway.gateway.errors import UNSUPPORTED, Incapable, Unavailable
from spillway.gateway.failover.first_byte_gate import (
    AttemptTimeouts,
    Failure,
    FirstByteGate,
    NothingAnswered,
    Opened,
)
from spillway.gateway.failover.target_health import LASTING
from spillway.gateway.failover.wait_for_primary import WaitForPrimary
from spillway.gateway.failover.wake import Wakes
from spillway.gateway.request.exchange import Headers
from spillway.gateway.request.routing_headers import RoutingHeaders
from spillway.gateway.request_record import Record
from spillway.gateway.streaming.keepalive import KeepAlive
from spillway.gateway.timeouts import ANSWER_SECONDS, COUNT_AT_ONCE_SECONDS, LONGEST_SILENCE_SECONDS
from spillway.gateway.upstream import ENDPOINTS, UpstreamRequest, can_answer

# What somebody has to see to; the rest passes, or the control plane sees it by itself.
_TOLD = LASTING | {Code.SPILL_FAILED}

StreamHead = Callable[[str, str], Headers]


@dataclass
class RequestContext:
    """One request on its way to whoever answers it; ``alive`` where its answer is a stream.

    ``asked`` is what its headers ask for, ``count`` tells the check of it before its end. ``background`` is what was
    begun beside it and has to end before its answer does. ``refusals`` are of targets that cannot do what it demands,
    ``primary_only`` when it has turned out that none but the primary can.
    """

    request: UpstreamRequest
    route: Route
    asked: RoutingHeaders
    record: Record
    count: Callable[[Record], Coroutine[None, None, None]]
    alive: KeepAlive | None = None
    background: list[asyncio.Task[None]] = field(default_factory=list)
    refusals: dict[Target, Rejected] = field(default_factory=dict)
    primary_only: bool = False

    def keep_alive(self, head: StreamHead, path: str, code: str, comment: str) -> None:
        """Let the client of a stream hear comments when what comes next takes long."""
        if self.alive is not None:
            self.alive.watch(lambda: head(path, code), comment)


@dataclass(frozen=True)
class Dispatch:
    """Finds who answers; ``head`` makes a stream's headers from the path and the reason."""

    gate: FirstByteGate
    wait_for_primary: WaitForPrimary
    wakes: Wakes
    monotonic: Monotonic
    draw: Callable[[], float]
    head: StreamHead

    async def open(self, context: RequestContext) -> Opened:
        """Return an answer that has begun well; raises Unavailable, or Rejected for what is the client's mistake."""
        while True:
            choices = await self._choices(context)
            try:
                return await self._open(choices, context)
            except Incapable as err:
                context.refusals |= err.refusals

    async def _choices(self, context: RequestContext) -> Sequence[Choice]:
        """Return whom to try, having waited for the primary where nobody else can; raises Unavailable or Rejected."""
        planned = self._plan(context)
        choices = self._able(planned.choices, context)
        if not choices:
            self._ensure_possible(planned, context)
        if planned.wake or (context.primary_only and context.route.may_wake):
            self._wake(context)
        if choices:
            return choices
        if context.primary_only and context.route.leaves_primary_alone:
            return self._able(context.route.choices(context.asked.target), context)
        if planned.coming:
            await self._wait(context)
            choices = self._able(self._plan(context).choices, context)
        if not choices:
            raise _nobody(context, self.monotonic() - context.record.begun)
        return choices

    def _able(self, choices: Sequence[Choice], context: RequestContext) -> list[Choice]:
        """Return the choices that can do what the request demands, as far as is known; those too small for it last."""
        request = context.request
        able = [
            choice
            for choice in choices
            if can_answer(choice.target, request.endpoint)
            and choice.target not in context.refusals
            and not request.demand.lacking(self.gate.card(choice))
        ]
        if len(able) > 1 and request.demand.is_too_long(self.gate.card(able[0])):
            able.sort(key=lambda choice: request.demand.is_too_long(self.gate.card(choice)))
        if able and able[0].role == "spill" and choices[0].role == "primary":
            able[0] = replace(able[0], code=Code.PRIMARY_CANNOT)
        return able

    def _ensure_possible(self, planned: Plan, context: RequestContext) -> None:
        """Raise Rejected where no target can do what the request demands, in whatever state; else only the primary can.

        What the targets that were asked have said comes before what is known of them.
        """
        possible = list(_in_question(context))
        if planned.coming and _expects_primary(context):
            context.primary_only = bool(possible)
            return
        is_known = context.asked.target == "spill" or context.route.choices()
        if not possible and (is_known or not _may_answer(context)):
            raise _no_target(context)
        lacking = [context.request.demand.lacking(self.gate.card(choice)) for choice in possible]
        refused = [context.refusals.get(choice.target) for choice in possible]
        if possible and all(lacks or said for lacks, said in zip(lacking, refused, strict=True)):
            raise next(filter(None, refused), None) or _unsupported(context, lacking[0], self.gate.card(possible[0]))
        context.primary_only = len(possible) > 1

    def _plan(self, context: RequestContext) -> Plan:
        route = context.route
        draw = self.draw() if route.state is RouteState.SATURATED else 0.0
        return plan(route, draw, context.asked.target)

    def _wake(self, context: RequestContext) -> None:
        """Ask for the primary's wake, unless it could do nothing for this request once it is awake."""
        is_able = any(choice.role == "primary" for choice in self._able(context.route.choices(), context))
        if is_able and self.wakes.due(context.route.name):
            context.background.append(asyncio.create_task(self.wakes.ask(context.route.name)))

    async def _wait(self, context: RequestContext) -> None:
        """Wait for the primary, as long as the request asked for or else as long as the deployment's threshold."""
        route, asked = context.route, context.asked.max_wait_seconds
        seconds = route.first_byte_seconds if asked is None else asked
        if not context.request.stream:
            seconds = min(seconds, LONGEST_SILENCE_SECONDS)
        if seconds > COUNT_AT_ONCE_SECONDS:
            context.background.append(asyncio.create_task(context.count(context.record)))
        path = route.primary.path if route.primary else "none"
        context.keep_alive(self.head, path, route.code, f"waiting for {route.name} ({route.code})")

        def see(latest: Route) -> None:
            context.route = latest
            if (latest.state is RouteState.COLD and latest.wakes) or (context.primary_only and latest.may_wake):
                self._wake(context)

        context.route = await self.wait_for_primary.wait(route, seconds, see)

    async def _open(self, choices: Sequence[Choice], context: RequestContext) -> Opened:
        failures: list[Failure] = []

        def on_try(choice: Choice, code: str, is_last: bool) -> None:
            context.record.asks(choice, code)
            if is_last:
                context.keep_alive(self.head, choice.target.path, code, "waiting for the first token")

        try:
            return await self.gate.open(choices, context.request, self._limits(context), failures, on_try)
        except NothingAnswered as err:
            raise self._all_failed(context.route, failures) from err
        finally:
            if failures:
                context.record.troubles = frozenset(code for failed in failures if (code := failed.err.code) in _TOLD)
                context.record.detail = "; ".join(f"{failed.choice.role}: {failed.err.detail}" for failed in failures)

    def _limits(self, context: RequestContext) -> AttemptTimeouts:
        """Return the limits of an answer's beginning; an unstreamed one's includes what was waited already."""
        usual = context.route.first_byte_seconds
        first_byte_seconds = context.asked.max_wait_seconds or usual
        waited = 0.0 if context.request.stream else self.monotonic() - context.record.begun
        return AttemptTimeouts(first_byte_seconds, ANSWER_SECONDS - waited, hurried=first_byte_seconds < usual)

    def _all_failed(self, route: Route, failures: Sequence[Failure]) -> Unavailable:
        """Return what the client is told: to come back when the first of the targets is up, or tried first again."""
        asked = [failure.err.retry_after_seconds for failure in failures if failure.err.retry_after_seconds]
        left = [self._seconds_left(route, failure) for failure in failures]
        return Unavailable(
            f"no target of '{route.name}' could answer; try again",
            code=failures[-1].err.code,
            retry_after_seconds=min(asked) if asked else max(1, min(left)),
        )

    def _seconds_left(self, route: Route, failure: Failure) -> int:
        if failure.err.code is Code.STARTING:
            return route.retry_after_seconds
        return math.ceil(self.gate.seconds_left(failure.choice.target))


def _in_question(context: RequestContext) -> Iterator[Choice]:
    """Yield all targets that this request may be answered by, whatever their state."""
    for choice in context.route.choices(context.asked.target):
        if can_answer(choice.target, context.request.endpoint):
            yield choice


def _expects_primary(context: RequestContext) -> bool:
    """Whether a primary that was never there yet may be able to do what the request demands, once it is."""
    route = context.route
    is_new = route.primary is None and context.asked.target != "spill"
    return is_new and _may_answer(context) and not context.request.demand.lacking(route.primary_card)


def _no_target(context: RequestContext) -> InvalidRequest:
    """Return what is wrong with a request for which the deployment has no target in any state."""
    route = context.route
    if context.asked.target == "spill" and route.spill is None:
        return InvalidRequest(
            f"'{route.name}' has no spill target",
            param="x-spillway-target",
            code="no_spill_target",
            allowed=["primary"],
        )
    tasks = _tasks_of(route)
    return InvalidRequest(
        f"'{route.name}' has no /v1/{context.request.endpoint}: its model is for {', '.join(tasks)}",
        param="model",
        code="unsupported_endpoint",
        allowed=[f"/v1/{endpoint}" for task in tasks for endpoint in ENDPOINTS[task]],
    )


def _may_answer(context: RequestContext) -> bool:
    """Whether the targets that are to come may have the request's endpoint."""
    return any(context.request.endpoint in ENDPOINTS[task] for task in _tasks_of(context.route))


def _tasks_of(route: Route) -> list[Task]:
    """Return what a deployment's targets are for; before it has any, what its primary is going to be for."""
    if choices := route.choices():
        return [task for task in Task if any(choice.target.task is task for choice in choices)]
    return [task for task in Task if ABILITY_OF[task] not in route.primary_card.cannot]


def _unsupported(context: RequestContext, lacking: Iterable[Ability], card: Card) -> InvalidRequest:
    """Return what a request demands and no target has; the field is that of the first."""
    names, request = sorted(lacking), context.request
    if names[0] is Ability.JSON_SCHEMA and (param := request.demand.outside(card)) is not None:
        return InvalidRequest(
            f"no target of '{context.route.name}' holds an answer to this part of the schema ({card.grammar})",
            param=param,
            code=UNSUPPORTED,
        )
    is_several = not {Ability.CHOICES, Ability.PROMPTS}.isdisjoint(names)
    limit = f" (up to {MOST_EMULATED_ANSWERS} answers are made up)" if is_several else ""
    return InvalidRequest(
        f"no target of '{context.route.name}' supports this: {', '.join(names)}{limit}",
        param=param_of(names[0], request.body),
        code=UNSUPPORTED,
    )


def _nobody(context: RequestContext, waited_seconds: float) -> Unavailable:
    route = context.route
    said = "failed" if route.state is RouteState.FAILED else f"is {route.state}"
    why = ", and nothing else can do what this request asks for" if context.primary_only else ""
    left = max(1, math.ceil(route.retry_after_seconds - waited_seconds))
    return Unavailable(f"'{route.name}' {said}: {route.reason}{why}", code=route.code, retry_after_seconds=left)
