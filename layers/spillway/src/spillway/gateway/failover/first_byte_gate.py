"""The first-byte gate: the client sees nothing of an answer before its first event has been read and found good."""

from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from spillway.domain.capabilities.card import Card
from spillway.domain.capabilities.demand import param_of
from spillway.domain.capabilities.refusals import Lesson, lesson_of, lesson_of_field
from spillway.domain.decision import Code
from spillway.domain.errors import InvalidRequest, Rejected
from spillway.domain.paths.targets import Target
from spillway.domain.routing.route import Choice
from spillway.gateway.concurrency.deadlines import Deadlines
from spillway.gateway.errors import TOO_LONG, UNSUPPORTED, Incapable, UpstreamRejected, UpstreamUnavailable
from spillway.gateway.failover.first_event import first_of
from spillway.gateway.failover.learned_cards import LearnedCards
from spillway.gateway.failover.target_health import LASTING, TargetHealth
from spillway.gateway.timeouts import ANSWER_SECONDS, CONNECT_SECONDS
from spillway.gateway.upstream import UpstreamRequest, Upstreams, UpstreamStream

# However little time a request left it.
_TOLD_BY_THE_TARGET = LASTING | {Code.ENGINE_SATURATED}

OnTry: TypeAlias = Callable[[Choice, str, bool], None]


@dataclass(frozen=True)
class Opened:
    """An answer that has begun well. ``block`` holds its first event (or the whole body), ``first`` that event's JSON.

    ``code`` is the reason why this target answers: the route's, or what the target before it failed of.
    """

    choice: Choice
    code: str
    stream: UpstreamStream
    block: bytes
    first: dict[str, Any]


@dataclass(frozen=True)
class Failure:
    """A choice that did not answer."""

    choice: Choice
    err: UpstreamUnavailable


@dataclass(frozen=True)
class AttemptTimeouts:
    """``first_byte_seconds`` is what every choice but the last has, ``answer_seconds`` what all have together.

    ``hurried`` when the request asked for less than its deployment allows: what is too slow for it is not in trouble.
    """

    first_byte_seconds: float
    answer_seconds: float = ANSWER_SECONDS
    hurried: bool = False

    def of(self, request: UpstreamRequest, left: float, *, is_last: bool) -> tuple[float, float]:
        """Return one choice's seconds to connect and to begin its answer, of those that are ``left``.

        An engine sends nothing of an unstreamed answer before all of it is generated, so there the short limit covers
        the connection only: applied to the answer it would spill every long one after it was paid for.
        """
        if is_last:
            return CONNECT_SECONDS, left
        connect = min(self.first_byte_seconds, CONNECT_SECONDS)
        return connect, self.first_byte_seconds if request.stream else left / 2


class NothingAnswered(Exception):
    """Every choice failed."""

    def __init__(self, failures: Sequence[Failure]) -> None:
        super().__init__("; ".join(f"{failure.choice.role}: {failure.err.detail}" for failure in failures))
        self.failures = tuple(failures)


