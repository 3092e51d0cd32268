"""A simulated deployment on a ladder: the old instances answer until the new ones do."""

from dataclasses import dataclass

from spillway.domain.economics.ladders.rungs import NOWHERE, Ladder


@dataclass(slots=True)
class Climber:
    """``place`` answers; ``target`` is started for ``left`` minutes more, one move at a time, as in the check.

    An instance is billed from the minute after it is wished for until it is given back.
    """

    ladder: Ladder
    place: int = NOWHERE
    target: int = NOWHERE
    left: int = 0
    usd: float = 0.0
    spilled_tokens: float = 0.0
    cold_starts: int = 0
    cold_requests: float = 0.0
    instance_minutes: int = 0

    @property
    def capacity(self) -> float:
        """Tokens a minute of everything that is billed."""
        places, starting = self.ladder.places, self.ladder.started(self.place, self.target) if self.left else 0
        target = places[self.target]
        return places[self.place].capacity + (starting * target.capacity / target.instances if starting else 0.0)

    def serve(self, tokens: float, spill_usd: float, requests: float) -> None:
        """Let a minute pass: ``spill_usd`` is what all its tokens would cost without any instance."""
        place = self.ladder.places[self.place]
        self.usd += place.usd_per_minute
        self.instance_minutes += place.instances
        if tokens > place.capacity:
            over = tokens - place.capacity
            self.usd += spill_usd * over / tokens
            self.spilled_tokens += over
            self.cold_requests += 0.0 if place.instances else requests
        if self.left:
            self.usd += self.ladder.move_usd(self.place, self.target) / self.ladder.places[self.target].start_minutes
            self.instance_minutes += self.ladder.started(self.place, self.target)
            self.left -= 1
            if not self.left:
                self.place = self.target

    def want(self, wanted: int) -> None:
        """Take a wish into effect from the next minute on.

        What needs no start happens at once, and ends a start under way. Any other wish waits for that start's end.
        """
        if self.ladder.started(self.place, wanted) == 0:
            self.place, self.left = wanted, 0
        elif not self.left:
            self.target, self.left = wanted, self.ladder.places[wanted].start_minutes
            self.cold_starts += self.ladder.started(self.place, wanted)
