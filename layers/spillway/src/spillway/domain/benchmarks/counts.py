"""What load workers count in one step, and how their counts become one: sums and maxima, in any order."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from spillway.domain.benchmarks.histogram import Histogram, histogram_from_json, histogram_to_json, merged

# What a worker's failures may take of the state machine's data: enough to see what is wrong.
_DETAIL_LENGTH = 200


@dataclass
class LengthTally:
    """Counts of the requests of one length in the mix, of what came within the span.

    Of requests that ended, the engine said what their prompts and pieces were worth: ``prompt_tokens`` of first tokens
    within the span, and thousandths of ``completion_tokens`` of pieces within it. ``open_prefills`` and ``open_pieces``
    are of requests that did not end. The rest are whole requests that ended within the span, and their usage.
    """

    prefills: int = 0
    prompt_tokens: int = 0
    completion_millitokens: int = 0
    open_prefills: int = 0
    open_pieces: int = 0
    ended: int = 0
    ended_prompt_tokens: int = 0
    ended_completion_tokens: int = 0
    ended_pieces: int = 0


@dataclass
class Tally:
    """Counts of one worker, or of several together.

    ``requests`` got their first token, failed, or still waited for one, within the span of ``seconds``; those that
    waited count in ``first_token_seconds`` with the time they had waited. ``failures`` are by code, ``details`` one
    sentence a code. ``prompt_words`` of requests that ended were ``words_tokens`` to the engine. A worker that came
    late has ``late_seconds``; one that was lost adds to ``lost`` and nothing else.
    """

    lengths: list[LengthTally]
    seconds: float = 0.0
    requests: int = 0
    failures: dict[str, int] = field(default_factory=dict)
    details: dict[str, str] = field(default_factory=dict)
    first_token_seconds: Histogram = field(default_factory=Histogram)
    piece_seconds: Histogram = field(default_factory=Histogram)
    stream_tokens_per_second: Histogram = field(default_factory=Histogram)
    prompt_words: int = 0
    words_tokens: int = 0
    engine: str = ""
    late_seconds: float = 0.0
    lost: int = 0
    stopped: bool = False

    def fail(self, code: str, detail: str) -> None:
        """Count a failed request."""
        self.failures[code] = self.failures.get(code, 0) + 1
        self.details.setdefault(code, detail[:_DETAIL_LENGTH])

    @property
    def failed(self) -> int:
        """All failed requests."""
        return sum(self.failures.values())


def merge(tallies: Sequence[Tally], lengths: int) -> Tally:
    """Return the counts of all workers together; ``lengths`` is how many the mix has."""
    return Tally(
        lengths=[_length_of([tally.lengths[at] for tally in tallies if tally.lengths]) for at in range(lengths)],
        seconds=max((tally.seconds for tally in tallies), default=0.0),
        requests=sum(tally.requests for tally in tallies),
        failures=_summed([tally.failures for tally in tallies]),
        # The least of the sentences, so that the order of merging does not matter.
        details={
            code: min(tally.details[code] for tally in tallies if code in tally.details)
            for code in sorted({code for tally in tallies for code in tally.details})
        },
        first_token_seconds=merged(tally.first_token_seconds for tally in tallies),
        piece_seconds=merged(tally.piece_seconds for tally in tallies),
        stream_tokens_per_second=merged(tally.stream_tokens_per_second for tally in tallies),
        prompt_words=sum(tally.prompt_words for tally in tallies),
        words_tokens=sum(tally.words_tokens for tally in tallies),
        engine=max((tally.engine for tally in tallies), default=""),
        late_seconds=max((tally.late_seconds for tally in tallies), default=0.0),
        lost=sum(tally.lost for tally in tallies),
        stopped=any(tally.stopped for tally in tallies),
    )


def tally_to_json(tally: Tally) -> dict[str, Any]:
    """Return a tally as a JSON object of at most some kilobytes: a state machine holds all workers' together."""
    return {
        **vars(tally),
        "lengths": [list(vars(length).values()) for length in tally.lengths],
        "first_token_seconds": histogram_to_json(tally.first_token_seconds),
        "piece_seconds": histogram_to_json(tally.piece_seconds),
        "stream_tokens_per_second": histogram_to_json(tally.stream_tokens_per_second),
        "seconds": round(tally.seconds, 3),
        "late_seconds": round(tally.late_seconds, 3),
    }


def tally_from_json(data: Mapping[str, Any]) -> Tally:
    """Read back what :func:`tally_to_json` wrote; ``{"lost": 1}`` alone is a worker that brought nothing back."""
    return Tally(
        **{
            **data,
            "lengths": [LengthTally(*counts) for counts in data.get("lengths", ())],
            **{
                name: histogram_from_json(data.get(name, ()))
                for name in ("first_token_seconds", "piece_seconds", "stream_tokens_per_second")
            },
        }
    )


def _length_of(tallies: Sequence[LengthTally]) -> LengthTally:
    return LengthTally(*(sum(counts) for counts in zip(*(vars(tally).values() for tally in tallies), strict=True)))


def _summed(counts: Sequence[Mapping[str, int]]) -> dict[str, int]:
    codes = sorted({code for each in counts for code in each})
    return {code: sum(each.get(code, 0) for each in counts) for code in codes}