class FirstByteGate:
    """Tries one choice after the other."""

    def __init__(self, upstreams: Upstreams, health: TargetHealth, learned: LearnedCards) -> None:
        self._upstreams = upstreams
        self._health = health
        self._learned = learned
        self._deadlines = Deadlines()

    def card(self, choice: Choice) -> Card:
        """Return what a choice's target can do, with what it has said of itself."""
        return self._learned.card(choice)

    def seconds_left(self, target: Target) -> float:
        """Return how long a target still is tried last, after what it answered."""
        return self._health.seconds_left(target)

    async def open(
        self,
        choices: Sequence[Choice],
        request: UpstreamRequest,
        limits: AttemptTimeouts,
        failures: list[Failure],
        on_try: OnTry = lambda _choice, _code, _is_last: None,
    ) -> Opened:
        """Return the first answer that begins well; what failed on the way is added to ``failures``.

        ``on_try`` hears of each choice before it is tried, and whether it is the last. Raises NothingAnswered,
        UpstreamRejected when an engine says that the request itself is wrong, or Incapable when none of the choices can
        do what it demands. A target that has no form for the request says nothing of the others: InvalidRequest is
        raised when there are none.
        """
        choices = self._health.order(choices)
        begun = self._health.now()
        formless: InvalidRequest | None = None
        refusals: dict[Target, Rejected] = {}
        barred = self._health.barred(choices)
        asked = [choice for choice in choices if choice not in barred] if barred else choices
        for choice in choices:
            if choice in barred:
                failures.append(Failure(choice, barred[choice]))
                continue
            turn = asked.index(choice)
            if not self._health.may_try(choice, turn):
                break
            is_last = choice is asked[-1]
            code = _why(choice, asked[:turn], failures, refusals)
            on_try(choice, code, is_last)
            left = limits.answer_seconds - (self._health.now() - begun)
            try:
                return await self._ask(choice, code, request, limits.of(request, left, is_last=is_last))
            except UpstreamUnavailable as err:
                if is_last or not limits.hurried or err.code in _TOLD_BY_THE_TARGET:
                    self._health.failed(choice.target, err)
                failures.append(Failure(choice, err.of(choice.role)))
            except Incapable as err:
                refusals |= err.refusals
            except InvalidRequest as err:
                formless = err
        if failures:
            raise NothingAnswered(failures)
        raise formless or Incapable(refusals)

    async def _ask(self, choice: Choice, code: str, request: UpstreamRequest, seconds: tuple[float, float]) -> Opened:
        """Open one choice, once more where it lacks what can be made up; raises Incapable for what can't."""
        demand, card = request.demand, self._learned.card(choice)
        while True:
            emulated = demand.abilities & card.emulated
            try:
                asked = replace(request, emulated=emulated) if emulated else request
                return await self._attempt(choice, code, asked, seconds)
            except (UpstreamRejected, InvalidRequest) as err:
                lesson = _lesson_of(err, request)
                if lesson is None:
                    raise
                self._learned.learn(choice.target, lesson)
                card = self._learned.card(choice)
                if demand.lacking(card) or demand.abilities & card.emulated == emulated:
                    raise Incapable({choice.target: _told(err, lesson, request)}) from err

    async def _attempt(
        self, choice: Choice, code: str, request: UpstreamRequest, seconds: tuple[float, float]
    ) -> Opened:
        """Open one choice within its seconds to connect, and to begin an answer."""
        connect, limit = seconds
        sent = self._health.now()
        try:
            async with self._deadlines.within(limit):
                stream = await self._upstreams.open(choice.target, request, connect)
                block, first = await first_of(stream, request)
        except UpstreamRejected:
            self._health.answered(choice.target, sent)
            raise
        except TimeoutError as err:
            raise UpstreamUnavailable(Code.FIRST_BYTE_TIMEOUT, f"no answer within {limit:g} seconds") from err
        self._health.answered(choice.target, sent)
        return Opened(choice, code, stream, block, first)


def _lesson_of(err: UpstreamRejected | InvalidRequest, request: UpstreamRequest) -> Lesson | None:
    """Return what a refusal tells of its target, None where it is the client's mistake."""
    if isinstance(err, InvalidRequest):
        return lesson_of_field(err, request.demand)
    return lesson_of(err.message, request.demand)


def _told(err: Rejected, lesson: Lesson, request: UpstreamRequest) -> Rejected:
    """Return a target's own words with the field that is meant and a code that clients know."""
    param = param_of(lesson.ability, request.body) if lesson.ability else None
    code = TOO_LONG if lesson.is_too_long else UNSUPPORTED
    return UpstreamRejected(err.status, err.message, param=err.param or param, code=code)


def _why(choice: Choice, tried: Sequence[Choice], failures: Sequence[Failure], refusals: Container[Target]) -> str:
    """Return the reason why a choice gets its turn: what failed before it, what cannot do it, or else the route's."""
    if failures:
        return failures[-1].err.code
    is_refused = any(before.role == "primary" and before.target in refusals for before in tried)
    return Code.PRIMARY_CANNOT if is_refused else choice.code
