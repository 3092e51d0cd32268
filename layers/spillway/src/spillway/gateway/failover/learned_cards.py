"""What targets have said of themselves in this process, beside what the control plane knows of them."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from spillway.domain.capabilities.card import Ability, Card
from spillway.domain.capabilities.refusals import Lesson
from spillway.domain.paths.targets import Target
from spillway.domain.routing.route import Choice

# A target is changed by its operator now and then: what it has refused is tried again after this long.
KEPT_SECONDS = 600.0
MOST_TARGETS = 500


@dataclass
class _Known:
    until: float
    lacking: frozenset[Ability] = frozenset()
    context_length: int | None = None


class LearnedCards:
    """Bounded in number and in time, by the seconds of a monotonic clock."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._known: dict[Target, _Known] = {}

    def learn(self, target: Target, lesson: Lesson) -> None:
        """Take what a refusal tells of its target; what tells of this one request only is not kept."""
        if lesson.ability is None and lesson.context_length is None:
            return
        now = self._monotonic()
        known = self._known.pop(target, None)
        if known is None or known.until <= now:
            known = _Known(now + KEPT_SECONDS)
        if lesson.ability is not None:
            known.lacking |= {lesson.ability}
        known.context_length = lesson.context_length or known.context_length
        self._known[target] = known
        if len(self._known) > MOST_TARGETS:
            del self._known[next(iter(self._known))]

    def card(self, choice: Choice) -> Card:
        """Return what is known of a choice's target now."""
        known = self._known.get(choice.target)
        if known is None:
            return choice.card
        if known.until <= self._monotonic():
            del self._known[choice.target]
            return choice.card
        card = choice.card.without(*known.lacking) if known.lacking else choice.card
        return card if known.context_length is None else replace(card, context_length=known.context_length)
